"""A uniform sample of the rows of a stream, in memory that does not grow with it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Sampled:
    """Sampled rows.

    Attributes:
        indices: (rows,) places in the split, ascending.
        columns: (rows, ...) values by entry; of dtype object, one array or text each, where rows vary in shape.
        seen: how many rows they were drawn from.
    """

    indices: "NDArray[Any]"
    columns: Mapping[str, "NDArray[Any]"] = field(default_factory=dict[str, Any])
    seen: int = 0

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def note(self) -> str:
        """How many rows of how many, in words; empty where there are all."""
        return (
            "" if len(self) == self.seen else f"of {len(self):,} of {self.seen:,} examples, drawn with the step's seed"
        )


@dataclass
class _Chunk:
    keys: "NDArray[Any]"
    indices: "NDArray[Any]"
    values: "NDArray[Any]"
    columns: dict[str, "NDArray[Any]"]

    def where(self, kept: "NDArray[Any]") -> "_Chunk":
        columns = {path: column[kept] for path, column in self.columns.items()}
        return _Chunk(self.keys[kept], self.indices[kept], self.values[kept], columns)


class RowSample:
    """Draws rows out of a stream of unknown length; all of them where they are few.

    Each row draws a random key, and those with the smallest keys stay (Efraimidis and Spirakis, Weighted random
    sampling with a reservoir, 2006, with equal weights). A row that cannot stay is not copied. Rows may vary in shape.
    """

    def __init__(self, *, rows: int, values: int, seed: int) -> None:
        """Begin with nothing.

        Args:
            rows: the most rows.
            values: the most numbers in all of them; a single row may have more. Eight characters of a text count as one.
            seed: of the keys.
        """
        import numpy as np

        self._rows, self._values = rows, values
        self._generator = np.random.default_rng(seed)
        self._below = 1.0  # keys that large stay out
        self._chunks: list[_Chunk] = []
        self._held = self._held_values = self._seen = 0

    def add(self, columns: Mapping[str, "NDArray[Any]"], count: int) -> None:
        """Take in `count` rows, one array of (count, ...) an entry."""
        import numpy as np

        keys = self._generator.random(count)
        chosen = np.flatnonzero(keys < self._below)
        if len(chosen):
            columns = {path: column[chosen] for path, column in columns.items()}
            values = sum((_values_of(column) for column in columns.values()), np.zeros(len(chosen), np.int64))
            self._chunks.append(_Chunk(keys[chosen], chosen + self._seen, values, columns))
            self._held += len(chosen)
            self._held_values += int(values.sum())
        self._seen += count
        if self._held > 2 * self._rows or self._held_values > 2 * self._values:
            self._prune()

    def taken(self) -> Sampled:
        """What stayed."""
        import numpy as np

        if not self._chunks:
            return Sampled(np.empty(0, np.int64), seen=self._seen)
        if self._held > self._rows or self._held_values > self._values:
            self._prune()
        paths = list(dict.fromkeys(path for chunk in self._chunks for path in chunk.columns))
        complete = [path for path in paths if all(path in chunk.columns for chunk in self._chunks)]
        columns = {path: joined([chunk.columns[path] for chunk in self._chunks]) for path in complete}
        return Sampled(np.concatenate([chunk.indices for chunk in self._chunks]), columns, self._seen)

    def _prune(self) -> None:
        """Let go of the rows with the largest keys, until what is left is within the bounds; one row stays."""
        import numpy as np

        keys = np.concatenate([chunk.keys for chunk in self._chunks])
        order = np.argsort(keys)
        total = np.cumsum(np.concatenate([chunk.values for chunk in self._chunks])[order])
        most = max(1, min(self._rows, int(np.searchsorted(total, self._values, side="right"))))
        self._below = float(keys[order[min(most, len(order)) - 1]])
        pruned = [chunk.where(chunk.keys <= self._below) for chunk in self._chunks]
        self._chunks = [chunk for chunk in pruned if len(chunk.keys)]
        self._held = sum(len(chunk.keys) for chunk in self._chunks)
        self._held_values = sum(int(chunk.values.sum()) for chunk in self._chunks)


def _values_of(column: "NDArray[Any]") -> "NDArray[Any]":
    """(rows,) how many numbers each row of a column takes."""
    import numpy as np

    if column.dtype.kind != "O":
        return np.full(len(column), math.prod(column.shape[1:]), np.int64)
    return (
        np.fromiter((_size_of(value) for value in column.reshape(len(column), -1).flat), np.int64)
        .reshape(len(column), -1)
        .sum(1)
    )


def _size_of(value: Any) -> int:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return math.prod(shape)
    if isinstance(value, str | bytes):
        return 1 + len(value) // 8
    return sum(map(_size_of, cast("Sequence[Any]", value))) if isinstance(value, list | tuple) else 1


def joined(parts: "list[NDArray[Any]]") -> "NDArray[Any]":
    """Parts of a column as one; of dtype object where their rows vary in shape."""
    import numpy as np

    if len({part.shape[1:] for part in parts}) == 1 and len({part.dtype.kind for part in parts}) == 1:
        return np.concatenate(parts)
    rows = np.empty(sum(len(part) for part in parts), object)
    for at, row in enumerate(
        row for part in parts for row in part
    ):  # in one go, rows of one shape would be taken apart
        rows[at] = row
    return rows
