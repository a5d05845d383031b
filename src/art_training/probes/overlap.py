"""How many rows of one split are in another, and how many would be by chance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from art_training.probes.rows import SplitRows

_SLACK = 3.0  # rule of three: none in n rows leaves a share of up to 3 / n (Hanley and Lippman-Hand, JAMA 1983)


@dataclass(frozen=True)
class Overlap:
    """Rows of one split whose inputs are in another.

    Attributes:
        shared: how many.
        of: how many rows the split has.
        expected: the largest share that equal rows by chance explain.
        chance: of so many or more by it.
        same_target: the share of those whose target is the same too; None where there are no targets.
        places: of the first of them, in the split.
    """

    shared: int
    of: int
    expected: float
    chance: float
    same_target: float | None
    places: tuple[int, ...]

    @property
    def share(self) -> float:
        """Of the split."""
        return self.shared / self.of


def overlap(inputs: NDArray[np.uint64], targets: NDArray[np.uint64], other: SplitRows) -> Overlap | None:
    """Rows of a split that are also in another; None where there is nothing to compare.

    Equal inputs are natural where an input can have few values (categories, tokens, bits). How often they are is seen
    within the splits: the chance that a row of the other split occurs in it once more, and the chance that two rows of
    this one are equal. The smaller of both explains an overlap; repeating rows on purpose raises the first only.

    Args:
        inputs: hashes of the split's rows.
        targets: likewise; may be empty.
        other: the split that they must not be in.
    """
    if not len(inputs) or not len(other.inputs):
        return None
    found = np.isin(inputs, other.inputs)
    shared = int(found.sum())
    expected = min(_again(other.inputs), _by_pairs(inputs, len(other.inputs)))
    same = None
    if shared and len(targets) == len(inputs) and len(other.targets) == len(other.inputs):
        pairs = set(zip(other.inputs.tolist(), other.targets.tolist(), strict=True))
        both = zip(inputs[found].tolist(), targets[found].tolist(), strict=True)
        same = sum(pair in pairs for pair in both) / shared
    return Overlap(
        shared=shared,
        of=len(inputs),
        expected=expected,
        chance=float(binom.sf(shared - 1, len(inputs), expected)),
        same_target=same,
        places=tuple(np.flatnonzero(found)[:8].tolist()),
    )


def distinct_share(inputs: NDArray[np.uint64]) -> float:
    """Of rows, how many are different ones."""
    return len(np.unique(inputs)) / len(inputs)


def _again(hashes: NDArray[np.uint64]) -> float:
    """The share of rows that occur once more, and what is left open by so few."""
    _, counts = np.unique(hashes, return_counts=True)
    return min(1.0, (float(counts[counts > 1].sum()) + _SLACK) / len(hashes))


def _by_pairs(hashes: NDArray[np.uint64], rows: int) -> float:
    """The chance that a row is among so many others, as it follows from how often rows of this split are equal.

    With a rate r of equal rows a row, 1 - (1 - p)^m = r for m rows, the chance among n is 1 - (1 - r)^(n / m).
    """
    rate = min(_again(hashes), 1 - 1e-9)
    return 1 - (1 - rate) ** max(1.0, rows / len(hashes))
