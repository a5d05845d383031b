"""Statistics of features, gathered batch by batch in memory that does not grow with the data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

LISTED = 100


@dataclass
class _Moments:
    """Of each feature: how many finite values, their mean, sum of squared differences from it, both ends, and where."""

    count: "NDArray[Any]"
    mean: "NDArray[Any]"
    square: "NDArray[Any]"
    low: "NDArray[Any]"
    high: "NDArray[Any]"
    low_at: "NDArray[Any]"
    high_at: "NDArray[Any]"


class FeatureStatistics:
    """Count, mean, standard deviation, minimum and maximum of each feature over all rows; NaN and infinity are left out.

    Moments are merged batch by batch (Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for
    Computing Sample Variances", equation 2.1). Rows of varying width (padded sequences) have no features of their own;
    from the first such row on, all values count as one feature.

    Attributes:
        pooled: whether all values count as one feature.
        shape: of a row; None before the first.
    """

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None
        self.pooled = False
        self._all: _Moments

    @property
    def features(self) -> int:
        """How many features there are."""
        return 0 if self.shape is None else len(self._all.count)

    @property
    def count(self) -> "NDArray[Any]":
        """(features,) finite values."""
        return self._all.count

    @property
    def mean(self) -> "NDArray[Any]":
        """(features,) their means."""
        return self._all.mean

    @property
    def square(self) -> "NDArray[Any]":
        """(features,) sums of squared differences from the mean."""
        return self._all.square

    @property
    def low(self) -> "NDArray[Any]":
        """(features,) minima; infinite where there is no finite value."""
        return self._all.low

    @property
    def high(self) -> "NDArray[Any]":
        """(features,) maxima, likewise."""
        return self._all.high

    @property
    def low_at(self) -> "NDArray[Any]":
        """(features,) the first row that has the minimum."""
        return self._all.low_at

    @property
    def high_at(self) -> "NDArray[Any]":
        """(features,) likewise of the maximum."""
        return self._all.high_at

    def add(self, values: "NDArray[Any]", first: int = 0) -> None:
        """Take in rows; `values` is (rows, ...), and `first` is the place of the first of them."""
        import numpy as np

        shape = values.shape[1:]
        table = values.reshape(len(values), -1).astype(np.float64)
        if not table.size:
            return
        if self.shape is not None and shape != self.shape and not self.pooled:
            self._pool()
        rows_of, width = (1, table.shape[1]) if self.pooled else (table.shape[1], 1)
        with np.errstate(over="ignore", invalid="ignore"):  # squares of the largest numbers are infinite, and told so
            moments = _moments(table.reshape(-1, rows_of), first, width)
            if self.shape is None:
                self.shape, self._all = shape, moments
                return
            self._merge(moments)

    @property
    def constant(self) -> int:
        """How many features never vary."""
        return 0 if self.shape is None else int(((self.low == self.high) & (self.count > 1)).sum())

    def table(self) -> dict[str, Any]:
        """The statistics as plain data: over all features, and of each where there are not too many."""
        if self.shape is None:
            return {}
        told: dict[str, Any] = {"features": self.features, "shape": None if self.pooled else list(self.shape)}
        told |= _row(*_pooled(self.count, self.mean, self.square), self.low.min(), self.high.max())
        told["constant_features"] = self.constant
        if 1 < self.features <= LISTED:
            rows = zip(self.count, self.mean, self.square, self.low, self.high, strict=True)
            told["each"] = [_row(*row) for row in rows]
        return told

    def _pool(self) -> None:
        import numpy as np

        self.pooled = True
        last, lowest, highest = self._all, int(self.low.argmin()), int(self.high.argmax())
        count, mean, square = _pooled(last.count, last.mean, last.square)
        self._all = _Moments(
            np.array([count]), np.array([mean]), np.array([square]),
            last.low[[lowest]], last.high[[highest]], last.low_at[[lowest]], last.high_at[[highest]],
        )  # fmt: skip

    def _merge(self, new: _Moments) -> None:
        import numpy as np

        last = self._all
        total = last.count + new.count
        difference = new.mean - last.mean
        share = new.count / np.maximum(total, 1)
        lower, higher = new.low < last.low, new.high > last.high
        self._all = _Moments(
            count=total,
            mean=last.mean + difference * share,
            square=last.square + new.square + difference**2 * last.count * share,
            low=np.where(lower, new.low, last.low),
            high=np.where(higher, new.high, last.high),
            low_at=np.where(lower, new.low_at, last.low_at),
            high_at=np.where(higher, new.high_at, last.high_at),
        )


def _moments(table: "NDArray[Any]", first: int, width: int) -> _Moments:
    """Of the finite values of each column; `width` rows of the table are one of the batch."""
    import numpy as np

    finite = np.isfinite(table)
    if finite.all():  # which is usual, and takes a fraction of the time
        count, known, low, high = np.full(table.shape[1], len(table)), table, table, table
    else:
        count = finite.sum(0)
        known = np.where(finite, table, 0.0)
        low, high = np.where(finite, table, np.inf), np.where(finite, table, -np.inf)
    mean = known.sum(0) / np.maximum(count, 1)
    apart = np.where(finite, known - mean, 0.0) if known is not table else table - mean
    square = np.einsum("ij,ij->j", apart, apart)
    lowest, highest = low.argmin(0), high.argmax(0)
    columns = np.arange(table.shape[1])
    return _Moments(
        count, mean, square, low[lowest, columns], high[highest, columns],
        first + lowest // width, first + highest // width,
    )  # fmt: skip


def _row(count: Any, mean: Any, square: Any, low: Any, high: Any) -> dict[str, float]:
    if not count:
        return {"count": 0}
    deviation = float(square / count) ** 0.5
    return {"count": int(count), "mean": float(mean), "std": deviation, "min": float(low), "max": float(high)}


def _pooled(count: Any, mean: Any, square: Any) -> tuple[int, float, float]:
    """The moments of all features together."""
    import numpy as np

    total = int(count.sum())
    if not total:
        return 0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        together = float((mean * count).sum() / total)
        return total, together, float(square.sum() + (count * (mean - together) ** 2).sum())
