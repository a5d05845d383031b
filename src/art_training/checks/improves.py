"""Whether a step that compares ways to train found one that is better than what it began with."""

import math
from dataclasses import dataclass
from typing import ClassVar

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.values import not_negative, number, settle, with_interval
from art_training.records import Interval, Outcome, Reading, Score

GAIN = "gain"
ADJUSTED = "p_adjusted"


@dataclass(frozen=True)
class Improves(Check):
    """What the step found is better than what it was given, by more than a margin and beyond doubt.

    It is asked of steps that leave a score `gain`, such as Regularize and Tune: the difference on the same examples and
    seeds, turned so that positive is better. Its whole interval must lie above the margin, and where several candidates
    were compared, its p-value must be below the level after it was adjusted for their number.

    A step may rightly find that nothing is better; so this is no default check.

    Attributes:
        margin: how much better it must be, in units of what was compared.
        level: below which the adjusted p-value must be.
        than: what the step compared with, for the title.
    """

    margin: float = 0.0
    level: float = 0.05
    than: str = "before"

    asks: ClassVar[tuple[str, ...]] = (GAIN,)

    def __post_init__(self) -> None:
        settle(self, margin=not_negative("margin", self.margin), level=not_negative("level", self.level))

    @property
    def title(self) -> str:
        """In words."""
        return f"better than {self.than}{f' by more than {number(self.margin)}' if self.margin else ''}, beyond doubt"

    def judge(self, evidence: Evidence) -> Answer:
        """Look at the gain, its interval and its adjusted p-value."""
        gain = evidence.outcome.scores.get(GAIN)
        if gain is None:
            return not_judged(f"step {evidence.step} has no gain to judge; it compared nothing with what it was given")
        adjusted = evidence.outcome.reading(ADJUSTED)
        p = adjusted.value if adjusted is not None else None
        numbers = {GAIN: gain.value, "margin": self.margin, ADJUSTED: p}
        told = f"the gain is {with_interval(gain, apart_from=self.margin)}"
        if not gain.value > self.margin:
            return failed(f"{told}, not above {number(self.margin)}", **numbers)
        if gain.interval is None:
            return not_judged(
                f"{told}, and how sure that is cannot be said: {gain.note or 'it has no interval'}", **numbers
            )
        if not gain.interval.low > self.margin:
            return failed(f"{told}, which does not exclude {number(self.margin)}", **numbers)
        if p is not None and not p < self.level:
            why = f"with the other candidates taken into account p is {number(p)}, not below {number(self.level)}"
            return failed(f"{told}, but {why}", **numbers)
        return passed(f"{told}, above {number(self.margin)}", **numbers)


def _gain(value: float, low: float | None = None, high: float = 1.0, p: float | None = None) -> Evidence:
    interval = None if low is None else Interval(low, high)
    readings = () if p is None else (Reading(ADJUSTED, p),)
    return Evidence("Regularize", Outcome(scores={GAIN: Score(value, interval)}, readings=readings))


Improves.PASSES = (
    (Improves(), _gain(0.1, 0.02, 0.18, 0.03)),
    (Improves(), _gain(0.1, 0.02)),
    (Improves(margin=0.01), _gain(0.1, 0.02, 0.18, 0.03)),
)
Improves.FAILS = (
    (Improves(), _gain(-0.1, -0.2, -0.01, 0.03)),
    (Improves(), _gain(0.1, -0.02, 0.22, 0.1)),
    (Improves(), _gain(0.1, 0.02, 0.18, 0.08)),
    (Improves(margin=0.05), _gain(0.1, 0.02, 0.18, 0.03)),
    (Improves(), _gain(math.nan, 0.1)),
)
Improves.NOT_JUDGED = ((Improves(), Evidence("Overfit", Outcome())), (Improves(), _gain(0.1)))
