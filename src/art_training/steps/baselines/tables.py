"""Batches as tables: flat features and targets, as models that are not neural take them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from art_training.setup.data.batch import as_array, entries, rows, size
from art_training.setup.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Flattening:
    """Makes one row of features of each example. The first batch decides how.

    Attributes:
        why_not: why there are no flat features; empty where there are.
        notes: what was left out.
        width: features of an example before any were left out.
    """

    def __init__(self, task: Task, *, most_features: int, seed: int) -> None:
        self.why_not = ""
        self.notes: list[str] = []
        self.width: int | None = None
        self._task = task
        self._most = most_features
        self._seed = seed
        self._chosen: NDArray[Any] | None = None

    def of(self, batch: Any) -> "NDArray[Any] | None":
        """(rows, features) in single precision, infinite values as NaN; None where the inputs are no flat table."""
        import numpy as np

        table = None if self.why_not else self._table(batch)
        if table is None:
            return None
        if self.width is None:
            self._decide(table.shape[1])
        elif table.shape[1] != self.width:
            self.why_not = (
                f"inputs vary in size ({self.width} values, then {table.shape[1]}), so that they are no table"
            )
            return None
        table = table if self._chosen is None else table[:, self._chosen]
        return np.where(np.isfinite(table), table, np.nan).astype(np.float32)

    def _table(self, batch: Any) -> "NDArray[Any] | None":
        import numpy as np

        found, count = entries(batch), size(batch)
        paths = [path for path in self._task.inputs if path in found] or [p for p in found if p != self._task.target]
        columns: list[NDArray[Any]] = []
        for path in paths:
            if rows(found[path]) != count:
                continue
            array = as_array(found[path])
            if array.dtype.kind not in "biuf":
                self.why_not = f"batch[{path}] holds no plain numbers"
                return None
            columns.append(array.reshape(count, -1))
        if not columns:
            self.why_not = "no input with one row an example was recognised"
            return None
        return np.concatenate(columns, 1)

    def _decide(self, width: int) -> None:
        import numpy as np

        self.width = width
        if width > self._most:
            drawn = np.random.default_rng(self._seed).choice(width, self._most, replace=False)
            self._chosen = np.sort(drawn)
            self.notes.append(f"fitted on {self._most:,} of {width:,} features, drawn with seed {self._seed}")


class Sample:
    """A uniform sample of rows out of a stream of unknown length, in the order of the stream; all rows where few.

    Each row draws a random key, and those with the smallest keys stay (Efraimidis and Spirakis 2006, with equal
    weights).

    Attributes:
        seen: how many rows came by.
    """

    def __init__(self, most: Callable[[int], int], *, seed: int) -> None:
        """Begin with nothing.

        Args:
            most: how many rows to keep, given how many numbers a row has.
            seed: of the keys.
        """
        import numpy as np

        self.seen = 0
        self.most = 0
        self._most_of = most
        self._generator = np.random.default_rng(seed)
        self._keys: list[NDArray[Any]] = []
        self._columns: list[list[NDArray[Any]]] = []
        self._held = 0

    def add(self, *columns: "NDArray[Any]") -> None:
        """Take in rows: arrays with one row an example, each time the same number of them."""
        count = len(columns[0])
        if not self.most:
            self.most = self._most_of(sum(column[:1].size for column in columns))
        self._keys.append(self._generator.random(count))
        self._columns.append(list(columns))
        self.seen += count
        self._held += count
        if self._held > 2 * self.most:
            self._prune()

    def taken(self) -> "list[NDArray[Any]]":
        """The sampled rows of each array; none where no rows came by."""
        if not self._keys:
            return []
        self._prune()
        return self._columns[0]

    def _prune(self) -> None:
        import numpy as np

        keys = np.concatenate(self._keys)
        columns = [np.concatenate(parts) for parts in zip(*self._columns, strict=True)]
        if len(keys) > self.most:
            kept = np.sort(np.argpartition(keys, self.most)[: self.most])
            keys, columns = keys[kept], [column[kept] for column in columns]
        self._keys, self._columns, self._held = [keys], [columns], len(keys)
