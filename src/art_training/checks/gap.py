"""How much worse a model is on data that it was not trained on."""

import math
from dataclasses import dataclass, replace

from art_training.checks.check import Answer, Check, failed, passed
from art_training.checks.evidence import Evidence
from art_training.checks.reference import MetricLike, MetricReference, address, reference
from art_training.checks.values import direction, direction_of, finite, number, settle, with_interval
from art_training.errors import CheckError
from art_training.records import Direction, Metric, Outcome, Score, Split


@dataclass(frozen=True)
class GeneralizationGap(Check):
    """The score on validation is at most so much worse than the one on training; a better one always passes.

    Attributes:
        metric: `"accuracy"`, or `"validation/accuracy"` to name the split (and loader) that training is compared with.
        at_most: the largest gap that passes, in the metric's units.
        direction: which way is better, where the score does not say.
    """

    metric: MetricLike
    at_most: float
    direction: Direction | None = None

    def __post_init__(self) -> None:
        settle(
            self,
            metric=_unseen(reference(self.metric)),
            at_most=finite("at_most", self.at_most),
            direction=direction(self.direction),
        )

    @property
    def title(self) -> str:
        """The gap and its limit."""
        return f"{self.metric} at most {number(self.at_most)} worse than on train"

    def judge(self, evidence: Evidence) -> Answer:
        """Compare the two scores in the bad direction."""
        unseen = address(self.metric)
        seen = Metric(unseen.name, Split.TRAIN)
        train, other = evidence.score(seen), evidence.score(unseen)
        way = direction_of(self.direction, (other, train), metric=unseen, check="GeneralizationGap")
        gap = train.value - other.value if way == "maximize" else other.value - train.value
        said = f"{seen} is {with_interval(train)} and {unseen} {with_interval(other)}"
        numbers = {"train": train.value, "unseen": other.value, "gap": gap, "at_most": self.at_most}
        if not math.isfinite(gap):
            return failed(f"{said}, so that the gap is {gap}", **numbers)
        if gap <= self.at_most + 4 * math.ulp(max(abs(train.value), abs(other.value))):  # rounding does not decide
            return passed(f"{said}: a gap of {number(gap)}", **numbers)
        return failed(f"{said}: a gap of {number(gap, apart_from=self.at_most)}", **numbers)


def _unseen(metric: Metric | MetricReference) -> Metric | MetricReference:
    if metric.split is Split.TRAIN:
        raise CheckError(f"the metric '{metric}' would be compared with itself; give its name, or its validation split")
    return metric if metric.split is not None else replace(metric, split=Split.VALIDATION)


def _scores(train: float, validation: float, way: Direction | None = "maximize") -> Evidence:
    scores = {"train/accuracy": Score(train, direction=way), "validation/accuracy": Score(validation, direction=way)}
    return Evidence("Overfit", Outcome(scores=scores))


GeneralizationGap.PASSES = (
    (GeneralizationGap("accuracy", 0.1), _scores(1.0, 0.9)),
    (GeneralizationGap("accuracy", 0.1), _scores(0.5, 0.9)),
    (GeneralizationGap("validation/accuracy", 0.1), _scores(0.1, 0.15, "minimize")),
    (GeneralizationGap("accuracy", 0.1, direction="maximize"), _scores(1.0, 0.95, None)),
)
GeneralizationGap.FAILS = (
    (GeneralizationGap("accuracy", 0.1), _scores(1.0, 0.89)),
    (GeneralizationGap("accuracy", 0.1), _scores(0.1, 0.9, "minimize")),
    (GeneralizationGap("accuracy", 0.1), _scores(math.nan, 0.9)),
    (GeneralizationGap("accuracy", 0.1), _scores(1.0, math.nan)),
)
