"""What a metric of a name may rightly be, and what common mistakes make of it, from the same predictions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from art_training.probes.counted import Counts, Rate, Values, among_best, by_class_and_example, counted, rates
from art_training.probes.measures import Error, auroc, average_precision, by_row, errors, rankings
from art_training.probes.recomputed import (
    BY_SIZE,
    ONCE,
    Batch,
    Candidate,
    averages,
    classes_of,
    decided,
    is_decision,
    pooled,
)

RATES: Mapping[str, Rate] = {
    "accuracy": "accuracy",
    "error": "accuracy",
    "f1": "f1",
    "dice": "f1",
    "iou": "iou",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
}
"""Families of metrics that are made of counts of decisions."""
RANKINGS: Mapping[str, Callable[[Values, Values], float]] = {"auroc": auroc, "average precision": average_precision}
"""Families that rank scores."""
ERRORS: Mapping[str, Error] = {"mae": "mae", "mse": "mse", "rmse": "rmse", "r2": "r2", "correlation": "correlation"}
"""Families of values."""
_SOFT = {"dice", "iou"}
_ADDITIVE = {
    "accuracy",
    "accuracy of labels",
    "accuracy of rows by their overlap",
    "share of examples of which all is right",
    "mean absolute error",
    "absolute error summed over a row",
    "mean squared error",
    "squared error summed over a row",
}
SO_FAR = "a mean over batches of what was collected until each of them,"
_MOST_BATCHES = 100  # of which the metric until each is computed
_MOST_NUMBERS = 5_000_000  # that are ranked for that, about twice

Named: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Made:
    """What a metric of a name comes to, by how it is made.

    Attributes:
        right: values that it may rightly have, by their words.
        averaged: what means over batches make of it.
        last: what the last batch alone gives.
        whole: what all predictions give at once, with the values of each batch.
    """

    right: Named
    averaged: tuple[Candidate, ...] = ()
    last: tuple[Candidate, ...] = ()
    whole: tuple[Candidate, ...] = ()


def made(family: str, batches: Sequence[Batch]) -> Made:
    """What a metric of this family comes to; nothing where the predictions are none that it is made of.

    Where labels exclude each other, as of one-hot targets, it may be one of classes as well.
    """
    found = _made(family, batches)
    classes = as_classes(batches) if family in RATES or family in RANKINGS else None
    if classes is None:
        return found
    other = _made(family, classes)
    right = found.right | {f"{words} of classes": value for words, value in other.right.items()}
    return Made(right, found.averaged + other.averaged, found.last + other.last, found.whole + other.whole)


def as_classes(batches: Sequence[Batch]) -> list[Batch] | None:
    """The same with class numbers as targets; None where a row may have several labels, or none."""
    if any(
        one.targets.ndim != 2 or not bool((one.targets.sum(1) == 1).all() and (one.targets.max(1) == 1).all())
        for one in batches
    ):
        return None
    return [replace(one, targets=one.targets.argmax(1).astype(np.float64), raw=None) for one in batches]


def _made(family: str, batches: Sequence[Batch]) -> Made:
    if family in {"loss", "perplexity"}:
        return _of_loss(family, batches)
    if family in ERRORS:
        return _of_errors(ERRORS[family], batches)
    if not all(map(is_decision, batches)):
        return Made({})
    if family in RANKINGS:
        return of_scores(lambda one: dict(ranked(family, one.predictions, one)), batches)
    found = of_decisions(family, batches, [decided(one) for one in batches])
    if family == "accuracy" and batches[0].predictions.ndim == 2 and batches[0].targets.ndim == 1:
        whole = pooled(batches)
        found.right.update(among_best(whole.predictions, whole.targets))
    if family in _SOFT:
        soft = of_decisions(family, batches, [_soft(one) for one in batches])
        # As a part of the loss it is averaged over batches as the loss is.
        share = {f"soft {one.how}": one.value for one in soft.averaged if one.mistake == BY_SIZE}
        found.right.update({f"soft {words}": value for words, value in soft.right.items()} | share)
    return found


def ranked(family: str, scores: Values, batch: Batch) -> Iterator[tuple[str, float]]:
    """A metric of ranking, by its words."""
    for words, value in rankings(scores, batch.targets, RANKINGS[family]):
        yield words.format("AUROC" if family == "auroc" else family), value


def of_decisions(family: str, batches: Sequence[Batch], chosen: Sequence[Values]) -> Made:
    """What a rate comes to, of these decisions."""
    rate = RATES[family]
    tables = [
        counted(decisions, one.targets, classes_of(one), one.owners)
        for one, decisions in zip(batches, chosen, strict=True)
    ]
    known = [one for one in tables if one is not None]
    if len(known) < len(tables):
        return Made({})
    every, single = _joined(known), [one.together() for one in known]
    so_far = [_joined(single[: one + 1]).together() for one in range(min(len(single), _MOST_BATCHES))]
    found = _assembled(
        _valued(rate, every.together()),
        [_valued(rate, one) for one in single],
        [_valued(rate, one) for one in so_far],
        batches,
    )
    if every.by_example:
        by_batch = [_valued(rate, one) for one in known]
        for words, value in _valued(rate, every).items():
            found.right[f"{words}, averaged over examples"] = value
            values = [one.get(words, float("nan")) for one in by_batch]
            once = Candidate(
                f"{ONCE} of the {words} averaged over examples", float(np.nanmean(values)), value, tuple(values), ONCE
            )
            found = Made(found.right, (*found.averaged, once), found.last, found.whole)
        found.right["mean over the classes of each example"] = by_class_and_example(rate, every)
    return _complement(found) if family == "error" else found


def of_scores(measure: Callable[[Batch], Named], batches: Sequence[Batch]) -> Made:
    """What a metric that is no ratio of counts comes to."""
    work = len(batches) * sum(one.targets.size for one in batches)
    until = range(len(batches)) if len(batches) <= _MOST_BATCHES and work <= _MOST_NUMBERS else range(0)
    so_far = [measure(pooled(batches[: one + 1])) for one in until]
    return _assembled(measure(pooled(batches)), [measure(one) for one in batches], so_far, batches)


def _of_errors(error: Error, batches: Sequence[Batch]) -> Made:
    if any(
        one.predictions.shape != one.targets.shape for one in batches
    ):  # an error of another head than that of the loss
        return Made({})
    found = of_scores(lambda one: dict(errors(error, one.predictions, one.targets)), batches)
    whole = pooled(batches)
    if (
        whole.targets.ndim > 1
    ):  # of one number a row the root of its square is its absolute value, and no root of a mean
        found.right["averaged over rows"] = by_row(error, whole.predictions, whole.targets)
    return found


def _of_loss(family: str, batches: Sequence[Batch]) -> Made:
    known = [one.loss for one in batches if one.loss is not None]
    if len(known) < len(batches):
        return Made({})
    weights = {"examples": [one.weight for one in batches], "rows": [len(one.targets) for one in batches]}
    right = {by: float(np.average(known, weights=weight)) for by, weight in weights.items()}
    if family == "perplexity":
        with np.errstate(over="ignore"):
            whole, values = {by: float(np.exp(one)) for by, one in right.items()}, np.exp(known).tolist()
        # How many tokens a mean of losses is of, authors take differently; it is no mean of perplexities for anybody.
        whole["batches"] = float(np.exp(np.mean(known)))
        return Made(whole, tuple(_averaged("perplexity", whole["rows"], values, batches)))
    once = Candidate(f"{ONCE} of the loss", float(np.mean(known)), right["examples"], tuple(known), ONCE)
    return Made(right, (once,))


def _assembled(whole: Named, by_batch: Sequence[Named], so_far: Sequence[Named], batches: Sequence[Batch]) -> Made:
    right = dict(whole)
    averaged: list[Candidate] = []
    last: list[Candidate] = []
    entire: list[Candidate] = []
    for words, value in whole.items():
        values = [one.get(words, float("nan")) for one in by_batch]
        entire.append(Candidate(words, value, value, tuple(values)))
        last.append(Candidate(f"the {words} of the last batch alone", values[-1], value, tuple(values)))
        for one in _averaged(words, value, values, batches):
            if words in _ADDITIVE and one.mistake == BY_SIZE:
                right[f"{words}, {BY_SIZE}"] = one.value
            else:
                averaged.append(one)
        cumulative = [one.get(words, float("nan")) for one in so_far]
        if len(cumulative) == len(batches):
            averaged += [
                Candidate(f"{SO_FAR} of the {words}", mean, value, tuple(cumulative), SO_FAR)
                for _, mean in averages(cumulative, batches)
            ]
    return Made(right, tuple(averaged), tuple(last), tuple(entire))


def _averaged(words: str, right: float, values: Sequence[float], batches: Sequence[Batch]) -> Iterator[Candidate]:
    """Means of the values of batches, in which one without a value is left out or counts 0."""
    filled = [0.0 if np.isnan(one) else one for one in values]
    for each in (values, filled) if any(map(np.isnan, values)) else (values,):
        for how, mean in averages(each, batches):
            yield Candidate(f"{how} of the {words}", mean, right, tuple(values), how)


def _valued(rate: Rate, counts: Counts) -> Named:
    """A rate of each way to fill what is empty; the mean over groups that have one."""
    found: Named = {}
    for words, values in rates(rate, counts):
        known = values[~np.isnan(values)]
        found[words] = float(known.mean()) if len(known) else float("nan")
    return found


def _joined(tables: Sequence[Counts]) -> Counts:
    cells, exact = np.concatenate([one.cells for one in tables]), np.concatenate([one.exact for one in tables])
    return Counts(cells, exact, tables[0].by_example, tables[0].exclusive)


def _soft(batch: Batch) -> Values:
    """Probabilities in place of decisions."""
    flat = batch.targets.ndim == 1 and batch.predictions.ndim == 1
    return np.stack([1 - batch.predictions, batch.predictions], 1) if flat else batch.predictions


def _complement(found: Made) -> Made:
    """The same of what is wrong in place of what is right."""

    def turned(ones: Sequence[Candidate]) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(
                f"one minus {one.how}", 1 - one.value, 1 - one.right, tuple(1 - v for v in one.by_batch), one.mistake
            )
            for one in ones
        )

    right = {f"one minus {words}": 1 - value for words, value in found.right.items()}
    return Made(right | found.right, turned(found.averaged), turned(found.last), turned(found.whole))
