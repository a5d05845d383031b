"""The one score of a step that says what it reached, beside the best baseline."""

from dataclasses import dataclass
from typing import Literal

from art_training.checks.against import BASELINE
from art_training.records import Direction, Split
from art_training.records.metric import address_of
from art_training.views.rows import ScoreRow
from art_training.views.status import StepStatus

_TEST = "FinalTest"  # the kind of step that scores on the test split
# Kinds of steps whose scores are not meant to be good: they try, count or compare.
_UNTRAINED = frozenset({"ExploreData", "Diagnose", "EvaluateBaseline", "CheckLossOnInit", "OverfitOneBatch"})
_LOSS = "loss"
_Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Deciding:
    """A score that decides.

    Attributes:
        metric: its address.
        value: the number.
        low: lower bound of its interval, if it has one.
        high: upper bound.
        direction: which way is better, if known.
        baseline: the best baseline's number on the same split, if there is one.
        baseline_name: its name.
        difference: the value minus the baseline's.
        compared: whether the difference is in the good direction, in the bad one, or nil; empty where nobody can say.
        apart: whether the two intervals do not overlap, so that the difference is hardly chance; None where one is missing.
    """

    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    direction: Direction | None = None
    baseline: float | None = None
    baseline_name: str = ""
    difference: float | None = None
    compared: Literal["better", "worse", "equal", ""] = ""
    apart: bool | None = None

    @classmethod
    def of(cls, step: StepStatus) -> "Deciding | None":
        """The deciding score of a step; None where it has none, or waits for another one.

        What a check asks of it beside a baseline, else of a final test a score of the test split, else of validation, else of
        training; a metric before the loss.
        """
        if step.waits_for or step.kind in _UNTRAINED:
            return None
        found = _asked(step) or _by_split(step)
        return None if found is None else _beside(step, found)


def _asked(step: StepStatus) -> ScoreRow | None:
    titles = [check.check for check in step.checks]
    compared = [score for score in step.scores if score.baseline is not None]
    return next((score for title in titles for score in compared if title.startswith(f"{score.metric} beats ")), None)


def _by_split(step: StepStatus) -> ScoreRow | None:
    for split in (Split.TEST,) if step.kind == _TEST else (Split.VALIDATION, Split.TRAIN):
        whole = [(name, score) for score in step.scores if (name := _whole(score.metric, split))]
        if whole:  # a stable sort: the loss gives way to any metric, and of these the first that was declared counts
            return min(whole, key=lambda one: one[0] == _LOSS)[1]
    return None


def _whole(metric: str, split: Split) -> str:
    """The name of a score of a whole split; empty for one of another split, and of a class or a part of it."""
    address = address_of(metric)
    return address.name if address and address.split is split and "." not in address.name else ""


def _beside(step: StepStatus, score: ScoreRow) -> Deciding:
    theirs, name, between = score.baseline, score.baseline_name, (score.baseline_low, score.baseline_high)
    if theirs is None:
        theirs, name, between = _on_test(step, score.metric)
    difference = None if theirs is None else score.value - theirs
    return Deciding(
        metric=score.metric,
        value=score.value,
        low=score.low,
        high=score.high,
        direction=score.direction,
        baseline=theirs,
        baseline_name=name,
        difference=difference,
        apart=_apart((score.low, score.high), between),
        compared=_compared(difference, score.direction),
    )


def _on_test(step: StepStatus, metric: str) -> tuple[float | None, str, _Bounds]:
    """What the best baseline reached on the test split, which a final test scores itself."""
    place, _, name = metric.rpartition("/")
    found = next((one for one in step.scores if one.metric == f"{place}/{BASELINE}.{name}"), None)
    if found is None:
        return None, "", (None, None)
    return found.value, found.source.removeprefix(f"{BASELINE} "), (found.low, found.high)


def _apart(own: _Bounds, theirs: _Bounds) -> bool | None:
    low, high = own
    lowest, highest = theirs
    if low is None or high is None or lowest is None or highest is None:
        return None
    return high < lowest or highest < low


def _compared(difference: float | None, way: Direction | None) -> Literal["better", "worse", "equal", ""]:
    if difference is None or way is None or difference != difference:  # noqa: PLR0124  NaN is not equal to itself.
        return ""
    if difference == 0:
        return "equal"
    return "better" if (difference > 0) == (way == "maximize") else "worse"
