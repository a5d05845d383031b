"""What is told of candidates: each with its difference from the reference, and all of them as a table."""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from art_training.checks.improves import ADJUSTED, GAIN
from art_training.errors import UsageError
from art_training.records import Candidate, Change, Finding, Metric, Score, Severity, Split, plain
from art_training.setup.scores.comparison import Comparison, compare
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.variant import Variant
from art_training.steps.regularization.trying import REFERENCE, Tried

GAP = "gap"


IDLE = "its weights are bit by bit the reference's, so that it changed nothing in training"


@dataclass(frozen=True)
class Compared:
    """A candidate and how it compares with the reference.

    Attributes:
        tried: its trainings.
        variant: what it is.
        changes: what differs from the reference's setup.
        comparison: positive where it is better, as one of so many as `among` says; None where it could not be trained or
            compared.
        alone: its p-value, had there been no other candidate.
        among: how many candidates were tested, itself among them.
        note: why there is no comparison.
        idle: whether it ended with the very weights of the reference.
    """

    tried: Tried
    variant: Variant
    changes: tuple[Change, ...]
    comparison: Comparison | None = None
    alone: float | None = None
    among: int = 1
    note: str = ""
    idle: bool = False

    @property
    def name(self) -> str:
        """The candidate's name."""
        return self.tried.name

    @property
    def value(self) -> float:
        """How much better it is; NaN where that is not known."""
        return math.nan if self.comparison is None else self.comparison.value

    @property
    def adjusted(self) -> float | None:
        """Its p-value as one of several candidates; None where it was not tested."""
        return None if self.comparison is None else self.comparison.p_value

    @property
    def better(self) -> bool:
        """Whether it is better than the reference, for all that examples, seeds and other candidates may account for."""
        return self.comparison is not None and self.comparison.better


def compared(
    tried: Tried,
    reference: Tried,
    *,
    variant: Variant,
    changes: tuple[Change, ...],
    metrics: MetricCalculator,
    metric: Metric,
    seed: int,
) -> Compared:
    """Compare a candidate with the reference, seed by seed."""
    if tried.failure:
        return Compared(tried, variant, changes, note=f"could not be trained {tried.failure}")
    sides = [[one.examples for one in side.trainings] for side in (tried, reference)]
    try:
        comparison = compare(metrics, metric.name, *sides, seed=seed)
    except UsageError as error:
        return Compared(tried, variant, changes, note=f"cannot be compared with the reference: {error}")
    if math.isnan(comparison.value):
        comparison = _of_means(comparison, tried, reference, metric)
    return Compared(tried, variant, changes, comparison, comparison.p_value)


def together(found: Sequence[Compared]) -> list[Compared]:
    """The same, each judged as one of all that were tested: whichever is chosen, its interval and its p-value allow for that.

    What could not be compared was no test.
    """
    count = sum(1 for one in found if one.adjusted is not None)
    if count <= 1:
        return list(found)
    return [
        one
        if one.comparison is None
        else replace(one, comparison=one.comparison.of_best(trained=count, seen=count), among=count)
        for one in found
    ]


def _of_means(comparison: Comparison, tried: Tried, reference: Tried, metric: Metric) -> Comparison:
    """Without values of single examples there is still the difference of the scores, without an interval."""
    ours, theirs = ([one.scores[str(metric)] for one in side.trainings] for side in (tried, reference))
    sign = 1 if ours[0].direction == "maximize" else -1
    pairs = tuple(sign * (mine.value - other.value) for mine, other in zip(ours, theirs, strict=True))
    return Comparison(
        metric=comparison.metric,
        value=statistics.fmean(pairs),
        interval=None,
        p_value=None,
        ours=statistics.fmean(score.value for score in ours),
        theirs=statistics.fmean(score.value for score in theirs),
        by_seed=pairs,
        examples=comparison.examples,
        note=comparison.note,
    )


def gain_of(one: Compared) -> Score | None:
    """How much better a candidate is, as a score."""
    comparison = one.comparison
    if comparison is None or math.isnan(comparison.value):
        return None
    p = "" if comparison.p_value is None else f"p {comparison.p_value:.3g}"
    if p and one.among > 1:
        p += f", adjusted for {one.among} candidates ({one.alone:.3g} alone)"
    told = "; ".join(filter(None, (p, comparison.note)))
    return Score(comparison.value, comparison.interval, comparison.examples, "maximize", "paired comparison", told)


def gap_of(tried: Tried, metric: Metric) -> Score | None:
    """How much worse the metric is on validation than on training, the mean over seeds."""
    scores = tried.scores
    there, here = scores.get(str(metric)), scores.get(str(Metric(metric.name, Split.TRAIN)))
    if there is None or here is None:
        return None
    gap = here.value - there.value if there.direction == "maximize" else there.value - here.value
    return Score(
        gap, None, there.rows, "minimize", note=f"{metric.name}: how much worse on validation than on training"
    )


def as_candidate(one: Compared, metric: Metric) -> Candidate:
    """A candidate with its scores, its difference from the reference and what it was."""
    more = {GAP: gap_of(one.tried, metric), GAIN: gain_of(one)}
    scores = {**one.tried.scores, **{name: score for name, score in more.items() if score is not None}}
    parameters = {
        "changes": [str(change) for change in one.changes],
        "by_seed": list(one.comparison.by_seed) if one.comparison else [],
        "p_value": one.alone,
        ADJUSTED: one.adjusted,
    }
    note = "; ".join(filter(None, (one.note, IDLE if one.idle else "", one.variant.note)))
    return Candidate(one.name, scores, {"varies": list(one.variant.varies), **parameters}, note)


def of_reference(reference: Tried, metric: Metric) -> Candidate:
    """The reference, beside the candidates."""
    gap = gap_of(reference, metric)
    return Candidate(REFERENCE, {**reference.scores, **({} if gap is None else {GAP: gap})})


def findings_of(all_compared: Sequence[Compared]) -> tuple[Finding, ...]:
    """Candidates that vary several things at once, and those that could not be compared."""
    found: list[Finding] = []
    others = "; the others were compared without it" if any(not one.note for one in all_compared) else ""
    for one in all_compared:
        told = [str(change) for change in one.changes]
        if len(told) > 1:
            found.append(
                Finding(
                    code="ART741",
                    category="model",
                    severity=Severity.INFO,
                    message=f"{one.name!r} varies {len(told)} things: {'; '.join(told)}; "
                    "which of them made the difference cannot be told",
                    evidence={"candidate": one.name, "changes": told},
                    remedy="give a candidate for each of them alone",
                )
            )
        if one.note:
            found.append(
                Finding(
                    code="ART742",
                    category="evaluation",
                    severity=Severity.WARNING,
                    message=f"{one.name!r} {one.note}",
                    evidence={"candidate": one.name},
                    remedy=f"mend it or leave it out{others}",
                )
            )
    return tuple(found)


def write_table(path: Path, reference: Tried, all_compared: Sequence[Compared], metric: Metric) -> Path:
    """Every training as a row of comma-separated values, with its candidate's difference from the reference."""
    train = Metric(metric.name, Split.TRAIN)
    columns = ["candidate", "seed", str(metric), str(train), "difference", "low", "high", "p", ADJUSTED, "epochs"]
    by_name: Mapping[str, Compared] = {one.name: one for one in all_compared}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*columns, "note"])
        writer.writeheader()
        for tried in (reference, *(one.tried for one in all_compared)):
            one = by_name.get(tried.name)
            comparison = one.comparison if one else None
            for number, training in enumerate(tried.trainings, 1):
                row = {
                    "candidate": tried.name,
                    "seed": number,
                    str(metric): training.scores[str(metric)].value,
                    str(train): training.scores[str(train)].value if str(train) in training.scores else "",
                    "epochs": training.epochs,
                    "note": one.note if one else "",
                }
                if one is not None and comparison is not None:
                    between = comparison.interval
                    row |= {
                        "difference": comparison.by_seed[number - 1],
                        "p": one.alone,
                        ADJUSTED: one.adjusted,
                    }
                    row |= {} if between is None else {"low": between.low, "high": between.high}
                writer.writerow(row)
            if not tried.trainings:
                writer.writerow({"candidate": tried.name, "note": one.note if one else tried.failure})
    return path


def shown(one: Compared, metric: Metric) -> str:
    """A candidate's difference in a few words: `validation/loss better by 0.021 (0.004 to 0.038)`."""
    comparison = one.comparison
    if comparison is None or math.isnan(comparison.value):
        return one.note
    way = "better" if comparison.value > 0 else "worse"
    told = f"{metric} {way} by {abs(comparison.value):.4g}" if comparison.value else f"{metric} as good"
    if comparison.interval is not None:
        several = f" as one of {one.among} candidates" if one.among > 1 else ""
        low, high = f"{comparison.interval.low:+.4g}", f"{comparison.interval.high:+.4g}"
        told += f" (difference {comparison.value:+.4g}, 95 % interval{several} {low} to {high})"
    return told


def configuration_of(variant: Variant) -> dict[str, object]:
    """A variant as plain data: what it varies and the code that does, without its note."""
    from art_training.setup.identity.fingerprint import variant_components

    return {name: plain(value) for name, value in variant_components(variant).items()}
