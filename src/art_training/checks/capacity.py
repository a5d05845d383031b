"""Whether a larger model fits its training data at least as well as a smaller one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.reference import MetricLike, address, reference
from art_training.checks.values import not_negative, number, settle, with_interval
from art_training.records import Candidate, Interval, Outcome, Score

PARAMETERS = "parameters"
START = "loss at start"


@dataclass(frozen=True)
class CapacityHelps(Check):
    """The loss on the training split does not rise as capacity grows, beyond what chance and rounding explain.

    A larger model can be whatever a smaller one is, so that a higher training loss means that it is not trained well: its
    learning rate, initialisation or number of epochs do not suit its size. A rise counts if the intervals of the two
    losses do not overlap, and if it is more than a share of what an untrained model loses.

    Attributes:
        metric: the loss.
        tolerance: the largest rise that passes, as a share of the loss of the smallest model before training.
    """

    metric: MetricLike = "train/loss"
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        settle(self, metric=reference(self.metric), tolerance=not_negative("tolerance", self.tolerance))

    @property
    def title(self) -> str:
        """In words."""
        return f"{self.metric} does not rise with capacity"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare each candidate with every smaller one."""
        where = str(address(self.metric))
        sized = [one for one in evidence.outcome.candidates if PARAMETERS in one.parameters and where in one.scores]
        if len(sized) < 2:
            return not_judged(
                f"this outcome has {len(sized)} candidates with a size and with {where}, and two are needed; "
                "add Overfit(capacity=[{...}, {...}])"
            )
        sized.sort(key=_size)
        numbers = {f"{one.name} {where}": one.scores[where].value for one in sized}
        course = ", ".join(f"{one.name} {with_interval(one.scores[where])}" for one in sized)
        bad = next((one for one in sized if not math.isfinite(one.scores[where].value)), None)
        if bad is not None:
            return failed(f"{where} of {bad.name} is not a finite number: {course}", **numbers)
        allowed = self._allowed(sized)
        worst = max(
            ((_rise(a.scores[where], b.scores[where]), a, b) for at, a in enumerate(sized) for b in sized[at + 1 :]),
            key=lambda one: one[0],
        )
        rise, smaller, larger = worst
        if rise <= allowed:
            return passed(f"{where} does not rise with capacity: {course}", **numbers)
        return failed(
            f"{where} rises from {with_interval(smaller.scores[where])} with {smaller.name} "
            f"({_size(smaller):,} parameters) to {with_interval(larger.scores[where])} with {larger.name} "
            f"({_size(larger):,}), more than {number(allowed)}; try a smaller learning rate or more epochs for the larger",
            **numbers,
        )

    def _allowed(self, sized: Sequence[Candidate]) -> float:
        start = sized[0].parameters.get(START)
        if not isinstance(start, int | float) or not math.isfinite(start):
            return 0.0
        return self.tolerance * abs(start)


def _size(candidate: Candidate) -> int:
    return int(candidate.parameters[PARAMETERS])


def _rise(smaller: Score, larger: Score) -> float:
    """By how much the larger model's loss is above the smaller's; nothing where their intervals overlap."""
    a, b = smaller.interval, larger.interval
    if a is not None and b is not None and b.low <= a.high:
        return 0.0
    return larger.value - smaller.value


def _sweep(*losses: float, width: float = 0.01) -> Evidence:
    candidates = tuple(
        Candidate(
            f"width={size}",
            {"train/loss": Score(loss, Interval(loss - width, loss + width))},
            {PARAMETERS: 10 * size, START: 2.3},
        )
        for size, loss in zip((16, 64, 256), losses, strict=False)
    )
    return Evidence("Overfit", Outcome(candidates=candidates))


CapacityHelps.PASSES = (
    (CapacityHelps(), _sweep(0.5, 0.2, 0.1)),
    (CapacityHelps(), _sweep(0.5, 0.505)),
    (CapacityHelps(), _sweep(0.001, 0.002, 0.003, width=1e-5)),
    (CapacityHelps(tolerance=0.2), _sweep(0.5, 0.9)),
)
CapacityHelps.FAILS = (
    (CapacityHelps(), _sweep(0.5, 0.2, 0.3)),
    (CapacityHelps(), _sweep(0.5, 0.515, 0.53)),
    (CapacityHelps(), _sweep(0.5, math.nan)),
    (CapacityHelps(tolerance=0), _sweep(0.001, 0.002, width=1e-5)),
)
CapacityHelps.NOT_JUDGED = ((CapacityHelps(), _sweep(0.5)), (CapacityHelps(), Evidence("Overfit", Outcome())))
