"""How often values of one column are equal by chance, which no cut into halves can tell.

Two things make values equal without anybody copying: that only certain values are possible, as of what was counted or
rounded, and that some are frequent, as of categories. Neither is told by the values that repeat, because those may be
copies: the first is told by the different values, which lie on a grid that they fill, and the second by values so
frequent that nobody copies a row as often, or by codes of which hardly any occurs once.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OFTEN = 10  # times that a value occurs, above which it is a frequent one and no copy
_BLOCK = 100  # different values, side by side, among which a grid has one width
_SMALL_BLOCK = 20  # where all values have one grid, and how densely they fill it changes faster
_OFF = 0.05  # of a grid's width that a value may lie beside it
_FILLED = 0.5  # share of a grid that is occupied, from which on frequencies say more than density
_PARTS = 4  # places that the smallest gap between different values is tried to have
_EXACT = 1e-9
_SURE = 20.0  # times as likely as its frequency says; beyond, nothing changes


def single(columns: "Sequence[NDArray[Any]]", count: int) -> "NDArray[Any] | None":
    """(rows,) the only number of an example that varies, or its single one-hot code; None where there is neither.

    Args:
        columns: numbers with a row an example.
        count: how many examples.
    """
    import numpy as np

    flat = [column.reshape(count, -1) for column in columns]
    varying = [table[:, (table != table[:1]).any(0)] for table in flat]
    width = sum(table.shape[1] for table in varying)
    if width == 1:
        return next(table[:, 0] for table in varying if table.shape[1])
    if width < 2 or any(not ((table != 0).sum(1) <= 1).all() for table in varying):
        return None
    table = np.concatenate(varying, 1)
    on = table != 0
    return on.argmax(1) if (on.sum(1) == 1).all() and len(np.unique(table[on])) == 1 else None


class Likely(NamedTuple):
    """How likely another draw is to be equal to each of some values, in two ways that err to the careful side.

    Attributes:
        seen: (rows,) so that as many draws are equal to an earlier one as leaving each out says.
        frequent: (rows,) as frequent as it is in the sample, so that no frequent value is expected to repeat less than
            it does.
    """

    seen: "NDArray[Any]"
    frequent: "NDArray[Any]"


def likely(values: "NDArray[Any]") -> Likely:
    """How likely another draw is to be equal to each of these values.

    Args:
        values: (rows,) numbers, a sample of independent draws but for what was copied.
    """
    import numpy as np

    distinct, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    count = len(values)
    expected = _at_a_place(distinct.astype(np.float64))
    codes = bool((distinct == np.rint(distinct)).all()) and (counts == 1).sum() < count / 2
    frequent = (counts > _OFTEN) | (expected > -np.log(1 - _FILLED)) | codes
    share = np.where(frequent, counts, expected) / count
    factor = np.where(frequent, _factor(counts[frequent]), 1.0)
    return Likely((share * factor)[inverse], share[inverse])


def _at_a_place(distinct: "NDArray[Any]") -> "NDArray[Any]":
    """(values,) draws expected at one place of the grid that ascending values lie on; 0 where they lie on none.

    Of places on which draws fall evenly, a share 1 - exp(-expected) is occupied.
    """
    import numpy as np

    found = np.zeros(len(distinct))
    whole = _width(distinct)
    size = _BLOCK if whole is None else _SMALL_BLOCK
    for block in np.array_split(np.arange(len(distinct)), max(1, len(distinct) // size)):
        width = whole or _width(distinct[block])  # of numbers of few binary digits, it grows with them
        if width is None:
            continue
        places, others = np.rint((distinct[block[-1]] - distinct[block[0]]) / width), len(block) - 1
        found[block] = -np.log1p(-others / places) if others < places else np.inf
    return found


def _width(distinct: "NDArray[Any]") -> float | None:
    """The distance of neighbouring places of the grid that all of some ascending values lie on; None where there is none."""
    import numpy as np

    gaps = np.diff(distinct)
    if not len(gaps):
        return 1.0
    for parts in range(1, _PARTS + 1):  # the smallest gap may be of several places
        width = float(gaps.min()) / parts
        places = gaps / width
        rounding = 4 * np.spacing(np.abs(distinct[[0, -1]]).max().astype(np.float32)) / width
        if rounding < _FILLED and (np.abs(places - np.rint(places)) <= _OFF + rounding).all():
            return width
    return None


def _factor(counts: "NDArray[Any]") -> float:
    """What frequencies are to be multiplied by, so that as many draws are seen again as leaving each out says.

    Of a sample, the share of draws whose value occurs once is the share of further draws that are new (Good, The population
    frequencies of species and the estimation of population parameters, Biometrika 40, 1953).
    """
    import numpy as np

    draws = max(1, counts.sum())
    seen = 1 - (counts == 1).sum() / draws

    def again(factor: float) -> float:
        return float((counts * -np.expm1(-factor * counts)).sum() / draws)

    low, high = 0.0, _SURE
    if abs(again(1.0) - seen) < _EXACT:
        return 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if again(middle) < seen else (low, middle)
    return high
