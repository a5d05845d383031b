"""FinalTest: what the model that a project has come to does on examples that nothing was learned from or chosen by."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from art_training.checks import Check
from art_training.checks.against import BASELINE, GAIN
from art_training.checks.baseline import BASELINES
from art_training.checks.bounds import Below
from art_training.checks.finite import NoNaN
from art_training.checks.values import number, with_interval
from art_training.errors import ProjectError, SetupError
from art_training.records import Artifact, Finding, Metric, Outcome, Promise, Reading, Score, Severity, Split
from art_training.records.counted import counted
from art_training.records.use import TESTED_MODEL, TESTED_ROWS
from art_training.setup.task import Task
from art_training.steps.bench import Bench, Earlier
from art_training.steps.delivering import scoring
from art_training.steps.delivering.delivery import delivered
from art_training.steps.final.baseline import beside_baseline
from art_training.steps.final.losses import spread
from art_training.steps.final.parts import (
    GAP,
    PRECISION,
    RECALL,
    as_scores,
    class_scores,
    gaps,
    slice_scores,
    write_table,
)
from art_training.steps.final.rows import TestRows
from art_training.steps.final.uses import MODELS, USES, uses_of
from art_training.steps.prospect import Prospect
from art_training.steps.step import Step
from art_training.steps.weights import LAST

# The best of so many equally good ones looks a standard error too good, half of what its interval allows for.
_MOST_MODELS = 4

_UNSCORED = "no earlier step scored weights on validation"
_REMEDY = "judge the final model on new test examples: other rows are counted anew"


@dataclass(frozen=True)
class FinalTest(Step):
    """Score the model that the project has come to on the test split. The one step that may.

    Judged is what the last earlier step delivers that scored weights on validation, on the setup that these belong to: one
    training, or as Squeeze may choose several that are averaged, with their weights and the temperature. Members predict one
    after the other, so that one of them is in memory at a time. The loss of an average, or at a temperature, is the task's
    loss of the predictions alone. Where a later step chose another configuration and left no weights of it, as a search may,
    this step trains that configuration anew and judges the outcome. When the model becomes another, the test is stale.

    Besides the scores on the whole split, on validation too, there are: recall and precision of each class or label
    (`test/class_recall.3`), the scores of each slice (`test:dark/accuracy`), and how much worse each score is than on
    validation (`test/validation_gap.accuracy`), all with intervals.

    Behind an EvaluateBaseline, its best baseline learns anew from the training split and is scored on the same test
    examples: `test/baseline.accuracy`, and `test/baseline_gain.accuracy`, how much better the model is, paired example by
    example. Which baseline it is was chosen on validation and nothing is chosen by what it reaches here, so the count of
    uses stays what it is. A baseline that is a file of predictions for validation cannot be asked; the next best is.

    Other steps name the examples that their model does worst on. This one does not: such a list is the most useful thing
    for whoever wants the next model to do better on these very rows, by mending labels, adding data that looks like them,
    or looking longer. A split that was mended by is one that was chosen by, and no count of uses would show it. How the
    losses are spread and how many examples are surely wrong say as much about the model and nothing about a row. What is
    to be found in data is found on training and validation.

    Each run that leaves a score on the same test rows is a use, whatever step it was of: `test_uses` counts them, this one
    included and those whose run was removed, and `tested_models` how many different models were scored; runs that are
    recalled are none. From the second model on a finding says how much too good the best of them may look: the expected
    maximum of so many normal numbers, times the standard error. By default there may be three. The best of four equally good models is expected to look a
    standard error too good, half of what a 95 % interval allows for on one side; its interval then means little.

    Attributes:
        of: name of the earlier step whose model is judged; empty: the last one that left any.
        retrain: train the setup that the earlier steps hand on, on the whole and with augmentation, and judge that.
        slices: by name, functions of a batch as it would enter the model that tell with one truth value an example which
            of its examples belong to the slice.
    """

    of: str = ""
    retrain: bool = False
    slices: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict[str, Callable[[Any], Any]])

    purpose: ClassVar[str] = "How good is the delivered model on examples that no decision has seen?"
    version: ClassVar[int] = 2
    may_test: ClassVar[bool] = True
    needs_splits: ClassVar[frozenset[Split]] = frozenset({Split.TEST})
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.VALIDATION, Split.TEST})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "slices", dict(self.slices))
        if self.of and self.retrain:
            raise ProjectError(
                f"of={self.of!r} of step {self.name!r} names weights that there are, and retrain=True makes new ones; give one"
            )
        for name, choose in self.slices.items():
            if not name or set(name) & {"/", ":"}:
                raise ProjectError(f"the slice {name!r} of step {self.name!r} needs a name without '/' and ':'")
            if not callable(choose):
                raise ProjectError(
                    f"the slice {name!r} of step {self.name!r} is {choose!r}; give a function of a batch that returns one "
                    "truth value an example"
                )

    def consumes(self, kinds: Mapping[str, str]) -> Collection[str]:
        return [name for name, kind in kinds.items() if kind == BASELINES]

    def continues(self, earlier: Sequence[Earlier]) -> str:
        if self.retrain:
            return ""
        if self.of:
            return next((one.name for one in earlier if one.name == self.of), "")
        for one in reversed(earlier):
            if _is_model(one.outcome):
                return one.name
            if one.chose:  # what it chose was handed on, and nobody trained it to the end
                return ""
        return ""

    def foresee(self, prospect: Prospect) -> None:
        earlier = prospect.before.earlier
        if self.of:
            prospect.before.weights_of(self.of, f"of={self.of!r} of step {self.name!r}")
        elif not self.retrain and not any(_may_be_model(one) for one in earlier.values()):
            left = [name for name, one in earlier.items() if one.weights]
            raise SetupError(_nothing(self.name, _UNSCORED, left))

    def run(self, bench: Bench) -> Outcome:
        _require_test(bench, self.name)
        rows = TestRows(bench.task, self.slices)
        bench.say("read the splits")
        bench.read(*bench.splits, see=rows.see, plain=True)
        rows.require_own()
        masks = rows.masks()
        model = self._model(bench)
        splits = [split for split in (Split.VALIDATION, Split.TEST) if split in bench.splits]
        scored = scoring.score(bench, model.asked, *splits)
        examples = scored.passes[Split.TEST]
        if masks and examples.count != rows.examples:
            raise SetupError(
                f"{rows.examples} test examples were read and {examples.count} passed through the model, so that slices "
                "cannot be told; let the test loader give the same examples each time"
            )
        classes = class_scores(examples, bench.task)
        uses = uses_of(bench, model.digest, rows.digest)
        main = _main(scored.scores)
        beside = beside_baseline(bench, examples, main)
        scores = {
            **dict(sorted(scored.scores.items(), key=lambda item: Metric.parse(item[0]).split is not Split.TEST)),
            **beside.scores,
            **uses.scores(),
            **gaps(scored.scores),
            **slice_scores(examples, masks, bench.metrics, bench.task, seed=bench.seed),
            **as_scores(classes),
        }
        artifacts = list(model.left)
        if classes:
            table = write_table(classes, bench.folder / "classes.csv")
            artifacts.append(bench.keep(table, name=table.name, kind="table", note="the worst recognised class first"))
        shared = rows.shared()
        findings = [*model.findings, *scored.findings, *shared, *_worse(scores), *beside.findings]
        findings += uses.findings(scored.scores.get(main), main)
        absent = [one.label for one in classes if not one.support]
        readings = [
            Reading("judged", model.said),
            Reading("test examples", rows.examples, "examples"),
            *beside.readings,
            *([Reading("classes without a test example", absent)] if absent else []),
            *([Reading(f"remedy for {MODELS}", _REMEDY)] if uses.models >= _MOST_MODELS else []),
            *(Reading(f"slice {name}", int(mask.sum()), "examples") for name, mask in masks.items()),
            *spread(examples, bench.task),
        ]
        return Outcome(
            scores=scores,
            readings=tuple(readings),
            findings=tuple(findings),
            parameters={**model.parameters, TESTED_MODEL: model.digest, TESTED_ROWS: rows.digest},
            artifacts=tuple(artifacts),
            seconds={**model.seconds, "evaluate": scored.seconds},
            summary=_summary(
                scored.scores.get(main), main, "; ".join([model.said, uses.said, *(one.message for one in shared)])
            ),
            stopped=model.stopped,
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (NoNaN(), Below(MODELS, _MOST_MODELS))

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss", BASELINE, GAIN, USES, MODELS, GAP, RECALL, PRECISION)

    def candidate_names(self) -> Sequence[str]:
        return ()

    def _model(self, bench: Bench) -> "_Model":
        """The model to judge: what an earlier step delivers, or a new one.

        Raises:
            SetupError: there is none.
        """
        name = self.continues(bench.earlier)
        if name:
            delivery = delivered(bench.outcomes[name])
            if delivery is None:
                raise SetupError(_nothing(self.name, f"{name} left no weights", _left(bench)))
            asked = scoring.fetched(bench, name, delivery, self.resolve)
            left = (
                f"the weights that {name} left ({asked.said})" if asked.alone else f"what {name} delivers: {asked.said}"
            )
            return _Model(asked, scoring.digest(bench, asked), left)
        chosen = next((one.name for one in reversed(bench.earlier) if one.chose), "")
        if self.of or not (self.retrain or chosen):
            why = f"step {self.of!r} has no outcome yet" if self.of else _UNSCORED
            raise SetupError(_nothing(self.name, why, _left(bench)))
        return self._trained(bench, chosen)

    def _trained(self, bench: Bench, chosen: str) -> "_Model":
        result = bench.fit()
        if result.last is None:
            raise SetupError(f"the training of step {self.name!r} left no weights to judge: {result.message}")
        artifact = bench.keep(result.last, name=LAST, kind="checkpoint", note="weights at the end")
        of = f"the configuration that {chosen} chose" if chosen else "the project's setup"
        asked = scoring.Model((scoring.Part(LAST, bench.setup, result.last),))
        return _Model(
            asked,
            scoring.digest(bench, asked),
            f"{of}, trained for {counted(result.epochs, 'epoch')}",
            left=(artifact,),
            parameters=result.parameters,
            findings=result.findings,
            seconds={"fit": result.seconds},
            stopped=result.stopped,
        )


class _Model(NamedTuple):
    """What is judged: itself, what tells it from others, what it is in words, and what its training left."""

    asked: scoring.Model
    digest: str
    said: str
    left: tuple[Artifact, ...] = ()
    parameters: Mapping[str, Any] = {}
    findings: tuple[Finding, ...] = ()
    seconds: Mapping[str, float] = {}
    stopped: str = ""


def _is_model(outcome: Outcome) -> bool:
    """Whether a step left weights that were meant to do well on new examples: it scored them on validation."""
    validated = any(name.startswith(f"{Split.VALIDATION}/") for name in outcome.scores)
    return validated and delivered(outcome) is not None


def _require_test(bench: Bench, step: str) -> None:
    if Split.TEST not in bench.splits:
        raise SetupError(
            f"{step} needs a test split, and the data has: {', '.join(bench.splits)}; give the datamodule a "
            "test_dataloader, or art.data(test=...), with examples that no other step learns from or chooses by"
        )


def _may_be_model(promise: Promise) -> bool:
    """The same of a step that has not run, as far as it is known."""
    return promise.weights is not False and (promise.splits is None or Split.VALIDATION in promise.splits)


def _left(bench: Bench) -> list[str]:
    return [one.name for one in bench.earlier if delivered(one.outcome)]


def _nothing(step: str, why: str, left: Sequence[str]) -> str:
    name = f"{step}(of={left[-1]!r}) takes weights of one that did, " if left else ""
    return f"{step} has no weights to judge: {why}; {name}FinalTest(retrain=True) trains the setup first"


def _main(scores: Mapping[str, Score]) -> str:
    """The score that is told first: that of the first metric, else the loss."""
    own = [name for name in scores if name.startswith(f"{Split.TEST}/")]
    return next((name for name in own if name != "test/loss"), own[0] if own else "")


def _worse(scores: Mapping[str, Score]) -> list[Finding]:
    worse = {
        name: score
        for name, score in scores.items()
        if Metric.parse(name).name.startswith(f"{GAP}.") and score.interval is not None and score.interval.low > 0
    }
    if not worse:
        return []
    told = [f"{name.partition('.')[2]} by {with_interval(score)}" for name, score in worse.items()]
    return [
        Finding(
            code="ART803",
            category="evaluation",
            severity=Severity.WARNING,
            message=f"on test the model is worse than on validation: {', '.join(told)}",
            evidence={name: score.value for name, score in worse.items()},
            remedy="look whether both splits are drawn alike (ExploreData), and how often was chosen by validation",
        )
    ]


def _summary(score: Score | None, name: str, said: str) -> str:
    if score is None:
        return said
    rows = f" on {counted(number(score.rows), 'example')}" if score.rows is not None else ""
    return f"{name} {with_interval(score)}{rows}; judged {said}"
