"""One score against fixed numbers. A number that is not finite passes none of them."""

import math
from abc import abstractmethod
from dataclasses import dataclass

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.reference import MetricLike, address, reference
from art_training.checks.values import finite, not_negative, number, numbers_of, settle, with_interval
from art_training.errors import CheckError, UnknownMetric
from art_training.records import Outcome, Score


@dataclass(frozen=True)
class ScoreCheck(Check):
    """A question about one score.

    Attributes:
        metric: whose score: `"validation/accuracy"`, a `Metric`, or `(metric object, split)`.
    """

    metric: MetricLike

    def __post_init__(self) -> None:
        settle(self, metric=reference(self.metric))

    @property
    @abstractmethod
    def rule(self) -> str:
        """What is asked of the number, e.g. `< 0.9`."""

    @abstractmethod
    def holds(self, value: float) -> bool:
        """Whether a finite number is as asked."""

    @property
    def limit_near(self) -> float | None:
        """The number that a reason must tell the score from, where there is one."""
        return None

    def attainable(self, best: float, *, minimize: bool) -> bool:
        """Whether some number can be as asked, of a metric that has a best value.

        Args:
            best: the value that none is better than.
            minimize: whether the best is the smallest.
        """
        del best, minimize
        return True

    @property
    def title(self) -> str:
        """The metric and the rule."""
        return f"{self.metric} {self.rule}"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare the score; what is not finite fails."""
        where = address(self.metric)
        reading = evidence.outcome.reading(str(where))
        if str(where) not in evidence.outcome.scores and reading and reading.value is None:
            return not_judged(f"{where} is not known: {reading.note}")
        score = evidence.score(where)
        said = f"{self.metric} is {with_interval(score, apart_from=self.limit_near)}"
        if not math.isfinite(score.value):
            return failed(f"{said}, which is not a finite number", **numbers_of(score))
        if self.holds(score.value):
            return passed(f"{said}, {self.rule}", **numbers_of(score))
        remedy = evidence.outcome.reading(f"remedy for {where}")
        do = f"; {remedy.value}" if remedy else ""
        return failed(f"{said}, not {self.rule}{do}", **numbers_of(score))


@dataclass(frozen=True)
class Exists(ScoreCheck):
    """The step has this score, and it is a finite number."""

    @property
    def rule(self) -> str:
        """In words."""
        return "exists"

    def holds(self, value: float) -> bool:
        """Always."""
        return True

    def judge(self, evidence: Evidence) -> Answer:
        """A missing score is an answer here: no."""
        try:
            score = evidence.score(address(self.metric))
        except UnknownMetric as error:
            return failed(str(error))
        answer = passed if math.isfinite(score.value) else failed
        beside = "" if math.isfinite(score.value) else ", which is not a finite number"
        return answer(f"{self.metric} is {with_interval(score)}{beside}", **numbers_of(score))


@dataclass(frozen=True)
class Equals(ScoreCheck):
    """The score is exactly this number, e.g. a count.

    Attributes:
        value: the number.
    """

    value: float

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, value=finite("value", self.value))

    @property
    def rule(self) -> str:
        """As Python writes it."""
        return f"== {number(self.value)}"

    @property
    def limit_near(self) -> float:
        """The number itself."""
        return self.value

    def holds(self, value: float) -> bool:
        """Without any tolerance."""
        return value == self.value

    def attainable(self, best: float, *, minimize: bool) -> bool:
        """Not beyond the best."""
        return self.value >= best if minimize else self.value <= best


@dataclass(frozen=True)
class CloseTo(ScoreCheck):
    """The score is at most a tolerance away from a number.

    Attributes:
        value: the number.
        tolerance: the largest distance that passes.
        relative: the tolerance is a share of `value`, not a distance.
    """

    value: float
    tolerance: float
    relative: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, value=finite("value", self.value), tolerance=not_negative("tolerance", self.tolerance))
        if self.relative and self.value == 0:
            raise CheckError(
                "value=0 with relative=True: any share of zero is zero, so that only 0 would pass; "
                "give an absolute tolerance"
            )

    @property
    def rule(self) -> str:
        """With the tolerance as it was declared."""
        return f"= {number(self.value)} ± {self.tolerance:.4g}{' of it' if self.relative else ''}"

    def holds(self, value: float) -> bool:
        """Within the tolerance; the rounding of the subtraction does not decide."""
        allowed = self.tolerance * abs(self.value) if self.relative else self.tolerance
        return abs(value - self.value) <= allowed + 4 * math.ulp(max(abs(value), abs(self.value)))


@dataclass(frozen=True)
class Below(ScoreCheck):
    """The score is below a limit, strictly.

    Attributes:
        limit: the first number that does not pass.
    """

    limit: float

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, limit=finite("limit", self.limit))

    @property
    def rule(self) -> str:
        """As Python writes it."""
        return f"< {number(self.limit)}"

    @property
    def limit_near(self) -> float:
        """The limit."""
        return self.limit

    def holds(self, value: float) -> bool:
        """Strictly."""
        return value < self.limit

    def attainable(self, best: float, *, minimize: bool) -> bool:
        """The best is below the limit."""
        return not minimize or best < self.limit


@dataclass(frozen=True)
class Above(ScoreCheck):
    """The score is above a limit, strictly.

    Attributes:
        limit: the last number that does not pass.
    """

    limit: float

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, limit=finite("limit", self.limit))

    @property
    def rule(self) -> str:
        """As Python writes it."""
        return f"> {number(self.limit)}"

    @property
    def limit_near(self) -> float:
        """The limit."""
        return self.limit

    def holds(self, value: float) -> bool:
        """Strictly."""
        return value > self.limit

    def attainable(self, best: float, *, minimize: bool) -> bool:
        """The best is above the limit."""
        return minimize or best > self.limit


@dataclass(frozen=True)
class Between(ScoreCheck):
    """The score is in a closed range.

    Attributes:
        low: the smallest number that passes.
        high: the largest number that passes.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, low=finite("low", self.low), high=finite("high", self.high))
        if self.low > self.high:
            low, high = number(self.low), number(self.high)
            raise CheckError(
                f"low={low} is above high={high}, so that nothing passes; swap them: Between(..., {high}, {low})"
            )

    @property
    def rule(self) -> str:
        """As mathematicians write it."""
        return f"in [{number(self.low)}, {number(self.high)}]"

    def holds(self, value: float) -> bool:
        """The bounds pass too."""
        return self.low <= value <= self.high

    def attainable(self, best: float, *, minimize: bool) -> bool:
        """The range does not lie beyond the best."""
        return self.high >= best if minimize else self.low <= best


def _accuracy(value: float) -> Evidence:
    return Evidence("Overfit", Outcome(scores={"validation/accuracy": Score(value)}))


_ACCURACY = "validation/accuracy"
_NAN = _accuracy(math.nan)

Exists.PASSES = ((Exists(_ACCURACY), _accuracy(0.0)),)
Exists.FAILS = (
    (Exists(_ACCURACY), _NAN),
    (Exists(_ACCURACY), _accuracy(math.inf)),
    (Exists("validation/f1"), _accuracy(0.9)),
)
Equals.PASSES = ((Equals(_ACCURACY, 1), _accuracy(1.0)),)
Equals.FAILS = ((Equals(_ACCURACY, 1), _accuracy(0.999999999)), (Equals(_ACCURACY, 1), _NAN))
CloseTo.PASSES = (
    (CloseTo(_ACCURACY, 1.0, 0.1), _accuracy(1.1)),
    (CloseTo(_ACCURACY, 0.5, 0.1, relative=True), _accuracy(0.45)),
)
CloseTo.FAILS = (
    (CloseTo(_ACCURACY, 1.0, 0.1), _accuracy(1.101)),
    (CloseTo(_ACCURACY, 0.5, 0.1, relative=True), _accuracy(0.4)),
    (CloseTo(_ACCURACY, 1.0, 0.1), _NAN),
)
Below.PASSES = ((Below(_ACCURACY, 0.9), _accuracy(0.89999)),)
Below.FAILS = (
    (Below(_ACCURACY, 0.9), _accuracy(0.9)),
    (Below(_ACCURACY, 0.9), _NAN),
    (Below(_ACCURACY, 0.9), _accuracy(-math.inf)),
)
Above.PASSES = ((Above(_ACCURACY, 0.9), _accuracy(0.90001)),)
Above.FAILS = (
    (Above(_ACCURACY, 0.9), _accuracy(0.9)),
    (Above(_ACCURACY, 0.9), _NAN),
    (Above(_ACCURACY, 0.9), _accuracy(math.inf)),
)
Between.PASSES = ((Between(_ACCURACY, 0.9, 1.0), _accuracy(0.9)), (Between(_ACCURACY, 0.9, 1.0), _accuracy(1.0)))
Between.FAILS = ((Between(_ACCURACY, 0.9, 1.0), _accuracy(0.8999)), (Between(_ACCURACY, 0.9, 1.0), _NAN))
