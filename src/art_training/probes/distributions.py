"""How two samples of what enters a model differ: by the values that occur, and by their scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_MOST_VALUES = 1024
_FEWEST_ROWS = 16
_FEWEST_NUMBERS = 4  # of a row, of which a mean and a deviation say something


@dataclass(frozen=True)
class Difference:
    """Of one sample to another.

    Attributes:
        means: of all numbers, of both.
        deviations: likewise.
        common: the share of the numbers of either that also occur in the other, between ends that both reach, where both
            have few different ones (zeros do not count); None where they have many, or hardly reach into each other.
        scale: the median over features of the second's deviation as a multiple of the first's.
        shift: the median over features of how far the second's mean is away, in the first's deviations.
        zeros: the share of zeros in both.
        distance: between quantiles of both, in deviations of the first.
        aligned: the same after the second was scaled and shifted as a whole to the first's mean and deviation.
        alike: the share of the first's rows that rows of the second are like: by the mean and the deviation of a row, which lie
            between those that nineteen in twenty of the second have. 0 where a row is fewer than four numbers.
    """

    means: tuple[float, float]
    deviations: tuple[float, float]
    common: float | None
    scale: float
    shift: float
    zeros: tuple[float, float]
    distance: float
    aligned: float
    alike: float


def difference(first: Sequence[Tensor], second: Sequence[Tensor]) -> Difference | None:
    """How two samples of batches differ; None where they cannot be compared."""
    a, b = _table(first), _table(second)
    if a is None or b is None or min(len(a), len(b)) < _FEWEST_ROWS:
        return None
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or not a.std() > 0 or not b.std() > 0:
        return None
    scale, shift = float(b.std() / a.std()), float(abs(b.mean() - a.mean()) / a.std())
    if a.shape[1] == b.shape[1]:
        varies = (a.std(0) > 0) & (b.std(0) > 0)
        if varies.any():
            deviations = a.std(0)[varies]
            scale = float(np.median(b.std(0)[varies] / deviations))
            shift = float(np.median(np.abs(b.mean(0) - a.mean(0))[varies] / deviations))
    points = np.linspace(0.02, 0.98, 25)
    before, after = np.quantile(a, points), np.quantile(b, points)
    moved = (after - b.mean()) / b.std() * a.std() + a.mean()
    return Difference(
        means=(float(a.mean()), float(b.mean())),
        deviations=(float(a.std()), float(b.std())),
        common=_common(a, b),
        scale=scale,
        shift=shift,
        zeros=(float((a == 0).mean()), float((b == 0).mean())),
        distance=float(np.abs(after - before).mean() / a.std()),
        aligned=float(np.abs(moved - before).mean() / a.std()),
        alike=_alike(a, b),
    )


def _table(batches: Sequence[Tensor]) -> NDArray[np.float64] | None:
    if not batches or not all(one.is_floating_point() for one in batches):
        return None
    rows = [one.reshape(len(one), -1).double().numpy() for one in batches]
    if len({one.shape[1] for one in rows}) > 1:
        return np.concatenate([one.reshape(-1, 1) for one in rows])
    return np.concatenate(rows)


def _alike(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if a.shape[1] != b.shape[1] or a.shape[1] < _FEWEST_NUMBERS:
        return 0.0
    known = np.ones(len(a), bool)
    for mine, theirs in ((a.mean(1), b.mean(1)), (a.std(1), b.std(1))):
        low, high = np.quantile(theirs, (0.025, 0.975))
        known &= (mine >= low) & (mine <= high)
    return float(known.mean())


def _common(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """The larger of the shares of either's numbers that the other has too, zeros and what the other cannot reach left out."""
    low, high = max(a.min(), b.min()) - 1e-4, min(a.max(), b.max()) + 1e-4
    numbers = [one[one != 0] for one in (a, b)]
    inside = [one[(one >= low) & (one <= high)] for one in numbers]
    if any(len(few) < max(20 * _FEWEST_ROWS, len(all_) / 4) for few, all_ in zip(inside, numbers, strict=True)):
        return None
    numbers = inside
    keys = [np.round(one, 4) for one in numbers]
    values = [np.unique(one) for one in keys]
    if any(len(v) > min(_MOST_VALUES, len(k) / 20) for v, k in zip(values, keys, strict=True)):
        return None
    # A neighbour counts too: the same number may be rounded to either side.
    near = [np.unique(np.round(np.concatenate([v, v - 1e-4, v + 1e-4]), 4)) for v in values]
    return max(float(np.isin(keys[0], near[1]).mean()), float(np.isin(keys[1], near[0]).mean()))
