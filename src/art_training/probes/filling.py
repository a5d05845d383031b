"""What fills sequences up where they are as long as the longest of their batch, told by the batches alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST_RUNS = (
    3  # different numbers of positions that are filled up, in all: chance gives a token twice in a row seldom
)
_FEWEST_RUNS_ALONE = 5  # where nothing else tells that they are filled up
_MOST_TRIED = 16  # tokens at an end, the most frequent first


@dataclass(frozen=True)
class Filler:
    """The token, or number, that stands behind, or before, those of a sequence.

    Attributes:
        token: its number.
        at_end: whether it stands behind them.
        share: of all positions.
    """

    token: float
    at_end: bool
    share: float


def filler(tables: "Sequence[NDArray[Any]]") -> Filler | None:
    """The token that fills sequences up; None where none does beyond doubt.

    It stands at one end alone, in runs of at least three different lengths; batches have different widths, and in each of them
    one row is whole, which gave the batch its width.

    Args:
        tables: (rows, positions) of whole numbers, one for each batch.
    """
    if len({one.shape[1] for one in tables}) < 2:
        return None
    for at_end in (True, False):
        found = _at(tables, at_end)
        if found is not None:
            return found
    return None


def filler_of_one_width(tables: "Sequence[NDArray[Any]]") -> Filler | None:
    """What stands at one end of rows alone, where all batches have one width; None where nothing does.

    It has runs of at least five different lengths. A state that lasts, once it is reached, looks like this too.

    Args:
        tables: (rows, positions), one for each batch; NaN equals nothing.
    """
    if len({one.shape[1] for one in tables}) != 1:
        return None
    table = np.concatenate(tables)
    for at_end in (True, False):
        found = _at((table,), at_end, _FEWEST_RUNS_ALONE, whole=False)
        if found is not None:
            return found
    return None


def filled_up(tables: "Sequence[NDArray[Any]]") -> "NDArray[Any] | None":
    """Rows of all batches in one table, those of narrower batches filled up further; None where nothing is known to fill them."""
    found = filler(tables)
    if found is None:
        return None
    width = max(one.shape[1] for one in tables)

    def widened(one: "NDArray[Any]") -> "NDArray[Any]":
        more = width - one.shape[1]
        return np.pad(one, ((0, 0), (0, more) if found.at_end else (more, 0)), constant_values=found.token)

    return np.concatenate([widened(one) for one in tables])


def runs(table: "NDArray[Any]", token: float, *, at_end: bool) -> "NDArray[np.int64]":
    """(rows,) how many positions at that end are the token."""
    same = table == token
    return (same[:, ::-1] if at_end else same).cumprod(1).sum(1)


def tells_lengths(entry: "NDArray[Any]", tokens: "NDArray[Any]") -> bool:
    """Whether an entry holds the lengths of these sequences: behind them stands one number alone, if anything does."""
    width = tokens.shape[1]
    if entry.ndim != 1 or entry.dtype.kind not in "iu" or len(entry) != len(tokens) or not len(entry):
        return False
    if entry.min() < 1 or entry.max() != width:
        return False
    behind = tokens[np.arange(width)[None] >= entry[:, None]]
    return not len(behind) or bool((behind == behind[0]).all())


def _at(
    tables: "Sequence[NDArray[Any]]", at_end: bool, fewest: int = _FEWEST_RUNS, *, whole: bool = True
) -> Filler | None:
    edges = np.concatenate([one[:, -1 if at_end else 0] for one in tables])
    edges = edges[edges == edges]  # noqa: PLR0124  Without NaN.
    numbers, counts = np.unique(edges, return_counts=True)
    often = [at for at in np.argsort(-counts, kind="stable")[:_MOST_TRIED] if counts[at] >= fewest]
    tried = (_by(tables, float(numbers[at]), at_end, fewest, whole=whole) for at in often)
    return next((found for found in tried if found is not None), None)


def _by(tables: "Sequence[NDArray[Any]]", token: float, at_end: bool, fewest: int, *, whole: bool) -> Filler | None:
    lengths = [runs(one, token, at_end=at_end) for one in tables]
    filled, all_of_it = sum(int(one.sum()) for one in lengths), sum(int((one == token).sum()) for one in tables)
    different = np.unique(np.concatenate(lengths))
    fits = not whole or all(int(one.min()) == 0 for one in lengths)
    if filled != all_of_it or not fits or (different > 0).sum() < fewest:
        return None
    return Filler(token, at_end, filled / sum(one.size for one in tables))
