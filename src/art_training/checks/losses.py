"""Whether a loss is what theory says, and whether training brings it down."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.reference import MetricLike, address, reference
from art_training.checks.values import finite, not_negative, number, numbers_of, settle, with_interval
from art_training.errors import CheckError, UnknownMetric
from art_training.records import Curve, Metric, Outcome, Reading, Score

EXPECTED = "expected_loss"
REMEDY = "remedy"  # the reading in which a step says what to do if its loss is judged too high
CHANCE = "chance"  # the reading in which it says how much of its loss is due to how fresh outputs happen to lie
RESPONSE = "response"  # the reading in which it says by how many times more it is off than the loss that it is made of
PRETRAINED = "pretrained"  # the reading in which it says that weights are not fresh, and where they come from
_MEASURED = "train/loss"  # what a step's reading of chance is about


@dataclass(frozen=True)
class LossIsTheoretical(Check):
    """An untrained model's loss is what the loss function and the label prior make one expect.

    The expected value is the outcome's score `expected_loss`, which the step CheckLossOnInit writes where it can be
    derived (log C for cross-entropy over C balanced classes, the targets' variance for a squared error, ...). A part
    of the training loss that the step's reading `chance` tells is left out of account. Where its reading `pretrained`
    says that the weights are not fresh, the expected loss is an upper bound. Of a loss that the step makes of another one,
    as a focal loss of cross-entropy, the tolerance is that of the other one.

    Attributes:
        tolerance: the largest distance that passes, as a share of the expected loss.
        metric: the measured loss.
    """

    tolerance: float = 0.2
    metric: MetricLike = "train/loss"

    def __post_init__(self) -> None:
        settle(self, tolerance=not_negative("tolerance", self.tolerance), metric=reference(self.metric))

    @property
    def title(self) -> str:
        """The loss, and how near to the expected one."""
        return f"{self.metric} = {EXPECTED} ± {self.tolerance:.0%}"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare with the expected loss, where one could be derived."""
        expected = evidence.outcome.scores.get(EXPECTED)
        if expected is None or not math.isfinite(expected.value):
            return not_judged(_why_unknown(evidence.outcome, expected))
        measured = evidence.score(address(self.metric))
        numbers = {**numbers_of(measured), "expected": expected.value}
        pretrained = evidence.outcome.reading(PRETRAINED) is not None
        most = "at most " if pretrained else ""
        said = f"{self.metric} is {with_interval(measured)} where {most}{number(expected.value)} is expected"
        if not math.isfinite(measured.value):
            return failed(f"{said}, which is not a finite number", **numbers)
        raw, chance = measured.value - expected.value, self._chance(evidence.outcome)
        off, tolerance = raw - chance, self.tolerance * self._response(evidence.outcome)
        if _passes(off, expected.value, tolerance, pretrained) != _passes(raw, expected.value, tolerance, pretrained):
            numbers["chance"] = chance
            more, how = ("more", "against") if chance > 0 else ("less", "along")
            said += (
                f"; it is {number(abs(chance))} {more} by chance, because fresh outputs happen to lie {how} the targets"
            )
        if _passes(off, expected.value, tolerance, pretrained):
            return passed(said, **numbers)
        apart = _apart(off, expected.value, tolerance)
        if tolerance != self.tolerance:
            apart += f" ({self.tolerance:.0%} of the loss that the step makes it of)"
        return failed(f"{said}: {apart}{_remedy(evidence.outcome, off)}", **numbers)

    def _chance(self, outcome: Outcome) -> float:
        reading = outcome.reading(CHANCE)
        return reading.value if reading is not None and str(self.metric) == _MEASURED else 0.0

    def _response(self, outcome: Outcome) -> float:
        reading = outcome.reading(RESPONSE)
        return max(1.0, reading.value) if reading is not None and str(self.metric) == _MEASURED else 1.0


def _passes(off: float, expected: float, tolerance: float, pretrained: bool) -> bool:
    allowed = tolerance * abs(expected) if expected else tolerance  # no share of zero is any
    return off <= allowed if pretrained else abs(off) <= allowed


def _apart(off: float, expected: float, tolerance: float) -> str:
    if expected:
        return f"{abs(off) / abs(expected):.0%} off, and at most {tolerance:.0%} is allowed"
    return f"{number(abs(off))} off, and at most {tolerance:.3g} is allowed"


def _remedy(outcome: Outcome, off: float) -> str:
    if off < 0:
        return (
            "; fresh weights cannot know this much: if they are pretrained, declare "
            "Setup(declarations={'pretrained': '...'}), else look at how the loss is computed"
        )
    remedy = outcome.reading(REMEDY)
    return f"; {remedy.value}" if remedy else ""


@dataclass(frozen=True)
class LossDecreases(Check):
    """A loss is smaller at the end of training than at its beginning.

    The beginning is the mean of the first part. Where the loss rose at once, so that the very first point, which is that of
    weights before any update, is below all others of the first part or below half its mean, the end must be below that point:
    a training that diverged within its first part does not become one that learns by coming down from there.

    Attributes:
        curve: the curve's name.
        factor: the mean of the last part must be below this share of the mean of the first part.
        part: how much of the curve the first and the last part are, each at least one point.
    """

    curve: str = "train/loss"
    factor: float = 0.9
    part: float = 0.1

    def __post_init__(self) -> None:
        if not isinstance(self.curve, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise CheckError(f"curve={self.curve!r} is not a name; give curve='train/loss'")
        settle(self, factor=finite("factor", self.factor), part=finite("part", self.part))
        if not 0 < self.factor <= 1:
            raise CheckError(f"factor={self.factor!r} is not in (0, 1]; 0.5 means that the loss must halve")
        if not 0 < self.part <= 0.5:
            raise CheckError(f"part={self.part!r} is not in (0, 0.5]; 0.1 compares the first and the last tenth")

    @property
    def title(self) -> str:
        """End and beginning."""
        return f"{self.curve} ends below {number(self.factor)} of its beginning"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare the two means."""
        curve = evidence.outcome.curves.get(self.curve)
        if curve is None:
            known = ", ".join(evidence.outcome.curves) or "none"
            raise UnknownMetric(f"no curve {self.curve!r} in this outcome; it has: {known}")
        if len(curve.values) < 2:
            return not_judged(f"{self.curve} has {len(curve.values)} point(s); two or more are needed")
        points = max(1, int(len(curve.values) * self.part))
        first, last = sum(curve.values[:points]) / points, sum(curve.values[-points:]) / points
        said = f"{self.curve} went from {number(first)} to {number(last, apart_from=first)}"
        numbers = {"first": first, "last": last, "points": points}
        if not (math.isfinite(first) and math.isfinite(last)):
            return failed(f"{said}, which is not finite", **numbers)
        # For a loss that may be negative: the same share of its size, downwards.
        limit = first - (1 - self.factor) * abs(first)
        start = curve.values[0]
        if _rose(curve.values[:points], first) and last >= start:
            said = f"{said}, and it was {number(start, apart_from=last)} before any update"
            return failed(f"{said}: training made it worse", start=start, **numbers)
        if last < limit:
            return passed(said, **numbers)
        return failed(f"{said}, not below {number(limit, apart_from=last)}", **numbers)


def _rose(values: Sequence[float], mean: float) -> bool:
    """Whether a loss rose at once."""
    start, *others = values
    return bool(others) and (start < min(others) or start < mean - abs(mean) / 2)


def _why_unknown(outcome: Outcome, expected: Score | None) -> str:
    reading = outcome.reading(EXPECTED)
    notes = [expected.note if expected else "", reading.note if reading else ""]
    return next(
        (f"the expected loss is not known: {note}" for note in notes if note),
        f"this outcome has no score {EXPECTED!r}; only a CheckLossOnInit step derives one",
    )


def _at_start(loss: float, expected: float = math.log(10), **readings: Any) -> Evidence:
    return Evidence(
        "CheckLossOnInit",
        Outcome(
            scores={"train/loss": Score(loss), EXPECTED: Score(expected)},
            readings=tuple(Reading(name, value) for name, value in readings.items()),
        ),
    )


def _training(values: Sequence[float]) -> Evidence:
    curve = Curve(steps=tuple(range(len(values))), values=tuple(values))
    return Evidence("Overfit", Outcome(curves={"train/loss": curve}))


LossIsTheoretical.PASSES = (
    (LossIsTheoretical(), _at_start(2.31)),
    (LossIsTheoretical(metric=Metric.parse("train/loss")), _at_start(2.75)),
    (LossIsTheoretical(tolerance=0.1), _at_start(0.05, expected=0.0)),
    (LossIsTheoretical(tolerance=2.0), _at_start(3.4, expected=1.0, chance=1.2)),
    (LossIsTheoretical(), _at_start(0.4, pretrained="another task")),
)
LossIsTheoretical.FAILS = (
    (LossIsTheoretical(), _at_start(4.6)),
    (LossIsTheoretical(), _at_start(math.nan)),
    (LossIsTheoretical(tolerance=0.1), _at_start(1.0, expected=0.0)),
    (LossIsTheoretical(), _at_start(0.4)),
    (LossIsTheoretical(tolerance=2.0), _at_start(2.9, expected=1.0, chance=-0.5)),
    (LossIsTheoretical(), _at_start(3.4, pretrained="another task")),
)
LossIsTheoretical.NOT_JUDGED = (
    (
        LossIsTheoretical(),
        Evidence(
            "CheckLossOnInit",
            Outcome(scores={"train/loss": Score(1.0)}, readings=(Reading(EXPECTED, None, note="the loss is unknown"),)),
        ),
    ),
    (LossIsTheoretical(), Evidence("Overfit", Outcome(scores={"train/loss": Score(1.0)}))),
)
LossDecreases.PASSES = (
    (LossDecreases(), _training([2.3, 1.0])),
    (LossDecreases(factor=0.5), _training([-1.0, -1.6])),
    (LossDecreases(), _training([2.0] * 10 + [math.nan] + [1.0] * 10)),
    (LossDecreases(), _training([1.9, *[2.0] * 9, *[1.0] * 90])),
)
LossDecreases.FAILS = (
    (LossDecreases(), _training([2.3, 2.29])),
    (LossDecreases(factor=0.5), _training([-1.0, -1.4])),
    (LossDecreases(), _training([2.3, math.nan])),
    (LossDecreases(), _training([0.7, *[1.2e18] * 9, *[4.1e17] * 90])),
    (LossDecreases(), _training([0.7, 0.6, *[1.2e18] * 8, *[4.1e17] * 90])),
    (LossDecreases(part=0.5), _training([2.0, 1.0, math.inf, -math.inf])),
)
LossDecreases.NOT_JUDGED = ((LossDecreases(), _training([2.3])), (LossDecreases(), _training([])))
