"""Whether probabilities mean what they say, and the one number that makes them say less or more: the temperature.

Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks, ICML 2017 (arXiv:1706.04599).

Arrays are NumPy's: predictions are (rows, classes) probabilities, or (rows,) probabilities of the second of two classes;
targets are (rows,) classes. A row belongs to an example; the positions of a sequence are resampled and held out together.
"""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from art_training.records import Interval
from art_training.setup.scores.intervals import (
    DEGENERATE,
    FEWEST_EXAMPLES,
    LEVEL,
    RESAMPLES,
    TOO_FEW,
    Estimated,
    method,
    random_blocks,
    wilson,
)

Numbers: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]

BINS = 15  # as in Guo et al., section 2
FOLDS = 5
COLDEST, HOTTEST = 0.02, 50.0  # bounds of a temperature
_TINY = 1e-30  # nothing that single precision tells from zero
_EPSILON = 1e-7  # how near to 0 and 1 a single probability of yes says something


@dataclass(frozen=True)
class Bin:
    """Rows whose confidence is nearly the same.

    Attributes:
        low: the lowest confidence that belongs here.
        high: the highest.
        count: rows.
        confidence: mean confidence of them.
        accuracy: share of them whose most probable class is right.
        interval: of the accuracy, by Wilson; rows are taken as independent.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    interval: Interval


@dataclass(frozen=True)
class Reliability:
    """How confidence and accuracy go together.

    Attributes:
        bins: of equal width between 0 and 1, those that hold rows.
        error: expected calibration error, the mean distance of confidence and accuracy in a bin, weighted by its rows
            (Guo et al., equation 3).
        estimated: its interval.
    """

    bins: tuple[Bin, ...]
    error: float
    estimated: Estimated


def confidences(predictions: NDArray[Any], targets: NDArray[Any]) -> tuple[Numbers, Numbers]:
    """(rows,) the probability of the most probable class, and 1.0 where that class is the right one."""
    if predictions.ndim == 1:
        decided = (predictions >= 0.5).astype(np.int64)
        confident = np.maximum(predictions, 1 - predictions)
    else:
        decided, confident = predictions.argmax(1), predictions.max(1)
    return confident.astype(np.float64), (decided == targets).astype(np.float64)


def reliability(
    predictions: NDArray[Any], targets: NDArray[Any], example: Whole | None = None, *, seed: int, bins: int = BINS
) -> Reliability:
    """Confidence and accuracy bin by bin, and the expected calibration error.

    The error of a sample is larger than that of what it was drawn from, most of all where there is none: chance makes a
    distance in every bin. So the lower end allows for all of it: by the triangle inequality the error is at most as far
    from the true one as the bins' distances, added up, are from theirs, and the bootstrap says how far that is. This end
    covers more than its level, and reaches 0 where calibration is perfect. The upper end is the basic bootstrap's, which
    mirrors the resamples at the value (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 5.2).

    Args:
        predictions: (rows, classes) or (rows,) probabilities.
        targets: (rows,) classes.
        example: (rows,) number of the example of each row; None where a row is an example.
        seed: of the resamples.
        bins: how many, of equal width.
    """
    confident, correct = confidences(predictions, targets)
    place = np.clip(np.ceil(confident * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    said, right = (np.bincount(place, weights=one, minlength=bins) for one in (confident, correct))
    error = float(np.abs(said - right).sum() / max(len(place), 1))
    found = tuple(
        Bin(
            low=at / bins,
            high=(at + 1) / bins,
            count=int(counts[at]),
            confidence=float(said[at] / counts[at]),
            accuracy=float(right[at] / counts[at]),
            interval=wilson(float(right[at] / counts[at]), float(counts[at])),
        )
        for at in np.flatnonzero(counts)
    )
    return Reliability(found, error, _interval(error, place, confident - correct, _owners(example, len(place)), seed))


def tempered(predictions: NDArray[Any], temperature: float) -> NDArray[Any]:
    """Probabilities whose scores are divided by the temperature; above 1 they say less.

    The logarithm of a softmax is its scores less a number a row, which the next softmax does not see, so that the scores
    themselves are not needed.
    """
    scores = _scores(predictions) / temperature
    if scores.ndim == 1:
        return (1 / (1 + np.exp(-scores))).astype(predictions.dtype)
    scores -= scores.max(1, keepdims=True)
    raised = np.exp(scores)
    return (raised / raised.sum(1, keepdims=True)).astype(predictions.dtype)


def temperature_of(predictions: NDArray[Any], targets: NDArray[Any]) -> float:
    """The temperature whose probabilities give the targets the smallest negative log-likelihood; it changes no decision.

    Rows that are all right say that the model errs less than once in so many, not that it never errs; left to themselves
    they would have it be sure without end. So one wrong row is added, as the rule of succession does (and Platt,
    Probabilistic outputs for support vector machines, 1999, section 2.2, with the targets): it is spread over all rows and
    all classes but the most probable, in the proportion in which the model itself expects each to be right. Among wrong
    rows of the data's own it is one more of them.

    The likelihood is convex in 1/T, so that it has one minimum between the bounds `COLDEST` and `HOTTEST`.
    """
    from scipy.optimize import minimize_scalar

    scores = _scores(predictions)
    classes = targets.astype(np.int64)
    shares, wrong = _one_wrong(scores)

    def loss(log_temperature: float) -> float:
        at = scores / math.exp(log_temperature)
        added = float((shares * _normaliser(at)).sum()) - wrong / math.exp(log_temperature)
        return float(_likelihood(at, classes).sum() + added) / (len(classes) + 1)

    found: Any = minimize_scalar(
        loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded", options={"xatol": 1e-5}
    )
    return math.exp(float(found.x))


def cross_fitted(
    predictions: NDArray[Any], targets: NDArray[Any], example: Whole | None = None, *, seed: int, folds: int = FOLDS
) -> tuple[NDArray[Any], tuple[float, ...]]:
    """Tempered probabilities of each row, by a temperature that was chosen without its example, and the temperatures.

    What is reported of them is what the temperature does to examples that it has not seen.

    Raises:
        ValueError: there are fewer examples than folds.
    """
    owners = _owners(example, len(targets))
    fold = folds_of(int(owners.max()) + 1 if len(owners) else 0, seed=seed, folds=folds)[owners]
    result = predictions.copy()
    temperatures: list[float] = []
    for number in range(folds):
        held = fold == number
        temperatures.append(temperature_of(predictions[~held], targets[~held]))
        result[held] = tempered(predictions[held], temperatures[-1])
    return result, tuple(temperatures)


def folds_of(examples: int, *, seed: int, folds: int = FOLDS) -> Whole:
    """(examples,) the fold of each, at random and of nearly the same size.

    Raises:
        ValueError: there are fewer examples than folds.
    """
    if examples < folds:
        raise ValueError(f"{examples} examples cannot be held out in {folds} folds")
    return np.random.default_rng(seed).permutation(examples) % folds


def _scores(predictions: NDArray[Any]) -> Numbers:
    wide = predictions.astype(np.float64)
    if wide.ndim == 1:
        inside = np.clip(wide, _EPSILON, 1 - _EPSILON)
        return np.log(inside) - np.log1p(-inside)
    return np.log(np.maximum(wide, _TINY))


def _likelihood(scores: Numbers, targets: Whole) -> Numbers:
    """(rows,) negative log-likelihood of the targets."""
    if scores.ndim == 1:
        return np.logaddexp(0, np.where(targets > 0, -scores, scores))
    return _normaliser(scores) - scores[np.arange(len(targets)), targets]


def _normaliser(scores: Numbers) -> Numbers:
    """(rows,) logarithm of the sum of what the softmax is made of; a single score stands against zero."""
    from scipy.special import logsumexp

    found: Any = np.logaddexp(0, scores) if scores.ndim == 1 else logsumexp(scores, axis=1)
    return found


def _one_wrong(scores: Numbers) -> tuple[Numbers, float]:
    """(rows,) what share of one wrong row falls on each, and the mean score of its class."""
    both = np.stack([np.zeros_like(scores), scores], 1) if scores.ndim == 1 else scores
    expected = both - _normaliser(both)[:, None]
    expected[np.arange(len(both)), both.argmax(1)] = -np.inf
    share = np.exp(expected - expected.max())
    share /= share.sum()
    return share.sum(1), float((share * both).sum())


def _owners(example: Whole | None, rows: int) -> Whole:
    return np.arange(rows) if example is None else example


def _interval(error: float, place: Whole, distance: Numbers, owners: Whole, seed: int) -> Estimated:
    bins = int(place.max()) + 1 if len(place) else 0
    examples = int(owners.max()) + 1 if len(owners) else 0
    if examples < FEWEST_EXAMPLES:
        return Estimated(None, TOO_FEW.format(n=examples))
    generator = np.random.default_rng(seed)
    block = random_blocks(examples, generator)[owners]
    count = int(block.max()) + 1
    within = np.bincount(block * bins + place, weights=distance, minlength=count * bins).reshape(count, bins)
    rows = np.bincount(block, minlength=count).astype(np.float64)
    drawn = generator.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
    sums, drawn_rows = drawn @ within, np.maximum(drawn @ rows, 1)
    moved = np.abs(sums / drawn_rows[:, None] - within.sum(0) / rows.sum()).sum(1)
    errors = np.abs(sums).sum(1) / drawn_rows
    low = max(0.0, error - float(np.quantile(moved, (1 + LEVEL) / 2)))
    high = max(error, 2 * error - float(np.quantile(errors, (1 - LEVEL) / 2)))
    if not low < high:
        return Estimated(None, DEGENERATE.format(n=examples))
    return Estimated(Interval(low, high, LEVEL, method("bootstrap", RESAMPLES, examples) + ", conservative below"))
