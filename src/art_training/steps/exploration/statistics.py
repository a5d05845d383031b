"""Statistics of features, gathered batch by batch in memory that does not grow with the data."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

LISTED = 100


class FeatureStatistics:
    """Count, mean, standard deviation, minimum and maximum of each feature over all rows; NaN and infinity are left out.

    Moments are merged batch by batch (Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for
    Computing Sample Variances", equation 2.1). Rows of varying width (padded sequences) have no features of their own;
    from the first such row on, all values count as one feature.
    """

    def __init__(self) -> None:
        self._shape: tuple[int, ...] | None = None
        self.pooled = False
        self.count: NDArray[Any]
        self.mean: NDArray[Any]
        self.square: NDArray[Any]  # sum of squared differences from the mean
        self.low: NDArray[Any]
        self.high: NDArray[Any]

    @property
    def features(self) -> int:
        """How many features there are."""
        return 0 if self._shape is None else len(self.count)

    def add(self, values: "NDArray[Any]") -> None:
        """Take in rows; `values` is (rows, ...)."""
        import numpy as np

        shape = values.shape[1:]
        table = values.reshape(len(values), -1).astype(np.float64)
        if self._shape is not None and shape != self._shape and not self.pooled:
            self._pool()
        if self.pooled:
            table = table.reshape(-1, 1)
        moments = _moments(table)
        if self._shape is None:
            self._shape = shape
            self.count, self.mean, self.square, self.low, self.high = moments
            return
        self._merge(*moments)

    @property
    def constant(self) -> int:
        """How many features never vary."""
        return int(((self.low == self.high) & (self.count > 1)).sum())

    def table(self) -> dict[str, Any]:
        """The statistics as plain data: over all features, and of each where there are not too many."""
        if self._shape is None:
            return {}
        told: dict[str, Any] = {"features": self.features, "shape": None if self.pooled else list(self._shape)}
        told |= self._row(*_pooled(self.count, self.mean, self.square), self.low.min(), self.high.max())
        told["constant_features"] = self.constant
        if 1 < self.features <= LISTED:
            rows = zip(self.count, self.mean, self.square, self.low, self.high, strict=True)
            told["each"] = [self._row(*row) for row in rows]
        return told

    def _row(self, count: Any, mean: Any, square: Any, low: Any, high: Any) -> dict[str, float]:
        if not count:
            return {"count": 0}
        deviation = float(square / count) ** 0.5
        return {"count": int(count), "mean": float(mean), "std": deviation, "min": float(low), "max": float(high)}

    def _pool(self) -> None:
        import numpy as np

        self.pooled = True
        self.low, self.high = np.array([self.low.min()]), np.array([self.high.max()])
        count, mean, square = _pooled(self.count, self.mean, self.square)
        self.count, self.mean, self.square = np.array([count]), np.array([mean]), np.array([square])

    def _merge(self, count: Any, mean: Any, square: Any, low: Any, high: Any) -> None:
        import numpy as np

        total = self.count + count
        difference = mean - self.mean
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(total > 0, count / total, 0.0)
        self.square = self.square + square + difference**2 * self.count * share
        self.mean = self.mean + difference * share
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self.count = total


def _moments(table: "NDArray[Any]") -> tuple[Any, Any, Any, Any, Any]:
    """Count, mean, sum of squares, minimum and maximum of the finite values of each column."""
    import numpy as np

    finite = np.isfinite(table)
    count = finite.sum(0)
    known = np.where(finite, table, 0.0)
    mean = known.sum(0) / np.maximum(count, 1)
    square = (np.where(finite, known - mean, 0.0) ** 2).sum(0)
    return count, mean, square, np.where(finite, table, np.inf).min(0), np.where(finite, table, -np.inf).max(0)


def _pooled(count: Any, mean: Any, square: Any) -> tuple[int, float, float]:
    """The moments of all features together."""
    total = int(count.sum())
    if not total:
        return 0, 0.0, 0.0
    together = float((mean * count).sum() / total)
    return total, together, float(square.sum() + (count * (mean - together) ** 2).sum())
