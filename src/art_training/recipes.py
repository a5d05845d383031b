"""The whole recipe for a setup: every step that can be derived, in order, and what the others need."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from art_training.checks import BeatsBaseline, Check, KeepsUpWithBaseline
from art_training.checks.inputs import UsesInputs
from art_training.engines import EvaluateJob, Position
from art_training.errors import ProjectError
from art_training.plugins import load
from art_training.project import ArtProject, folder_of_caller
from art_training.records import Split
from art_training.setup.data.data import Data
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.setup.setup import Setup
from art_training.setup.task import Task, TaskKind
from art_training.setup.torch_model import TorchModel
from art_training.setup.variant import Variant
from art_training.standards import Standard, Waiver
from art_training.steps import (
    CheckLossOnInit,
    Diagnose,
    EvaluateBaseline,
    ExploreData,
    FinalTest,
    Overfit,
    OverfitOneBatch,
    Regularize,
    Squeeze,
    Step,
    TransferLearning,
    Tune,
    only,
)
from art_training.steps.baselines.control import hidden_paths
from art_training.stores import Store

# Hyper-parameters whose name says what they regularise by, with a value worth trying.
_KNOWN: Mapping[str, float] = {"dropout": 0.2, "weight_decay": 0.01, "label_smoothing": 0.1}
_TRIALS = 20

# Checks that a step can be asked or not, as a plan tells them.
_QUESTIONS: Mapping[type[Step | Check], str] = {
    UsesInputs: "the question whether the model uses its inputs",
    KeepsUpWithBaseline: "the question whether the model keeps up with the baselines on test",
}


def recipe(
    setup: Setup,
    *,
    name: str = "recipe",
    metrics: Mapping[str, Any] | None = None,
    human: Mapping[str, Any] | None = None,
    capacity: Sequence[Mapping[str, Any]] = (),
    transfer: TransferLearning | None = None,
    candidates: Mapping[str, Variant] | None = None,
    space: Any = None,
    trials: int | None = None,
    squeeze: Squeeze | None = None,
    store: Store | Path | str | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    standard: Standard | str | None = None,
    waivers: Iterable[Waiver] = (),
) -> ArtProject:
    """A project of every step of the recipe that can be derived from a setup, in order, with checks that fit its task.

    What a step needs and the setup does not tell is given here; a step that lacks it is left out, and the project's
    `left_out` and its plan say what it would need. So are questions that cannot be answered: whether the model uses its inputs
    (`UsesInputs`) where the target is the input itself or the validation split is too small, and whether it keeps up with the
    baselines on test (`KeepsUpWithBaseline`) where that split is too small or targets are in other units. Add to the steps and replace them
    as in any project; a step in place of one of its kind is asked the derived checks too, unless it comes with its own.

    What fits the task is told by one batch, which passes through the model each time that the project is declared.

    Three of the derived checks compare with the baselines: Overfit has to fit its training data better than the best of them
    predicts new examples, and what Squeeze leaves has to be better than the best of them on validation. A model that can only
    do one of both is told so before the test split is used; there the model must not be worse than the best of them, beyond doubt.

    Args:
        setup: what is trained.
        name: of the project.
        metrics: by name, as for a project; None: accuracy, F1, R2 or mean absolute error, as the task asks for. Where the loss
            weighs classes, the area under the ROC curve decides, or, of more than two classes, accuracy averaged over them.
        human: what people reach, as for `EvaluateBaseline`.
        capacity: hyper-parameters of growing capacity, as for `Overfit`.
        transfer: the step, for a model that has a pretrained part.
        candidates: regularisations, as for `Regularize`; None: those that hyper-parameters of the model are named after.
        space: of hyper-parameters, as for `Tune`; None: nothing is searched.
        trials: of `Tune`; None: twenty.
        squeeze: the step, where its settings or checks shall be others than usual. What it leaves as it is by default, what
            decides and the checks, is derived all the same.
        store: as for a project.
        seed: as for a project.
        folder: as for a project.
        standard: as for a project.
        waivers: as for a project.

    Raises:
        SetupError: the setup cannot be built, or a batch does not pass through the model.
        ProjectError: a step that is given is of another kind, or trials are given and nothing to search; and as for a project.
    """
    if not isinstance(setup, Setup):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ProjectError(f"setup={setup!r} is not a Setup; write art.Setup(model=..., data=...)")
    _require_kind("transfer", transfer, TransferLearning)
    _require_kind("squeeze", squeeze, Squeeze)
    if trials is not None and space is None:
        raise ProjectError(
            f"trials={trials!r} of the recipe is a budget of a search, and nothing is searched; give a space, too: "
            "space={'lr': art.space.log_uniform(1e-4, 1e-1)}"
        )
    declared = metrics if metrics is not None else _metrics(setup.task)
    asked = _Asked(setup, declared, human or {}, tuple(capacity), transfer, candidates, space, trials, squeeze, seed)
    steps: list[Step] = []
    left_out: dict[str, str] = {}
    for kind, made in asked.steps():
        if isinstance(made, Step):
            steps.append(made)
        else:
            left_out[_QUESTIONS.get(kind) or kind.__name__] = made
    where = folder if folder is not None else folder_of_caller()
    kept: dict[str, Any] = {"store": store, "seed": seed, "folder": where, "standard": standard, "waivers": waivers}
    project = ArtProject(name, setup, metrics=declared, steps=steps, **kept)
    project.left_out = left_out
    project.derived_checks = {step.name: tuple(step.checks) for step in project.steps if step.name in asked.derives}
    project.derived_steps = {step.name: step for step in project.steps}
    return project


def _require_kind(argument: str, given: object, kind: type[Step]) -> None:
    """Refuse what is no step of the kind that the argument is for."""
    if given is None or isinstance(given, kind):
        return
    raise ProjectError(
        f"{argument}={given!r} of the recipe is no {kind.__name__}; give {argument}={kind.__name__}(...), or nothing; "
        f"project.remove_step({kind.__name__!r}) takes a derived step out"
    )


@dataclass(frozen=True)
class _Asked:
    """What the recipe is made from."""

    setup: Setup
    metrics: Mapping[str, Any]
    human: Mapping[str, Any]
    capacity: tuple[Mapping[str, Any], ...]
    transfer: TransferLearning | None
    candidates: Mapping[str, Variant] | None
    space: Any
    trials: int | None
    given_squeeze: Squeeze | None
    seed: int

    @property
    def derives(self) -> frozenset[str]:
        """Names of the steps whose checks are derived here."""
        given = self.given_squeeze or Squeeze()
        squeezed = () if given.checks or isinstance(given.checks, only) else (given.name,)
        return frozenset({Overfit.__name__, FinalTest.__name__, *squeezed})

    def steps(self) -> Iterator[tuple[type[Step | Check], Step | str]]:
        """Each step of the recipe in order, or what it would need; and so of a question of one."""
        splits = set(load("engines", self.setup.engine)().splits(self.setup, seed=self.seed))
        unvalidated = "" if Split.VALIDATION in splits else "a validation split"
        yield ExploreData, ExploreData()
        yield Diagnose, Diagnose()
        yield EvaluateBaseline, unvalidated or self._baselines()
        if not unvalidated and isinstance(self._baselines(), Step) and (missing := self._inputs_need()):
            yield UsesInputs, missing
        yield CheckLossOnInit, CheckLossOnInit()
        yield OverfitOneBatch, OverfitOneBatch()
        yield Overfit, Overfit(capacity=self.capacity, checks=self._fits(unvalidated))
        yield (
            TransferLearning,
            self.transfer or "a pretrained part: transfer=TransferLearning(freeze=..., pretrained=...)",
        )
        yield Regularize, unvalidated or self._regularize()
        yield Tune, unvalidated or self._tune()
        yield Squeeze, unvalidated or self._squeeze()
        # Without validation no earlier step leaves a model that it scored on new examples; the setup is trained for it.
        if Split.TEST not in splits:
            yield FinalTest, "a test split"
        else:
            asked = () if unvalidated else self._keeps_up()
            yield FinalTest, FinalTest(retrain=bool(unvalidated), checks=() if isinstance(asked, str) else asked)
            if isinstance(asked, str):
                yield KeepsUpWithBaseline, asked

    @cached_property
    def _validated(self) -> int | None:
        """Examples of the validation split, counted once."""
        return _rows(self.setup, self.seed, Split.VALIDATION)

    @property
    def _by(self) -> str:
        """The validation score that decides: the first metric of which it is known which way is better, else the loss.

        Where that is known of none of several metrics, the first is taken, and whoever decides by it says what to declare.
        """
        known = MetricCalculator(self.metrics)
        decides = (name for name in known.names if known.direction(name) is not None)
        return f"validation/{next(decides, next(iter(known.names), LOSS))}"

    def _baselines(self) -> Step | str:
        if self.setup.task.target is None:
            return "a target, which was not recognised: Setup(task={'target': '1'})"
        return EvaluateBaseline(human=self.human, inputs=None if self._inputs_need() else "zeroed")

    def _inputs_need(self) -> str:
        """What it would need to ask whether the model uses its inputs; nothing where it can be asked."""
        from art_training.setup.scores.comparison import FEWEST

        try:
            hidden_paths(self.setup.task)
        except ValueError as why:
            return f"inputs that can be taken away: {why}"
        rows = self._validated
        if rows is not None and rows < FEWEST:
            return f"{FEWEST} validation examples or more, where there are {rows}"
        return ""

    def _fits(self, unvalidated: str) -> tuple[Check, ...]:
        """By the loss where baselines have it: of a share that is perfect, nobody can be above."""
        if unvalidated:
            return ()
        name = LOSS if self.setup.task.loss else self._by.partition("/")[2]
        return self._beats(f"train/{name}", f"validation/{name}")

    def _beats(self, mine: str, theirs: str | None = None) -> tuple[Check, ...]:
        if isinstance(self._baselines(), str):
            return ()
        return (BeatsBaseline(mine, step=EvaluateBaseline.__name__, against=theirs),)

    def _keeps_up(self) -> tuple[Check, ...] | str:
        """Asked where it can be answered: of enough rows, by what baselines have, in the units that they learn."""
        from art_training.setup.scores.comparison import FEWEST

        name = self._by.partition("/")[2]
        if isinstance(self._baselines(), str):
            return ()
        if self.setup.outputs is not None:
            return (
                "the targets that the batches have, and outputs= may give others: declare FinalTest(checks=[KeepsUpWithBaseline("
                f"{name!r})]) where they are the same"
            )
        if name == LOSS and not self.setup.task.loss:
            return "a score that baselines have too: metrics={'name': ...}"
        rows = _rows(self.setup, self.seed, Split.TEST)
        if rows is not None and rows < FEWEST:
            return f"{FEWEST} test examples or more, where there are {rows}"
        return (KeepsUpWithBaseline(name),)

    def _squeeze(self) -> Step:
        """What is derived lies under what is given."""
        given = self.given_squeeze or Squeeze()
        by = self._by if given.by == Squeeze.by else given.by
        return replace(given, by=by, checks=self._beats(by) if given.name in self.derives else given.checks)

    def _regularize(self) -> Step | str:
        found = self.candidates if self.candidates is not None else self._named_candidates()
        if not found:
            known = ", ".join(_KNOWN)
            if self.candidates is not None:
                return (
                    "candidates={'name': Variant(...)}: {} names none; without the argument they are those that the model has "
                    "hyper-parameters for"
                )
            return f"candidates={{'name': Variant(...)}}, or a model with a hyper-parameter called one of: {known}"
        return Regularize(candidates=found, by=self._by)

    def _named_candidates(self) -> dict[str, Variant]:
        """Regularisations that the model has hyper-parameters for, but for values that it has already."""
        takes = _parameters(self.setup.model)
        return {
            f"{name} {value:g}": Variant(hparams={name: value})
            for name, value in _KNOWN.items()
            if name in takes and self.setup.hparams.get(name, takes[name]) != value
        }

    def _tune(self) -> Step | str:
        if self.space is None:
            return "a search space: space={'lr': art.space.log_uniform(1e-4, 1e-1)}"
        return Tune(space=self.space, by=self._by, trials=_TRIALS if self.trials is None else self.trials)


def _rows(setup: Setup, seed: int, split: Split) -> int | None:
    """How many examples a split has; None where that cannot be told without reading all of them."""
    if isinstance(setup.data, Data):
        found = setup.data.rows()
    else:  # a datamodule opens its data first; one batch is read
        job = EvaluateJob(setup, seed, (split,), plain=True, limit=1)
        found = load("engines", setup.engine)().read(job, _overlook, _nobody_watches).rows
    counts = [rows for place, rows in found.items() if place.partition(":")[0] == split]
    return None if None in counts else sum(rows or 0 for rows in counts)


def _overlook(split: Split, loader: str | None, batch: Any) -> None:
    """Nothing is asked of the batch."""


def _nobody_watches(position: Position) -> None:
    """Nothing is told of it."""


def _parameters(model: Callable[..., Any]) -> dict[str, Any]:
    """Names and defaults of what a model takes as hyper-parameters."""
    optimiser: dict[str, Any] = {}
    if isinstance(model, TorchModel):
        model, optimiser = model.model, dict(model.optimizer_arguments)
    try:
        parameters = inspect.signature(model).parameters.values()
    except (TypeError, ValueError):  # a callable of C
        return optimiser
    return {one.name: one.default for one in parameters} | optimiser


def _metrics(task: Task) -> dict[str, Any]:
    """The usual metrics of a task, the one that decides first.

    Whose loss weighs classes does not want to be judged by how often the usual class is right.
    """
    from torchmetrics import classification, regression

    weighs = not {"weight", "pos_weight"}.isdisjoint(task.loss_options)
    if task.kind is TaskKind.CLASSIFICATION and task.classes and task.classes > 2:
        accuracy = {"accuracy": classification.MulticlassAccuracy(num_classes=task.classes, average="micro")}
        macro = classification.MulticlassAccuracy(num_classes=task.classes, average="macro")
        return {"balanced_accuracy": macro, **accuracy} if weighs else accuracy
    if task.kind is TaskKind.CLASSIFICATION:
        accuracy = {"accuracy": classification.BinaryAccuracy()}
        return {"auroc": classification.BinaryAUROC(), **accuracy} if weighs else accuracy
    if task.kind is TaskKind.MULTI_LABEL and task.classes:
        return {"f1": classification.MultilabelF1Score(num_labels=task.classes)}
    if task.kind is TaskKind.SEQUENCE and task.classes:
        return {"accuracy": classification.MulticlassAccuracy(num_classes=task.classes, average="micro")}
    if task.kind is TaskKind.REGRESSION:
        return {"r2": regression.R2Score(), "mae": regression.MeanAbsoluteError()}
    return {}
