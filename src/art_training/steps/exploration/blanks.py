"""How often an example holds one and the same value by chance: in a table of a few categories, many a row is all zeros."""

from typing import TYPE_CHECKING, Any, NamedTuple

from art_training.steps.exploration.chance import at_most, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CUTS = 32
_VALUES = 20_000_000  # that are compared


class Blanks(NamedTuple):
    """Shares of examples.

    Attributes:
        likely: that hold one value by chance, if one half of the columns has nothing to do with the other.
        most: that may do so, if it has.
    """

    likely: float
    most: float


def same_everywhere(columns: "Sequence[NDArray[Any]]", count: int) -> "NDArray[Any]":
    """(rows, compared) whether each number is equal to the first of its entry; entries of one number make one together.

    An age beside an image tells nothing of the image; the ages, heights and weights of a table are a row.

    Args:
        columns: numbers with a row an example.
        count: how many examples.
    """
    import numpy as np

    flat = [column.reshape(count, -1) for column in columns]
    single = [table for table in flat if table.shape[1] == 1]
    tables = [table for table in flat if table.shape[1] > 1]
    if len(single) > 1:
        tables.append(np.concatenate(single, 1))
    equal = [table[:, 1:] == table[:, :1] for table in tables]
    return np.concatenate(equal, 1) if equal else np.zeros((count, 0), bool)


def blanks_of(columns: "Sequence[NDArray[Any]]", count: int) -> Blanks:
    """Estimate it from a sample, without counting on no example of it being blank for a reason.

    As of equal rows (see `Chance`), columns are cut in two, and rows count of which one half only holds one value. Pictures
    and series have an order, in which many a half is blank and no whole is by chance: of them, nothing is estimated.

    Args:
        columns: numbers with a row an example.
        count: how many examples.
    """
    import numpy as np

    if not count or any(column.ndim > 2 for column in columns):
        return Blanks(0.0, 0.0)
    kept = min(count, max(1, _VALUES // max(1, sum(column[:1].size for column in columns))))
    same = same_everywhere([column[:kept] for column in columns], kept)
    width = same.shape[1]
    if width < 2:
        return Blanks(0.0, 0.0)
    whole = same.all(1)
    fore, aft = (
        np.where(whole, -1, (~one).argmax(1)) for one in (same, same[:, ::-1])
    )  # how many from an end are the same
    cuts = np.unique(np.rint(np.linspace(1, width - 1, min(width - 1, _CUTS))))
    one, other = (
        np.array([(ends >= least).mean() for least in least_of])
        for ends, least_of in ((fore, cuts), (aft, width - cuts))
    )
    likely = together(one, other).max(keepdims=True)
    return Blanks(float(likely[0]), float(at_most(likely, whole.sum())[0]))
