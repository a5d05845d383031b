"""Whether a model is surely worse than the best baseline on the same test examples."""

import math
from dataclasses import dataclass

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.values import number, with_interval
from art_training.errors import CheckError
from art_training.records import Foresight, Interval, Metric, Outcome, Reading, Score, Split
from art_training.setup.scores.metrics import comparable

AGAINST = "compared with"
BASELINE = "baseline"
GAIN = "baseline_gain"
_EVALUATES = "EvaluateBaseline"
_TESTS = "FinalTest"


@dataclass(frozen=True)
class KeepsUpWithBaseline(Check):
    """On the test examples the model is not worse than the best baseline, beyond doubt.

    It is asked of `FinalTest` behind an EvaluateBaseline, which leaves the paired difference `test/baseline_gain.accuracy`
    and so for each metric and the loss. It fails where the whole interval lies below zero. A difference that may be chance
    passes, and the sentence says so: whoever goes on until it is above zero has chosen by the test split. That the model is
    better is asked on validation: `BeatsBaseline`.

    Attributes:
        metric: by which score, e.g. `accuracy`, or `loss`.
    """

    metric: str

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric or "/" in self.metric:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise CheckError(
                f"metric={self.metric!r} of KeepsUpWithBaseline is no metric's name; give one without its split, such as 'accuracy'"
            )

    @property
    def title(self) -> str:
        """In words."""
        return f"test/{self.metric} not worse than the best baseline's, beyond doubt"

    @property
    def asks(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]  depends on the metric
        """The score, and what it is judged by, which a final test alone leaves."""
        return (self.metric, GAIN)

    def foresee(self, before: Foresight) -> None:
        """Refuse to be asked where no earlier step evaluates a baseline."""
        if not any(one.kind == _EVALUATES for one in before.earlier.values()):
            raise CheckError(
                f"the check `{self.title}` of step {before.step!r} has no baseline before it; add the step {_EVALUATES}() "
                f"before {before.step}"
            )

    def judge(self, evidence: Evidence) -> Answer:
        """Look at the paired difference and its interval."""
        where = _at(f"{GAIN}.{self.metric}")
        gain = evidence.outcome.scores.get(where)
        if gain is None:
            reading = evidence.outcome.reading(where) or evidence.outcome.reading(AGAINST)
            why = reading.note if reading is not None and reading.value is None else ""
            return not_judged(
                f"{where} is not known: {why}"
                if why
                else f"step {evidence.step} left no {where}; it is asked of {_TESTS} with {_EVALUATES} before it, by one of "
                "the project's metrics or the loss"
            )
        theirs = evidence.outcome.scores.get(_at(f"{BASELINE}.{self.metric}"))
        mine = comparable(evidence.outcome.scores).get(_at(self.metric))
        numbers = {"gain": gain.value, "baseline": None if theirs is None else theirs.value}
        told = f"a gain of {with_interval(gain, apart_from=0.0)}"
        if mine is not None and theirs is not None:
            whose = f"{theirs.source or 'the best baseline'}'s {number(theirs.value, apart_from=mine.value)}"
            reached = number(mine.value, apart_from=theirs.value)
            told = f"{_at(self.metric)} is {reached} and {whose} on the same examples: {told}"
        if not math.isfinite(gain.value):
            return failed(f"{told}, which is not a finite number", **numbers)
        if gain.interval is None:
            if gain.value >= 0:
                return passed(told, **numbers)
            return not_judged(f"{told}, and how sure that is cannot be said", **numbers)
        if gain.interval.high < 0:
            return failed(f"{told}, surely worse", **numbers)
        return passed(f"{told}{'' if gain.interval.low > 0 else '; it may be chance'}", **numbers)


def _at(name: str) -> str:
    return str(Metric(name, Split.TEST))


def _gained(value: float, low: float | None = None, high: float = 1.0) -> Evidence:
    interval = None if low is None else Interval(low, high)
    scores = {
        "test/accuracy": Score(0.9 + value, direction="maximize"),
        f"test/{BASELINE}.accuracy": Score(0.9, direction="maximize", source="baseline linear"),
        f"test/{GAIN}.accuracy": Score(value, interval, direction="maximize"),
    }
    return Evidence(_TESTS, Outcome(scores=scores))


_UNKNOWN = Outcome(readings=(Reading(f"test/{GAIN}.accuracy", None, note="the targets are others"),))

KeepsUpWithBaseline.PASSES = (
    (KeepsUpWithBaseline("accuracy"), _gained(0.1, 0.02, 0.18)),
    (KeepsUpWithBaseline("accuracy"), _gained(-0.01, -0.03, 0.01)),
    (KeepsUpWithBaseline("accuracy"), _gained(0.0)),
)
KeepsUpWithBaseline.FAILS = (
    (KeepsUpWithBaseline("accuracy"), _gained(-0.1, -0.18, -0.02)),
    (KeepsUpWithBaseline("accuracy"), _gained(math.nan, -0.18, 0.02)),
)
KeepsUpWithBaseline.NOT_JUDGED = (
    (KeepsUpWithBaseline("accuracy"), Evidence(_TESTS, Outcome())),
    (KeepsUpWithBaseline("accuracy"), Evidence(_TESTS, _UNKNOWN)),
    (KeepsUpWithBaseline("accuracy"), _gained(-0.1)),
)
