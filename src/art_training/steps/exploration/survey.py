"""What one loader's data looks like, gathered in one pass and in bounded memory: eight bytes a row and a hash."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, rows, size
from art_training.setup.task import Task, TaskKind
from art_training.steps.exploration.statistics import FeatureStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN = 10  # indices that are kept as examples of what was found
_LABELLED = {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL, TaskKind.SEQUENCE}
_FEWEST_VALUES = 4  # with fewer, values that are all equal are no sign of a blank example


@dataclass
class Rows:
    """Rows in which something was found: how many, and the first of them."""

    count: int = 0
    first: list[int] = field(default_factory=list[int])

    def add(self, indices: Iterable[int]) -> None:
        """Take in indices, ascending."""
        for index in indices:
            self.count += 1
            if len(self.first) < SHOWN:
                self.first.append(int(index))


@dataclass
class Entry:
    """One entry of the batches.

    Attributes:
        kind: its dtype, or the type of its values.
        shapes: shapes of a row; None stands for more of them than are kept.
        rows: whether it has one row an example.
    """

    kind: str
    shapes: list[tuple[int, ...]]
    rows: bool

    def told(self) -> dict[str, Any]:
        """As plain data."""
        return {"type": self.kind, "shapes": [list(shape) for shape in self.shapes], "one row an example": self.rows}


class Survey:
    """What one loader's data looks like.

    Attributes:
        place: `train`, or `validation:noisy` where the split has several loaders.
        examples: rows so far.
        nan: rows with NaN in an input.
        infinite: rows with an infinity in an input.
        bad_targets: rows with NaN or an infinity in the target.
        blank: rows whose inputs hold one value only.
        broken: how many rows have NaN or an infinity anywhere.
        schema: the entries of the batches.
        statistics: of each numeric input; none for the test split.
        labels: how often each class occurs; empty where the task has none, and for the test split.
        target_statistics: of a target that is a number; none for the test split.
    """

    def __init__(self, split: Split, loader: str | None, task: Task) -> None:
        self.split = split
        self.place = split.value if loader is None else f"{split.value}:{loader}"
        self.examples = self.broken = 0
        self.nan, self.infinite, self.bad_targets, self.blank = Rows(), Rows(), Rows(), Rows()
        self.schema: dict[str, Entry] = {}
        self.statistics: dict[str, FeatureStatistics] = {}
        self.labels: Counter[int] = Counter()
        self.target_statistics = FeatureStatistics()
        self._task = task
        self._inputs: list[NDArray[Any]] = []
        self._targets: list[NDArray[Any]] = []

    def add(self, batch: Any) -> None:
        """Take in a batch."""
        found = entries(batch)
        count = size(batch)
        self._note_schema(found, count)
        inputs = {path: leaf for path, leaf in self._of_inputs(found).items() if rows(leaf) == count}
        numeric = {path: array for path, leaf in inputs.items() if (array := _numeric(leaf)) is not None}
        broken = self._note_values(numeric, count)
        if inputs:
            self._inputs.append(row_hashes(list(inputs.values()), count))
        target = found.get(self._task.target) if self._task.target is not None else None
        if target is not None and rows(target) == count:
            self._targets.append(row_hashes([target], count))
            broken = broken | self._note_target(_numeric(target), count)
        self.broken += int(broken.sum())
        self.examples += count

    @property
    def input_hashes(self) -> "NDArray[Any]":
        """One number a row; equal numbers stand for equal inputs."""
        return _joined(self._inputs)

    @property
    def target_hashes(self) -> "NDArray[Any]":
        """One number a row; empty where no target was recognised."""
        return _joined(self._targets)

    @property
    def constant_features(self) -> int:
        """Features that never vary."""
        return sum(statistics.constant for statistics in self.statistics.values())

    def _of_inputs(self, found: dict[str, Any]) -> dict[str, Any]:
        named = {path: found[path] for path in self._task.inputs if path in found}
        return named or {path: leaf for path, leaf in found.items() if path != self._task.target}

    def _note_schema(self, found: dict[str, Any], count: int) -> None:
        for path, leaf in found.items():
            has_rows = rows(leaf) == count
            shape = tuple(int(length) for length in getattr(leaf, "shape", ()))[1 if has_rows else 0 :]
            entry = self.schema.setdefault(path, Entry(_kind(leaf), [], has_rows))
            if shape not in entry.shapes and len(entry.shapes) < SHOWN:
                entry.shapes.append(shape)

    def _note_values(self, numeric: dict[str, "NDArray[Any]"], count: int) -> "NDArray[Any]":
        """Returns which rows are broken."""
        import numpy as np

        nan: NDArray[Any] = np.zeros(count, bool)
        infinite: NDArray[Any] = np.zeros(count, bool)
        blank: NDArray[Any] = np.ones(count, bool)
        values = 0
        for path, array in numeric.items():
            flat = array.reshape(count, -1)
            values += flat.shape[1]
            if flat.dtype.kind in "fc":
                nan |= np.isnan(flat).any(1)
                infinite |= np.isinf(flat).any(1)
            if flat.shape[1]:
                blank &= (flat == flat[:, :1]).all(1)
            if self.split is not Split.TEST and flat.dtype.kind != "c":
                self.statistics.setdefault(path, FeatureStatistics()).add(array)
        for noted, mask in ((self.nan, nan), (self.infinite, infinite)):
            noted.add((np.flatnonzero(mask) + self.examples).tolist())
        if values >= _FEWEST_VALUES:
            self.blank.add((np.flatnonzero(blank) + self.examples).tolist())
        return nan | infinite

    def _note_target(self, target: "NDArray[Any] | None", count: int) -> "NDArray[Any]":
        """Returns which rows are broken."""
        import numpy as np

        bad: NDArray[Any] = np.zeros(count, bool)
        if target is None:
            return bad
        if target.dtype.kind == "f":
            bad = np.logical_not(np.isfinite(target.reshape(count, -1)).all(1))
            self.bad_targets.add((np.flatnonzero(bad) + self.examples).tolist())
        if self.split is not Split.TEST and self._task.kind in _LABELLED:
            self.labels.update(_label_counts(target, self._task))
        elif self.split is not Split.TEST and self._task.kind is TaskKind.REGRESSION:
            self.target_statistics.add(target)
        return bad


def row_hashes(leaves: Sequence[Any], count: int) -> "NDArray[Any]":
    """A number for each of `count` rows: equal for equal rows, and for others only with a chance of 1 to 2**64.

    Type and shape of a row count too.
    """
    import numpy as np

    columns = [_row_bytes(leaf, count) for leaf in leaves]
    hashes = np.empty(count, np.uint64)
    for index in range(count):
        hashed = hashlib.blake2b(digest_size=8)
        for header, values in columns:
            hashed.update(header)
            hashed.update(values[index])
        hashes[index] = int.from_bytes(hashed.digest(), "little")
    return hashes


def _row_bytes(leaf: Any, count: int) -> tuple[bytes, Sequence[Any]]:
    """What tells a row apart besides its values, and the bytes of each row."""
    import numpy as np

    array = _numeric(leaf)
    if array is None:
        return b"values", [repr(value).encode() for value in cast("Sequence[Any]", leaf)]
    array = np.ascontiguousarray(array)
    header = f"{array.dtype.str}{array.shape[1:]}".encode()
    if array.nbytes == 0:
        return header, [b""] * count
    return header, array.reshape(count, -1).view(np.uint8)  # pyright: ignore[reportReturnType]  rows are buffers


def _numeric(leaf: Any) -> "NDArray[Any] | None":
    """The leaf as an array of numbers; None where it holds something else."""
    array = as_array(leaf)
    return array if array.dtype.kind in "biufc" else None


def _label_counts(target: "NDArray[Any]", task: Task) -> dict[int, int]:
    """How often each class is the target; positions that the loss leaves out do not count."""
    import numpy as np

    flat = target.reshape(len(target), -1)
    many = flat.shape[1] > 1
    if task.kind is TaskKind.MULTI_LABEL or (many and target.dtype.kind == "f"):  # a column a class
        return {index: round(float(count)) for index, count in enumerate(flat.sum(0))}
    values = flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat.reshape(-1)
    classes, counts = np.unique(values.astype(np.int64), return_counts=True)
    ignored = task.loss_options.get("ignore_index", -100)
    return {int(one): int(count) for one, count in zip(classes, counts, strict=True) if one != ignored}


def _joined(parts: Sequence["NDArray[Any]"]) -> "NDArray[Any]":
    import numpy as np

    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def _kind(leaf: Any) -> str:
    dtype = getattr(leaf, "dtype", None)
    if dtype is not None:
        return str(dtype).removeprefix("torch.")
    if isinstance(leaf, list | tuple):
        items = cast("Sequence[Any]", leaf)
        return f"list of {type(items[0]).__name__}" if items else "list"
    return type(leaf).__name__
