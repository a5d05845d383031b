"""How many rows of one split are in another, and how many would be by chance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from art_training.probes.rows import SplitRows

_SLACK = 3.0  # rule of three: none in n rows leaves a share of up to 3 / n (Hanley and Lippman-Hand, JAMA 1983)
_SMALL = 1e-3  # a chance that is worth a closer look
_OFTEN = 0.1  # of the rows, that few values in each column explain
_ERRORS = 3.0  # standard errors that are left open of a share that was counted
_MOST_VALUES = 4_000_000  # numbers of a table, whose values are counted column by column


@dataclass(frozen=True)
class Overlap:
    """Rows of one split whose inputs are in another.

    Attributes:
        shared: how many.
        of: how many rows the split has.
        expected: the largest share that equal rows by chance explain.
        chance: of so many or more by it: of rows, and of different ones among them; the larger of both.
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
    within the splits: the chance that a row of the other split occurs in it once more (Good and Turing's estimate), and the
    chance that two rows of this one are equal. The smaller of both explains an overlap, since repeating rows on purpose raises
    the first only. A split that holds each of few values once, as a grid or a week of hours does, has no equal rows and still
    can have no others: where columns that vary apart from each other would give as many rows, any overlap is by chance.

    Args:
        inputs: hashes of the split's rows.
        targets: likewise; may be empty.
        other: the split that they must not be in.
    """
    if not len(inputs) or not len(other.inputs):
        return None
    found = np.isin(inputs, other.inputs)
    shared, different = int(found.sum()), len(np.unique(inputs[found]))
    again = _again(other.inputs)
    expected = min(again, _by_pairs(inputs, len(other.inputs)))

    def chance() -> float:
        of_rows = float(binom.sf(shared - 1, len(inputs), expected))
        # One row that a split repeats, such as an empty one, is one that is in both.
        return max(of_rows, float(binom.sf(different - 1, len(np.unique(inputs)), expected)))

    if chance() < _SMALL and _by_columns(other) >= _OFTEN:  # asked last, since counting columns takes time
        expected = 1.0
    same = None
    if shared and len(targets) == len(inputs) and len(other.targets) == len(other.inputs):
        pairs = set(zip(other.inputs.tolist(), other.targets.tolist(), strict=True))
        both = zip(inputs[found].tolist(), targets[found].tolist(), strict=True)
        same = sum(pair in pairs for pair in both) / shared
    return Overlap(
        shared=shared,
        of=len(inputs),
        expected=expected,
        chance=chance(),
        same_target=same,
        places=tuple(np.flatnonzero(found)[:8].tolist()),
    )


def distinct_share(inputs: NDArray[np.uint64]) -> float:
    """Of rows, how many are different ones."""
    return len(np.unique(inputs)) / len(inputs)


def _again(hashes: NDArray[np.uint64]) -> float:
    """The share of rows that occur once more, and what is left open by so few: the rule of three, and errors of the share.

    Variance of Good and Turing's estimate: Esty, Annals of Statistics 11 (1983), of the rows that occur once and twice.
    """
    _, counts = np.unique(hashes, return_counts=True)
    rows, once, twice = len(hashes), int((counts == 1).sum()), int((counts == 2).sum())
    error = (once * (1 - once / rows) + 2 * twice) ** 0.5
    return min(1.0, (rows - once + _SLACK + _ERRORS * error) / rows)


def _by_pairs(hashes: NDArray[np.uint64], rows: int) -> float:
    """The chance that a row is among so many others, as it follows from how often rows of this split are equal.

    With a rate r of equal rows a row, 1 - (1 - p)^m = r for m rows, the chance among n is 1 - (1 - r)^(n / m).
    """
    rate = min(_again(hashes), 1 - 1e-9)
    return 1 - (1 - rate) ** max(1.0, rows / len(hashes))


def _by_columns(rows: SplitRows) -> float:
    """The chance that a row is among these, were each of its numbers drawn apart from the others, as often as here."""
    table = rows.values
    if table is None or not table.size or table.size > _MOST_VALUES:
        return 0.0
    flat = table.reshape(len(table), -1)
    likely = np.ones(len(flat))
    for column in flat.T:
        _, which, counts = np.unique(column, return_inverse=True, return_counts=True)
        likely *= ((counts - 1) / max(1, len(flat) - 1))[
            which
        ]  # of the other rows: a value that is there once tells nothing
    return float((1 - (1 - likely) ** len(rows.inputs)).mean())
