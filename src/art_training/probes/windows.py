"""Whether windows of one split overlap with windows of another: the end of one is the beginning of the next."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from art_training.probes.rows import SplitRows
from art_training.setup.data.hashing import row_hashes

_MOST_ROWS = 4_000
_MOST_STRIDE = 32
_DISTINCT = 0.9


@dataclass(frozen=True)
class Between:
    """Windows of a split that lie between windows of training.

    Attributes:
        stride: by how many steps one window begins after the other.
        both: windows that overlap with one of training on either side.
        one: on one side at least.
        of: windows of the split.
        length: of a window.
    """

    stride: int
    both: int
    one: int
    of: int
    length: int


def between(train: SplitRows, rows: SplitRows) -> Between | None:
    """The stride at which most windows overlap; None where inputs are no windows of numbers that hardly ever repeat."""
    if train.values is None or rows.values is None or train.integral or len(train.shape) not in {1, 2}:
        return None
    if train.shape != rows.shape or max(train.shape) < 4:
        return None
    mine, theirs = rows.values[:_MOST_ROWS], train.values[:_MOST_ROWS]
    if min(len(mine), len(theirs)) < 16 or len(np.unique(theirs, axis=0)) < _DISTINCT * len(theirs):
        return None
    if len(np.unique(theirs)) < len(theirs) / 2:  # of so few numbers pieces are equal by chance
        return None
    found = [
        one
        for axis in range(1, 1 + len(train.shape))
        if (one := _along(mine.reshape(-1, *rows.shape), theirs.reshape(-1, *train.shape), axis)) is not None
    ]
    return max(found, key=lambda one: one.both, default=None)


def _along(mine: NDArray[np.float32], theirs: NDArray[np.float32], axis: int) -> Between | None:
    length = mine.shape[axis]
    best: Between | None = None
    for stride in range(1, min(_MOST_STRIDE, length - 2) + 1):
        begins, ends = slice(0, length - stride), slice(stride, length)
        after = np.isin(_part(mine, axis, begins), _part(theirs, axis, ends))  # of training the one before
        before = np.isin(_part(mine, axis, ends), _part(theirs, axis, begins))
        one = Between(stride, int((after & before).sum()), int((after | before).sum()), len(mine), length)
        if best is None or one.both > best.both:
            best = one
        if one.both > len(mine) / 2:
            break
    return best


def _part(windows: NDArray[np.float32], axis: int, piece: slice) -> NDArray[np.uint64]:
    index = [slice(None)] * windows.ndim
    index[axis] = piece
    return row_hashes([np.ascontiguousarray(windows[tuple(index)])], len(windows))
