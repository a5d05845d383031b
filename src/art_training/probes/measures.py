"""Metrics of scores and of values, which are no ratios of counts: ranking, error, explained variance, correlation."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from art_training.probes.counted import Values

Error = Literal["mae", "mse", "rmse", "r2", "correlation"]


def rankings(
    scores: Values, targets: Values, measure: Callable[[Values, Values], float]
) -> Iterator[tuple[str, float]]:
    """A metric of ranking: of a yes or no, and of several labels or classes each against the rest.

    Yields words, with a place for the name of the metric, and the value.

    Args:
        scores: (rows,) or (rows, classes).
        targets: (rows,) the number of the class, or (rows, labels) of 0 and 1.
        measure: of (rows,) scores and (rows,) of 0 and 1.
    """
    if targets.ndim == 1 and scores.ndim == 2 and scores.shape[1] == 2:
        scores = scores[:, 1]
    if targets.ndim == 1 and scores.ndim == 1:
        yield "{}", measure(scores, targets)
        return
    truth = targets if targets.ndim == 2 else (targets[:, None] == np.arange(scores.shape[1])).astype(np.float64)
    each = np.asarray([measure(scores[:, one], truth[:, one]) for one in range(truth.shape[1])])
    known = ~np.isnan(each)
    if known.any():
        yield "macro {}", float(each[known].mean())
        yield "weighted {}", float(np.average(each[known], weights=truth.sum(0)[known] + 1e-12))
    yield "macro {} with 0 for a label that is constant", float(np.where(known, each, 0.0).mean())
    yield "micro {}", measure(scores.reshape(-1), truth.reshape(-1))


def auroc(scores: Values, targets: Values) -> float:
    """The chance that a positive is ranked above a negative, ties counting half; NaN where one of them is missing."""
    positive, negative = int((targets == 1).sum()), int((targets == 0).sum())
    if not positive or not negative or positive + negative != len(targets):
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse.reshape(-1)]
    return float((ranks[targets == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(scores: Values, targets: Values) -> float:
    """Precision averaged over the positives, those of one score together; NaN where there is none."""
    if not (targets == 1).any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    hits = np.cumsum(targets[order] == 1)[ends]
    return float((hits / (ends + 1) * np.diff(hits, prepend=0)).sum() / hits[-1])


def errors(error: Error, predictions: Values, targets: Values) -> Iterator[tuple[str, float]]:
    """What goes by the name of an error, in words; of several outputs also averaged over them."""
    rows = len(targets)
    off = (predictions - targets).reshape(rows, -1)
    truth = targets.reshape(rows, -1)
    several = off.shape[1] > 1
    squared = (off**2).mean(0)
    if error == "mae":
        yield "mean absolute error", float(np.abs(off).mean())
        if several:
            yield "absolute error summed over a row", float(np.abs(off).sum(1).mean())
    elif error == "mse":
        yield "mean squared error", float(squared.mean())
        if several:
            yield "squared error summed over a row", float(squared.sum())
    elif error == "rmse":
        yield "root mean squared error", float(squared.mean() ** 0.5)
        if several:
            yield "root mean squared error averaged over outputs", float((squared**0.5).mean())
            yield "length of a row's error", float((off**2).sum(1).mean() ** 0.5)
    elif error == "r2":
        yield from _explained(squared, truth)
    else:
        yield from _correlations(predictions.reshape(rows, -1), truth)


def by_row(error: Error, predictions: Values, targets: Values) -> float:
    """The mean over rows of an error that each row with several outputs has of its own; NaN where there is none."""
    off = (predictions - targets).reshape(len(targets), -1)
    return float(((off**2).mean(1) ** 0.5).mean()) if error == "rmse" else float("nan")


def _explained(squared: Values, truth: Values) -> Iterator[tuple[str, float]]:
    spread = truth.var(0)
    if spread.sum():
        yield "R2", float(1 - squared.sum() / spread.sum())
    if len(spread) > 1 and spread.all():
        yield "R2 averaged over outputs", float((1 - squared / spread).mean())


def _correlations(predictions: Values, truth: Values) -> Iterator[tuple[str, float]]:
    for words, made in (("Pearson's correlation", np.copy), ("Spearman's correlation", _ranks)):
        found = [_pearson(made(a), made(b)) for a, b in zip(predictions.T, truth.T, strict=True)]
        yield words, float(np.mean(found))


def _pearson(a: Values, b: Values) -> float:
    a, b = a - a.mean(), b - b.mean()
    below = float((a**2).sum() * (b**2).sum()) ** 0.5
    return float((a * b).sum() / below) if below > 0 else float("nan")


def _ranks(values: Values) -> Values:
    """Ranks, those of equal values averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse.reshape(-1)].astype(np.float64)
