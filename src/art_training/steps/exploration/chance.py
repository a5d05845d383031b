"""How often examples are equal by chance: a table of a few categories repeats itself, and nobody copied anything."""

import math
from typing import TYPE_CHECKING, Any

from art_training.setup.data.hashing import mixed
from art_training.steps.exploration.one_column import likely, single

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW_INPUTS = "nothing, if so few different inputs are meant; else add what tells the examples apart"
COPIED = "whether somebody copied examples"

_CUTS = 32
_HALVES = 4  # cuts into columns that are drawn at random
_PART = 1 << 20  # words that are worked on at a time
_DEVIATIONS = 3.0
_TOLD = 0.0001  # share from which on chance is worth a word
_DEPENDENT = (
    30.0  # times as likely as independent halves make it: as where there are thirty kinds of examples, none rare
)
_OFTEN = 10  # times that a row occurs, above which it is a frequent one, if its halves occur without each other as well
_FEW = (0.02, 0.1, 0.3)  # shares of rows that come close in a column
_PARTS = (1, 2, 4)  # that the other columns are cut into
_BY_CHANCE = 0.05  # pairs in the whole data that may be so close
_ALONE = 0.02  # times that, of a pair that no others bear out
_NEAR_VALUES = 500_000  # numbers that one row is compared with


class Chance:
    """How often independent draws are equal, estimated from a sample of them, without counting on their being no copies.

    An example is cut in two. If its halves have nothing to do with each other, it is drawn with the product of the
    frequencies of its halves, each counted where the other half is another one. So no copy makes itself likely: what was
    copied has halves that occur together only. Of many cuts the one counts by which equality is the likeliest.

    Halves that depend on each other make it look less likely than it is. So there is a second estimate, of what chance may
    bring about at most: thirty times as much, as in a mixture of thirty kinds of examples, and a row that is there often, and
    whose halves also occur apart, is taken to be a frequent one. Between the two estimates nothing can be told.

    What has one column, or one variable in many (a single one-hot code), cannot be cut so; see `one_column`.
    """

    def __init__(self, columns: "list[NDArray[Any]]", count: int) -> None:
        """Estimate it.

        Args:
            columns: numbers with a row an example.
            count: how many examples.
        """
        import numpy as np

        self._likely: list[NDArray[Any]] = []
        self._frequent: list[NDArray[Any]] = self._likely
        self._most: list[NDArray[Any]] = []
        if not columns or count < 2:
            return
        values = single(columns, count)
        if values is not None and values.dtype.kind != "c":
            found = likely(values)
            self._likely, self._frequent = [found.seen], [found.frequent]
            self._most = [np.maximum(found.seen, found.frequent)]
            return
        words = [_words(column, count) for column in columns]
        table = np.concatenate(words, 1) if len(words) > 1 else words[0]
        most = np.zeros(count)
        for halves in _cut(table):
            one, other = (_counts(half) for half in halves)
            both = _counts(halves[0] + mixed(halves[1]))
            found = together((one - both) / count, (other - both) / count)
            if found.any():
                self._likely.append(found)
                most = np.maximum(most, at_most(found, both))
        self._most = [most]

    def share(self, others: int, *, most: bool = False) -> float:
        """How many of examples, as a share, are expected to equal one of so many others.

        Args:
            others: how many.
            most: whatever depends on whatever; else as of independent parts.
        """
        import numpy as np

        likely = self._most if most else self._likely
        return max((float(-np.expm1(-others * one).mean()) for one in likely), default=0.0)

    def repeating(self, examples: int, *, most: bool = False) -> float:
        """How many of so many examples, as a share, are expected to equal one before them; see `share`."""
        import numpy as np

        best = 0.0
        for one in self._most if most else self._frequent:
            expected = np.maximum(examples * one, 1e-12)
            best = max(best, float((1 + np.expm1(-expected) / expected).mean()))
        return best


def beyond(share: float, by_chance: float, examples: int) -> float:
    """What of an observed share is more than chance brings about: three standard errors above what it does on average."""
    error = (by_chance * (1 - by_chance) / max(1, examples)) ** 0.5
    return max(0.0, share - by_chance - _DEVIATIONS * error)


def at_most(likely: "NDArray[Any]", counts: "NDArray[Any]") -> "NDArray[Any]":
    """How likely rows may be whose parts depend on each other.

    Args:
        likely: (rows,) how likely each is if they do not.
        counts: (rows,) how often each is there.
    """
    import numpy as np

    return np.where((likely > 0) & (counts > _OFTEN), 1.0, np.minimum(1.0, _DEPENDENT * likely))


def chance_told(share: float, by_chance: float, most: float, examples: int, *, does: str, unknown: str) -> str:
    """What chance brings about, in words; nothing where it brings about nothing.

    Args:
        share: of examples that are equal.
        by_chance: what independent parts would bring about.
        most: what chance may bring about.
        examples: of which it is the share.
        does: what about them is by chance, as a verb that follows `lets 3 %`.
        unknown: the question that stays open between the two estimates.
    """
    if beyond(share, by_chance, examples) and not beyond(share, most, examples):
        least = f"at least {by_chance:.2%}" if by_chance >= _TOLD else "some of so few different inputs"
        return f"; chance alone lets {least} {does}, more where columns depend on each other: {unknown} cannot be told"
    return f"; chance alone lets about {by_chance:.2%} {does}" if by_chance >= _TOLD else ""


class Near:
    """Whether a row has so close a neighbour by chance, by the same cuts.

    In a table of categories and a few numbers, rows come close that have the same categories. Then others come as close in one
    half of the columns, and still others in the other half, without being alike as a whole; what was copied is alone
    in one half at least, however it is cut. So with more parts: each column in which few rows come so close, and all others
    together, whose product says how many pairs are so close in the whole data.
    """

    def __init__(self, table: "NDArray[Any]", examples: int) -> None:
        """Take in rows of comparable numbers.

        Args:
            table: the rows.
            examples: how many there are in the whole data.
        """
        import numpy as np

        width = table.shape[1]
        self._table = table[: max(1, _NEAR_VALUES // max(1, width))]
        self._pairs = examples**2 / 2
        ends = np.unique(np.rint(np.linspace(1, width - 1, min(width - 1, _CUTS))))
        cuts = np.arange(width)[:, None] < ends[None]
        drawn = np.random.default_rng(0).random((width, _HALVES)) < 0.5
        self._halves = np.concatenate([cuts, drawn], 1).astype(np.float32)

    def by_chance(self, row: "NDArray[Any]", apart: float, limit: float, *, alone: bool = False) -> bool:
        """Whether chance brings rows within `apart` of `row`; what is within `limit` of it as a whole is no witness.

        Args:
            row: one of a pair.
            apart: how far the other is.
            limit: how far those of a pair may be apart.
            alone: whether there are hardly other pairs. Then it must be much less likely, as one of twenty clean tables has
                a pair that is expected in one of twenty.
        """
        import numpy as np

        most = _BY_CHANCE * _ALONE if alone else _BY_CHANCE
        squares = (self._table - row) ** 2
        others, near = squares[squares.sum(1) > limit**2], apart**2
        one, other = ((others @ halves <= near).any(0) for halves in (self._halves, 1 - self._halves))
        if (one & other).any():
            return True
        share = np.maximum((others <= near).sum(0), 0.5) / len(squares)  # of none, no less is known than a half
        for few in (share < largest for largest in _FEW):
            together = max(_share_within(others[:, ~few], near, parts) for parts in _PARTS)
            if self._pairs * together * share[few].prod() > most:
                return True
        return False


def _share_within(squares: "NDArray[Any]", near: float, parts: int) -> float:
    """The share of rows that are near in all of some columns, as the product of what it is in parts of them.

    Of categories, few rows or none have all in common, though each of them is common.
    """
    import numpy as np

    shares = [float((part.sum(1) <= near).mean()) for part in np.array_split(squares, parts, axis=1) if part.shape[1]]
    return math.prod(shares)


def together(one: "NDArray[Any]", other: "NDArray[Any]") -> "NDArray[Any]":
    """How often independent halves occur together, p q, where p (1 - q) and q (1 - p) are given."""
    import numpy as np

    apart = 1 + one - other  # 1 + p - q
    both = (apart - np.sqrt(np.maximum(apart**2 - 4 * one, 0))) / 2 - one
    return np.where((one > 0) & (other > 0), np.maximum(both, 0), 0)


def _words(column: "NDArray[Any]", count: int) -> "NDArray[Any]":
    """(rows, columns) each number as a word of 64 bits."""
    import numpy as np

    flat = column.reshape(count, -1)
    if flat.dtype.kind == "c":
        flat = np.concatenate([np.real(flat), np.imag(flat)], 1)
    wide = flat.astype(np.float64 if flat.dtype.kind == "f" else np.int64)
    return np.ascontiguousarray(wide).view(np.uint64)


def _cut(table: "NDArray[Any]") -> "list[tuple[NDArray[Any], NDArray[Any]]]":
    """Pairs of (rows,) hashes of one half of the columns and of the other, for each of some ways to cut."""
    import numpy as np

    count, width = table.shape
    if width < 2:
        return []
    even = np.linspace(1, width - 1, min(width - 1, _CUTS // 2))
    early = np.geomspace(1, width - 1, min(width - 1, _CUTS // 2))  # short sequences end early
    places = np.arange(1, width) if width <= _CUTS else np.unique(np.rint(np.concatenate([even, early]))).astype(int)
    drawn = np.random.default_rng(0).random((_HALVES, width)) < 0.5
    keys = mixed(np.arange(1, width + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    first = np.empty((len(places) + _HALVES, count), np.uint64)
    whole = np.empty(count, np.uint64)
    step = max(1, _PART // width)
    for row in range(0, count, step):
        terms = mixed(table[row : row + step] + keys)
        sums = np.cumsum(terms, 1, dtype=np.uint64)
        first[: len(places), row : row + step] = sums[:, places - 1].T
        for number, chosen in enumerate(drawn):
            first[len(places) + number, row : row + step] = terms[:, chosen].sum(1, dtype=np.uint64)
        whole[row : row + step] = sums[:, -1]
    return [(one, whole - one) for one in first]


def _counts(hashes: "NDArray[Any]") -> "NDArray[Any]":
    """(rows,) how many rows have this row's hash."""
    import numpy as np

    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return counts[inverse].astype(np.float64)
