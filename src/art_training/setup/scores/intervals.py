"""Confidence intervals: how far a number might move with other examples of the same kind.

Examples are resampled, never the positions of a sequence, which are not independent of each other. All draws follow
from a seed. An interval that cannot be had is None, and its note says why.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from art_training.records import Interval
from art_training.setup.scores.ranges import UNBOUNDED, Bounds

Numbers: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

LEVEL = 0.95
RESAMPLES = 2_000  # of sums, all at once
RECOMPUTED = 400  # of what must be computed again each time
FEWEST_RESAMPLES = 200  # below, the ends of a 95 % interval hang on five values
FEWEST_FOR_A_DEVIATION = (
    50  # the standard error needs fewer (Efron and Tibshirani, An Introduction to the Bootstrap, 6.4)
)
FEWEST_EXAMPLES = 16  # of fewer, intervals of skewed losses hold the truth too rarely (benchmarks/statistics)
_FEWEST_HELD = 2  # examples with rows of a share; the variance between them needs two
_LEAST_FREEDOM = 0.5  # where one example holds all of the rarer outcome nothing is left: as good as none
MANY_EXAMPLES = 5_000  # from here on a random group is large enough to behave as the whole does
GROUPS = 50
BLOCKS = 1_000
SECONDS = 0.5
_SKEW_FADES = 100  # examples from which on the accelerated bootstrap takes care of the skewness of a loss
_PATIENCE = 3  # times the cap by the clock on the wall, after which nothing more is tried

TOO_FEW = "no interval: {n} examples are fewer than " + str(FEWEST_EXAMPLES)
CUT = ", cut off at what it cannot be below"
DEGENERATE = "no interval: every resample of the {n} examples gives the same value"


class Estimated(NamedTuple):
    """An interval, or the reason why there is none."""

    interval: Interval | None
    note: str = ""


def wilson(share: float, n: float, *, of: str = "") -> Interval:
    """The interval of a share of successes, which is right at 0 and 1 too, where a bootstrap has no width.

    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    Args:
        share: successes over trials, in 0..1.
        n: trials; a share that is a weighted mean of shares has an effective number.
        of: added to the method's name.
    """
    from scipy.stats import norm

    z2 = float(norm.ppf((1 + LEVEL) / 2)) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if share <= 0 else max(0.0, centre - half)
    high = 1.0 if share >= 1 else min(1.0, centre + half)
    return Interval(low, high, LEVEL, f"wilson{of}")


def of_share(totals: Numbers, weights: Numbers) -> Estimated:
    """Wilson's interval of a share of rows that belong to examples, and are not independent within them.

    It has as many trials as would vary as the examples do: p (1 - p) over the variance of the ratio, fewer for the degrees
    of freedom of that variance, and no more than there are rows (Korn and Graubard, Confidence intervals for proportions with
    small expected number of positive counts estimated from survey data, Survey Methodology 24, 1998). Nor are there fewer
    than if all rows of an example were alike: (sum of weights)^2 / sum of their squares (Kish, Survey Sampling, 1965). A
    share of 0 or 1 does not vary: there each example that holds a row is one trial.

    Args:
        totals: (examples,) successes.
        weights: (examples,) trials, whole numbers.
    """
    from scipy.stats import norm, t

    rows, held = float(weights.sum()), int((weights > 0).sum())
    if held < _FEWEST_HELD:
        return Estimated(
            None, f"no interval: {held} of {len(weights)} examples have any of it, and one tells nothing of others"
        )
    share = float(totals.sum()) / rows
    trials = float(held)
    variance = held / (held - 1) * float(((totals - share * weights) ** 2).sum()) / rows**2
    if 0 < share < 1:
        freedom = _freedom(totals, weights, share)
        loss = float(norm.ppf((1 + LEVEL) / 2) / t.ppf((1 + LEVEL) / 2, freedom)) ** 2
        trials = min(rows, loss * share * (1 - share) / variance) if variance > 0 else loss * rows
        trials = max(trials, rows**2 / float((weights**2).sum()))
    return Estimated(wilson(share, trials, of=f" with {trials:.3g} effective trials in {held} examples").holding(share))


def _freedom(totals: Numbers, weights: Numbers, share: float) -> float:
    """The degrees of freedom of the variance of a ratio: what a few examples tell alone, many cannot vouch for.

    At most one less than the examples; fewer where single examples make up the variance, 2 / (its own relative variance), which
    follows from their fourth moment (Satterthwaite, An approximate distribution of estimates of variance components, Biometrics
    Bulletin 2, 1946); and at most one less than the examples that hold the rarer outcome, since two that agree by chance
    look like no variance at all.
    """
    held = int((weights > 0).sum())
    rarer = weights - totals if share > 1 / 2 else totals
    outcomes = int((rarer > 0).sum())
    squares = (totals - share * weights) ** 2
    total = float(squares.sum())
    moment = float((squares**2).sum()) / total**2 - 1 / held if total > 0 else 0.0
    by_moment = 2 / moment if moment > 0 else math.inf
    return max(_LEAST_FREEDOM, min(held - 1, outcomes - 1, by_moment))


def of_mean(totals: Numbers, weights: Numbers | None, *, seed: int, floor: float = -math.inf) -> Estimated:
    """The interval of a mean, or of the ratio of two sums, by the bias-corrected and accelerated bootstrap.

    Efron, Better bootstrap confidence intervals, JASA 82 (1987); the acceleration comes from the influence of each
    example, as for the jackknife (equation 6.6 there). Above a thousand examples, random blocks are resampled.

    Losses are skewed, and of fewer than a hundred examples that interval holds the truth too rarely; there it is the
    studentised bootstrap's, which is wider (Efron and Tibshirani, An Introduction to the Bootstrap, section 12.5), unless the
    values are so few that it means nothing. benchmarks/statistics says how often either holds.

    Args:
        totals: (examples,) what each example adds.
        weights: (examples,) what each adds to the denominator; None: one each.
        seed: of the draws.
        floor: what the mean cannot be below. The interval ends there, which takes nothing from it that could be the truth.
    """
    n = len(totals)
    if n < FEWEST_EXAMPLES:
        return Estimated(None, TOO_FEW.format(n=n))
    below = np.ones(n) if weights is None else weights
    if not np.isfinite(totals).all() or below.sum() <= 0:
        return Estimated(None, "no interval: the values of some examples are not finite")
    generator = np.random.default_rng(seed)
    blocks = random_blocks(n, generator)
    numerators, denominators = _summed(totals, blocks), _summed(below, blocks)
    count = len(numerators)
    value = float(totals.sum() / below.sum())
    drawn = generator.integers(0, count, (RESAMPLES, count))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = numerators[drawn].sum(1) / denominators[drawn].sum(1)
    means = means[np.isfinite(means)]
    if len(means) < FEWEST_RESAMPLES:
        return Estimated(None, "no interval: too few resamples hold anything that counts")
    influence = (totals - value * below) / below.mean()
    studentised = n < _SKEW_FADES and len(np.unique(influence)) > n / 2
    if studentised:
        low, high = _studentised(numerators[drawn], denominators[drawn], value, influence)
    else:
        low, high = _accelerated(means, value, influence, n)
    if not low < high:
        return Estimated(None, DEGENERATE.format(n=n))
    name = method("studentised bootstrap" if studentised else "bca bootstrap", len(means), n)
    between = Interval(low, high, LEVEL, name) if low >= floor else Interval(floor, high, LEVEL, name + CUT)
    return Estimated(between.holding(value))


def of_resamples(
    statistic: Callable[[Indices], float],
    value: float,
    n: int,
    *,
    seed: int,
    bounds: Bounds = UNBOUNDED,
    seconds: float = SECONDS,
    strata: Indices | None = None,
) -> Estimated:
    """The interval of any statistic, computed again on resampled examples until the time is up.

    Of many examples, fifty random groups are taken instead, which cost no more than the examples once: the standard
    error of the whole is that of a group over the square root of their number (Wolter, Introduction to Variance
    Estimation, chapter 2, the method of random groups).

    Args:
        statistic: of the numbers of the examples that were drawn, with repetitions; NaN where it is not defined.
        value: the statistic of the examples themselves.
        n: examples.
        seed: of the draws.
        bounds: what the statistic cannot leave.
        seconds: the cap.
        strata: (n,) kind of each example; groups get a like share of each.
    """
    if n < FEWEST_EXAMPLES:
        return Estimated(None, TOO_FEW.format(n=n))
    generator = np.random.default_rng(seed)
    if n >= MANY_EXAMPLES:
        order = generator.permutation(n)
        order = order if strata is None else order[np.argsort(strata[order], kind="stable")]
        groups = [order[first::GROUPS] for first in range(GROUPS)]
        return _of_groups([statistic(group) for group in groups], value, n, bounds)
    draws = (generator.integers(0, n, n) for _ in range(RECOMPUTED))
    return of_values(map(statistic, draws), value, n, bounds=bounds, seconds=seconds)


def _of_groups(values: list[float], value: float, n: int, bounds: Bounds) -> Estimated:
    from scipy.stats import t

    if not all(math.isfinite(one) for one in values):
        return Estimated(None, f"no interval: the metric is not defined on every one of {GROUPS} random groups")
    half = float(t.ppf((1 + LEVEL) / 2, GROUPS - 1)) * float(np.std(values, ddof=1)) / math.sqrt(GROUPS)
    low, high = max(bounds[0], value - half), min(bounds[1], value + half)
    if not low < high:
        return Estimated(None, DEGENERATE.format(n=n))
    return Estimated(Interval(low, high, LEVEL, f"{GROUPS} random groups of {n} examples").holding(value))


def of_values(
    values: Iterator[float], value: float, n: int, *, bounds: Bounds = UNBOUNDED, seconds: float = SECONDS
) -> Estimated:
    """The interval that values of resamples give, as many as can be had in time.

    From 200 resamples on, its ends are percentiles; from 50 on, it is the value and two standard deviations of them. Both
    are widened for few examples, see `_ends`.
    """
    # Time of this thread, so that the same draws are made whatever else the machine does.
    began, wall = time.thread_time(), time.perf_counter()
    found: list[float] = []
    for one in values:
        found.append(one)
        spent = time.thread_time() - began
        out_of_patience = time.perf_counter() - wall > _PATIENCE * seconds
        if (spent > seconds and len(found) >= FEWEST_FOR_A_DEVIATION) or out_of_patience:
            break
    finite = np.array([value for value in found if math.isfinite(value)])
    if len(found) < FEWEST_FOR_A_DEVIATION:
        return Estimated(
            None,
            f"no interval: {len(found)} resamples in {_PATIENCE * seconds:g} s, and fewer than {FEWEST_FOR_A_DEVIATION} say nothing",
        )
    if len(finite) < 0.9 * len(found):
        return Estimated(None, "no interval: the metric is not defined on many resamples")
    if len(found) < FEWEST_RESAMPLES:
        half = _ends(n)[1] * float(finite.std(ddof=1))
        low, high = max(bounds[0], value - half), min(bounds[1], value + half)
        name = "bootstrap standard error"
    else:
        from scipy.stats import norm

        low, high = (float(end) for end in np.quantile(finite, norm.cdf(_ends(n))))
        name = "bootstrap"
    if not low < high:
        return Estimated(None, DEGENERATE.format(n=n))
    return Estimated(Interval(low, high, LEVEL, method(name, len(finite), n)).holding(value))


def random_blocks(n: int, generator: np.random.Generator, at_most: int = BLOCKS) -> Indices:
    """(n,) the block of each example: its own, or one of `at_most` random ones of nearly the same size.

    Sums over random blocks vary as sums over single examples do, so that resampling them is as good and cheaper.
    """
    if n <= at_most:
        return np.arange(n)
    return generator.permutation(n) % at_most


def method(name: str, resamples: int, n: int) -> str:
    """How an interval was computed, in words."""
    return f"{name}, {resamples} resamples of {n} examples"


def _ends(n: int) -> tuple[float, float]:
    """Standard deviations from the middle at which a bootstrap interval of so many examples ends.

    Resamples vary by (n - 1) / n less than examples do, and the normal distribution knows nothing of a spread that was
    itself estimated: expanded percentiles (Hesterberg, What teachers should know about the bootstrap, The American
    Statistician 69, 2015, section 5.3).
    """
    from scipy.stats import t

    end = math.sqrt(n / (n - 1)) * float(t.ppf((1 + LEVEL) / 2, n - 1))
    return -end, end


def _summed(values: Numbers, blocks: Indices) -> Numbers:
    return np.bincount(blocks, weights=values).astype(np.float64)


def _studentised(numerators: Numbers, denominators: Numbers, value: float, influence: Numbers) -> tuple[float, float]:
    """Ends from how many standard errors of its own each (resamples, examples) resample is off."""
    with np.errstate(invalid="ignore", divide="ignore"):
        below = denominators.sum(1)
        means = numerators.sum(1) / below
        errors = np.sqrt(((numerators - means[:, None] * denominators) ** 2).sum(1)) / below
        off = (means - value) / errors
    low, high = np.quantile(off[np.isfinite(off)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    error = float(np.sqrt((influence**2).sum())) / len(influence)
    return value - float(high) * error, value - float(low) * error


def _accelerated(means: Numbers, value: float, influence: Numbers, n: int) -> tuple[float, float]:
    from scipy.stats import norm

    cubes, squares = float((influence**3).sum()), float((influence**2).sum())
    if squares == 0:
        return value, value
    acceleration = cubes / (6 * squares**1.5)
    # Ties count half, as for values that are few.
    below = float((means < value).mean() + (means == value).mean() / 2)
    bias = float(norm.ppf(min(max(below, 1 / len(means)), 1 - 1 / len(means))))
    ends: list[Any] = []
    for end in _ends(n):
        moved = bias + end
        ends.append(norm.cdf(bias + moved / (1 - acceleration * moved)))
    low, high = np.quantile(means, ends)
    return float(low), float(high)
