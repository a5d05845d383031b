"""EvaluateBaseline: what is reached without any training of a network, so that there is something to beat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from art_training.checks import Check
from art_training.checks.baseline import HUMAN
from art_training.checks.bounds import Above, Equals
from art_training.checks.finite import NoNaN
from art_training.checks.inputs import INPUTS_GAIN, UsesInputs
from art_training.errors import ProjectError, SetupError
from art_training.records import Candidate, Outcome, Reading, Score, Split
from art_training.setup.data.batch import size
from art_training.setup.scores.metrics import LOSS
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.baselines.contenders import Contender, lacking, target_of
from art_training.steps.baselines.control import Hiding, How, called, require_inputs
from art_training.steps.baselines.files import predictions_of, read_predictions
from art_training.steps.baselines.given import (
    Constant,
    Given,
    contender_of,
    described,
    is_array,
    is_predictions,
    is_weights,
    require_predictions,
)
from art_training.steps.baselines.learning import Learned, Limits, learn
from art_training.steps.baselines.models import BOOSTING, DUMMY, LINEAR
from art_training.steps.baselines.people import require_human, require_known
from art_training.steps.baselines.predicting import UNSCORED, predict_and_score, with_unscored
from art_training.steps.baselines.telling import (
    best_of,
    of_best,
    of_people,
    readings_of,
    summary_of,
    table_of,
    uncomputed,
)
from art_training.steps.baselines.weights import score_weights
from art_training.steps.baselines.without_inputs import REAL, WithoutInputs, train_without_inputs
from art_training.steps.bench import Bench
from art_training.steps.prospect import Prospect
from art_training.steps.step import Step

COUNT = "baselines"


@dataclass(frozen=True)
class EvaluateBaseline(Step):
    """Score baselines on the validation split with the project's metrics and the task's loss.

    The dummy predicts the class frequencies or the mean; the linear model is a ridge or logistic regression of scaled
    features; boosting is scikit-learn's histogram-based gradient boosting. They learn from the training split, its
    inputs flattened; tasks that have no flat target get the dummy that fits them. A baseline that makes no sense for
    a task is a candidate without scores, whose note says why.

    The scores are those of the best baseline by the first metric whose direction is known (else by the loss), and
    `baselines`, the number of those that have it. One of the user's own that raises while it learns or
    predicts, or predicts what cannot be compared, is a candidate without scores too, counted by `unscored`, which a default
    check wants to be 0; the others are scored. All scores with their intervals are in the artifact `baselines.csv`.

    With `inputs`, the setup's own model is trained twice under one seed, without augmentation: with its inputs, and with
    inputs that tell nothing. `UsesInputs` asks that the first does better; `inputs_gain.loss` and the like are the paired
    differences. It is off by default, because it trains: all else here needs no model, and stays fresh when the model
    changes. With it the step depends on the whole setup.

    Attributes:
        baselines: further ones: subclasses of ArtModule, or factories of one, with `baseline_train` and `predict`. Another
            class that has these two and `parse_data` will do.
        predictions: what else predicts, by name. A number is a class or value that is always predicted (several: one for
            each label or output). A function is given a batch and returns predictions, one row an example: classes,
            probabilities, values, or what the model would give. A module that is trained is called with the inputs. An array
            holds predictions of the validation split, in its order. A path names a file: predictions of the validation split as `.csv` (columns `prediction`, or `0`, `1`, ... for
            classes or outputs; `example` where rows are in another order) or `.npy`; or weights of the setup's own model
            (`.ckpt`, `.pt`, `.pth`, `.safetensors`), which are unpickled where they hold more than tensors. A file
            counts by its content.
        human: what people reach, by metric, with where the numbers are from: `{"accuracy": 0.98, "source": "..."}`.
            Taken on trust, and therefore never the best baseline.
        inputs: what is done to the inputs of the setup's own model: `zeroed` (0; 1 for integers, whose 0 is often padding),
            `shuffled` (those of another example of the batch), or a function of a batch. Masks, lengths and positions stay
            where inputs are zeroed, targets always. None: it is not trained.
        inputs_steps: optimiser steps of each of these two trainings at most, and never more than the Trainer's settings
            allow; None: as long as they say.
        fit_rows: the most rows that a baseline learns from; of more a sample is drawn.
        fit_values: the most numbers in the table of features that a baseline learns from.
        fit_features: the most features; of more a sample is drawn.
    """

    baselines: Sequence[Callable[[], Any]] = ()
    human: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fit_rows: int = 50_000
    fit_values: int = 20_000_000
    fit_features: int = 2_048
    predictions: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: How | Hiding | None = None
    inputs_steps: int | None = 500

    purpose: ClassVar[str] = (
        "What do models reach that are too simple to be wrong, and does the model use its inputs at all?"
    )
    needs_splits: ClassVar[frozenset[Split]] = frozenset({Split.VALIDATION})
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.VALIDATION})
    leaves_weights: ClassVar[bool | None] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "baselines", tuple(self.baselines))
        for name in ("fit_rows", "fit_values", "fit_features", "inputs_steps"):
            _require_count(name, getattr(self, name), self.name, optional=name == "inputs_steps")
        require_human(self.human, self.name)
        object.__setattr__(self, "human", dict(self.human))
        _check_baselines(self.baselines, self.name)
        require_inputs(self.inputs, self.name)
        if self.inputs is None and self.inputs_steps != EvaluateBaseline.inputs_steps:
            raise ProjectError(
                f"inputs_steps={self.inputs_steps} of step {self.name!r} says how long the setup's own model is trained without "
                f"its inputs, and inputs=None does not train it; write EvaluateBaseline(inputs='zeroed', "
                f"inputs_steps={self.inputs_steps})"
            )
        taken = {DUMMY, LINEAR, BOOSTING, HUMAN, *self._own, *map(_name, self.baselines)}
        object.__setattr__(self, "predictions", require_predictions(self.predictions, self.name, taken))

    @property
    def uses(self) -> frozenset[str]:  # pyright: ignore[reportIncompatibleVariableOverride]  depends on what is asked
        """The metrics alone; the whole setup where its own model is trained or loaded."""
        needs_model = self.inputs is not None or any(map(is_weights, self.predictions.values()))
        return Step.uses if needs_model else frozenset({"metrics"})

    def run(self, bench: Bench) -> Outcome:
        if Split.VALIDATION not in bench.splits:
            raise SetupError(
                f"{self.name} scores baselines on the validation split, and the data has: {', '.join(bench.splits)}; "
                "give a val_dataloader, or art.data(validation=...)"
            )
        require_known(self.human, bench.metrics, self.name)
        given = _contenders(self.predictions, bench)  # before anything costs: a file may be of another split
        limits = Limits(self.fit_rows, self.fit_values, self.fit_features)
        learned = learn(bench, limits, {_name(make): make for make in self.baselines})
        learned.contenders += given
        scores = predict_and_score(bench, learned)
        candidates = [_candidate(one, scores.get(one.name, {}), learned) for one in learned.contenders]
        known = {one.name for one in learned.contenders}
        candidates += [Candidate(name, note=why) for name, why in learned.left_out.items() if name not in known]
        for name, path in self.predictions.items():
            if is_weights(path):
                candidates.append(score_weights(bench, name, path))
                scores[name] = dict(candidates[-1].scores)
        hidden = self._without_inputs(bench, scores)
        if hidden is not None:
            candidates += hidden.candidates
            scores |= {one.name: dict(one.scores) for one in hidden.candidates if one.scores and one.name != REAL}
        if self.human:
            candidates.append(of_people(self.human, bench.metrics))
        outcome = _outcome(bench, learned, candidates, scores, hidden)
        return with_unscored(outcome, learned) if self._of_users else outcome

    def again(self, bench: Bench, name: str, setup: Setup | None) -> Learned:
        """One of its baselines, learned anew on another step's bench, from the data of a setup.

        What is there of the validation split alone, or as weights of a whole model, cannot be asked anew: see `can_learn`.
        """
        if name in self.predictions:
            return Learned(contenders=[contender_of(name, self.predictions[name], bench.task)])
        limits = Limits(self.fit_rows, self.fit_values, self.fit_features)
        return learn(bench, limits, {_name(make): make for make in self.baselines}, only=name, setup=setup)

    def can_learn(self, name: str) -> bool:
        """Whether one of its baselines can predict other examples than those of the validation split."""
        if name not in self.predictions:
            return name not in {*self._own, HUMAN}
        value = self.predictions[name]
        return not (is_weights(value) or is_predictions(value) or is_array(value))

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        asked: tuple[Check, ...] = (Above(COUNT, 0), NoNaN())
        if self._of_users:
            asked = (*asked, Equals(UNSCORED, 0))
        return asked if self.inputs is None else (*asked, UsesInputs())

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        gains = () if self.inputs is None else tuple(f"{INPUTS_GAIN}{name}" for name in (*metrics, LOSS))
        return (*metrics, LOSS, COUNT, *((UNSCORED,) if self._of_users else ()), *gains)

    def candidate_names(self) -> Sequence[str]:
        people = (HUMAN,) if self.human else ()
        return (DUMMY, LINEAR, BOOSTING, *map(_name, self.baselines), *self.predictions, *self._own, *people)

    def foresee(self, prospect: Prospect) -> None:
        require_known(self.human, prospect.metrics, self.name)

    def configuration(self) -> dict[str, Any]:
        """The fields; a file is its content."""
        read = {name: described(value) for name, value in self.predictions.items()}
        return {**super().configuration(), "predictions": read}

    @property
    def _own(self) -> tuple[str, ...]:
        """What the setup's own model is called, with its inputs and without."""
        return () if self.inputs is None else (REAL, f"inputs {called(self.inputs)}")

    @property
    def _of_users(self) -> bool:
        return bool(self.predictions or self.baselines)

    def _without_inputs(self, bench: Bench, scores: Mapping[str, Mapping[str, Score]]) -> WithoutInputs | None:
        if self.inputs is None:
            return None
        return train_without_inputs(bench, self.inputs, self.inputs_steps, scores.get(DUMMY, {}))


def _contenders(predictions: Mapping[str, Any], bench: Bench) -> list[Contender]:
    """What predicts besides the baselines that learn; files are read. Whatever has a length has that of the split."""
    found: list[Contender] = []
    counted = None
    for name, value in predictions.items():
        if is_weights(value):
            continue
        if not (is_predictions(value) or is_array(value)):
            one = contender_of(name, value, bench.task)
            found.append(one)
            if isinstance(one, Constant) and one.numbers > 1:
                counted = counted or _counted(bench)
                if counted.target is not None:
                    one.require_fits(counted.target, counted.examples)
            continue
        counted = counted or _counted(bench)
        what = f"predictions[{name!r}]"
        read = predictions_of(value, what) if is_array(value) else read_predictions(value, f"{what}={str(value)!r}")
        read.require_examples(counted.examples)
        found.append(Given(name, read, bench.task))
    return found


@dataclass
class _Counted:
    """How many examples the validation split has, and the target of its first batch, where it has one."""

    examples: int = 0
    target: Any = None


def _counted(bench: Bench) -> _Counted:
    counted = _Counted()

    def see(_: Split, __: str | None, batch: Any) -> None:
        if not counted.examples:
            counted.target = target_of(batch, bench.task)
        counted.examples += size(batch)

    bench.say("count validation")
    bench.read(Split.VALIDATION, see=see)
    return counted


def _candidate(contender: Contender, scores: Mapping[str, Score], learned: Learned) -> Candidate:
    notes = [learned.left_out[contender.name]] if contender.name in learned.left_out else contender.notes
    return Candidate(contender.name, scores, contender.parameters, "; ".join(notes))


def _outcome(
    bench: Bench,
    learned: Learned,
    candidates: Sequence[Candidate],
    scores: Mapping[str, Mapping[str, Score]],
    hidden: WithoutInputs | None,
) -> Outcome:
    best, by, count = best_of(scores)
    top, undefined = of_best(best, scores)
    readings = [Reading("rows", learned.rows, "examples", "of the training split"), *undefined]
    if count or not learned.senseless:
        top[COUNT] = Score(float(count), direction="maximize", note="baselines that could be scored")
    else:
        readings.append(Reading(COUNT, None, note=f"{learned.senseless}; {_REMEDY}"))
    readings += readings_of(candidates)
    outcome = Outcome(
        scores=top,
        readings=tuple(readings),
        findings=uncomputed(scores),
        candidates=tuple(candidates),
        parameters={"best": best, "by": by},
        artifacts=table_of(candidates, bench),
        seconds=learned.seconds,
        summary=summary_of(best, by, candidates),
    )
    return outcome if hidden is None else _with(outcome, hidden)


_REMEDY = "declare Setup(task={'kind': ..., 'target': ...}), or compare with a check on a number of your own"


def _with(outcome: Outcome, hidden: WithoutInputs) -> Outcome:
    """With what was found of the setup's own model."""
    return replace(
        outcome,
        scores={**outcome.scores, **hidden.gains},
        readings=(*outcome.readings, hidden.reading),
        findings=(*outcome.findings, *hidden.findings),
        seconds={**outcome.seconds, **hidden.seconds},
    )


def _require_count(name: str, value: Any, step: str, *, optional: bool = False) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ProjectError(f"{name}={value!r} of step {step!r} must be a whole number of at least 1")


def _check_baselines(makes: Sequence[Any], step: str) -> None:
    names = {DUMMY, LINEAR, BOOSTING, HUMAN}
    for make in makes:
        if not isinstance(make, type) and (not callable(make) or hasattr(make, "baseline_train")):
            raise ProjectError(
                f"baselines of step {step!r} has {make!r}, an instance or nothing that can be called; "
                "give a subclass of ArtModule, or a function that returns a fresh one"
            )
        missing = lacking(make) if isinstance(make, type) else []
        if missing:
            raise ProjectError(
                f"baselines of step {step!r} has the class {_name(make)}, which has no {' and no '.join(missing)}; subclass "
                "ArtModule and write baseline_train and predict, or give what learns nothing as "
                f"predictions={{{_name(make)!r}: function of a batch}}"
            )
        if _name(make) in names:
            raise ProjectError(
                f"two baselines of step {step!r} are called {_name(make)!r}; names must differ, so rename the class or function"
            )
        names.add(_name(make))


def _name(make: Any) -> str:
    return getattr(make, "__name__", None) or type(make).__name__
