"""What one loader's data looks like, gathered in one pass and in bounded memory: counts, statistics, hashes and a sample."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from art_training.records import Split
from art_training.setup.data.batch import as_array, lists_of_examples, rows, size
from art_training.setup.data.hashing import Hashed, Hashes, numeric, row_hashes
from art_training.setup.task import Task, TaskKind
from art_training.steps.exploration.axes import Axes, axes_of
from art_training.steps.exploration.blanks import Blanks, blanks_of
from art_training.steps.exploration.chance import Chance
from art_training.steps.exploration.feature_names import Named
from art_training.steps.exploration.gathering import gathered
from art_training.steps.exploration.sample import RowSample, Sampled
from art_training.steps.exploration.statistics import FeatureStatistics
from art_training.steps.exploration.tokens import Tokens, sequences

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN = 10  # indices that are kept as examples of what was found
MOST_LISTED = 100_000  # indices of one kind that a file names
TARGET = "\0target"  # under which a sample holds the target
_LABELLED = {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL, TaskKind.SEQUENCE}
_FEWEST_VALUES = 4  # with fewer, values that are all equal are no sign of a blank example


@dataclass(frozen=True)
class Limits:
    """What is kept of each loader, however much there is, and by which names.

    Attributes:
        rows: examples that are sampled.
        values: the most numbers in that sample.
        hashes: examples whose hashes are kept.
        seed: of the sample.
        columns: what features are called.
    """

    rows: int = 20_000
    values: int = 20_000_000
    hashes: int = 4_000_000
    seed: int = 0
    columns: Named = ()


@dataclass
class Rows:
    """Rows in which something was found: how many, and which; of very many the first ones."""

    count: int = 0
    kept: list[int] = field(default_factory=list[int])

    @property
    def first(self) -> list[int]:
        """Those that are shown."""
        return self.kept[:SHOWN]

    def add(self, indices: Iterable[int]) -> None:
        """Take in indices, ascending."""
        for index in indices:
            self.count += 1
            if len(self.kept) < MOST_LISTED:
                self.kept.append(int(index))


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

    def __init__(self, split: Split, loader: str | None, task: Task, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.split = split
        self.loader = loader
        self.place = split.value if loader is None else f"{split.value}:{loader}"
        self.examples = self.broken = 0
        self.nan, self.infinite, self.bad_targets, self.blank = Rows(), Rows(), Rows(), Rows()
        self.schema: dict[str, Entry] = {}
        self.statistics: dict[str, FeatureStatistics] = {}
        self.labels: Counter[int] = Counter()
        self.target_statistics = FeatureStatistics()
        self._task = task
        self._columns = limits.columns
        self._lists: list[str] = []  # paths in a batch
        self._hashes = Hashes(limits.hashes)
        self._sample = RowSample(rows=limits.rows, values=limits.values, seed=limits.seed)

    def add(self, batch: Any) -> "dict[str, NDArray[Any]]":
        """Take in a batch; returns the inputs that have a row an example."""
        self._lists = self._lists or lists_of_examples(batch)
        found = gathered(batch, self._lists)
        count = size(batch)
        self._note_schema(found, count)
        inputs = self._inputs(found, count)
        numbers = {path: array for path, leaf in inputs.items() if (array := numeric(leaf)) is not None}
        varying = [leaf for path, leaf in inputs.items() if path not in numbers and _holds_objects(leaf)]
        broken = self._note_values(numbers, varying, count)
        target = found.get(self._task.target) if self._task.target is not None else None
        hashes: NDArray[Any] | None = None
        if target is not None and rows(target) == count:
            hashes = row_hashes([target], count)
            broken = broken | self._note_target(numeric(target), count)
        columns = {path: numbers[path] if path in numbers else _objects(leaf) for path, leaf in inputs.items()}
        if inputs:
            self._hashes.add(self.examples, row_hashes(list(inputs.values()), count), hashes)
        if self.split is not Split.TEST and inputs:
            with_target = {} if hashes is None else {TARGET: as_array(target)}
            self._sample.add(columns | with_target, count)
        self.broken += int(broken.sum())
        self.examples += count
        return columns

    def inputs_of(self, batch: Any) -> "tuple[dict[str, NDArray[Any]], int]":
        """The inputs of a batch that have a row an example, as `add` returns them, and how many examples it holds."""
        count = size(batch)
        inputs = self._inputs(gathered(batch, self._lists), count)
        arrays = {path: (leaf, numeric(leaf)) for path, leaf in inputs.items()}
        return {path: _objects(leaf) if array is None else array for path, (leaf, array) in arrays.items()}, count

    @cached_property
    def hashed(self) -> Hashed:
        """A number a row for its input and its target; equal numbers stand for equal ones. For when all was read."""
        return self._hashes.all()

    @cached_property
    def sampled(self) -> Sampled:
        """The sample, for when all was read; empty for the test split."""
        return self._sample.taken()

    @cached_property
    def inputs(self) -> "dict[str, NDArray[Any]]":
        """The inputs of the sample by path."""
        return {path: column for path, column in self.sampled.columns.items() if path != TARGET}

    @cached_property
    def targets(self) -> "NDArray[Any] | None":
        """The targets of the sample; None where they are no numbers, or vary in shape."""
        column = self.sampled.columns.get(TARGET)
        return None if column is None or column.dtype.kind not in "biuf" else column

    @cached_property
    def tokens(self) -> dict[str, Tokens]:
        """The inputs of the sample that are sequences of tokens."""
        return sequences(self.inputs, self._task)

    @cached_property
    def chance(self) -> Chance:
        """How often inputs like those of the sample are equal by chance; never, where nothing is known of them."""
        columns = [self.tokens[path].ids if path in self.tokens else column for path, column in self.inputs.items()]
        known = all(column.dtype.kind in "biufc" for column in columns)
        return Chance(columns if known else [], len(self.sampled))

    @cached_property
    def blanks(self) -> Blanks:
        """How often an example like those of the sample holds one value only, by chance."""
        known = [column for column in self.inputs.values() if column.dtype.kind in "biufc"]
        return blanks_of(known, len(self.sampled))

    @cached_property
    def axes(self) -> Axes:
        """What the sampled examples can be ordered by."""
        return axes_of(self.inputs, self.tokens, len(self.sampled), self._columns)

    @property
    def constant_features(self) -> int:
        """Features that never vary."""
        return sum(statistics.constant for statistics in self.statistics.values())

    def _inputs(self, found: dict[str, Any], count: int) -> dict[str, Any]:
        wanted = self._task.inputs  # of a list that has an item an example, its items may be named
        named = {
            path: leaf
            for path, leaf in found.items()
            if path in wanted or any(one.startswith(f"{path}.") for one in wanted)
        }
        inputs = named or {path: leaf for path, leaf in found.items() if path != self._task.target}
        return {path: leaf for path, leaf in inputs.items() if rows(leaf) == count}

    def _note_schema(self, found: dict[str, Any], count: int) -> None:
        for path, leaf in found.items():
            has_rows = rows(leaf) == count
            entry = self.schema.setdefault(path, Entry(_kind(leaf), [], has_rows))
            for shape in _shapes(leaf, has_rows=has_rows):
                if shape not in entry.shapes and len(entry.shapes) < SHOWN:
                    entry.shapes.append(shape)

    def _note_values(
        self, numbers: dict[str, "NDArray[Any]"], varying: Sequence["NDArray[Any]"], count: int
    ) -> "NDArray[Any]":
        """Returns which rows are broken."""
        import numpy as np

        nan: NDArray[Any] = np.zeros(count, bool)
        infinite: NDArray[Any] = np.zeros(count, bool)
        blank: NDArray[Any] = np.ones(count, bool)
        single: list[NDArray[Any]] = []
        values = 0
        for path, array in numbers.items():
            flat = array.reshape(count, -1)
            values += flat.shape[1]
            if flat.dtype.kind in "fc" and not np.isfinite(flat).all():
                nan |= np.isnan(flat).any(1)
                infinite |= np.isinf(flat).any(1)
            if flat.shape[1] == 1:
                single.append(flat)
            elif flat.shape[1]:
                _leave_same(blank, flat)
            if self.split is not Split.TEST and flat.dtype.kind != "c":
                self.statistics.setdefault(path, FeatureStatistics()).add(array, self.examples)
        for column in varying:
            arrays = [array.reshape(-1) for array in map(as_array, column)]
            nan |= [array.dtype.kind in "fc" and bool(np.isnan(array).any()) for array in arrays]
            infinite |= [array.dtype.kind in "fc" and bool(np.isinf(array).any()) for array in arrays]
            blank &= [bool((array == array[:1]).all()) for array in arrays]
            values += min((len(array) for array in arrays), default=0)
        for noted, mask in ((self.nan, nan), (self.infinite, infinite)):
            noted.add((np.flatnonzero(mask) + self.examples).tolist())
        if len(single) > 1:  # columns of a table, each an entry
            _leave_same(blank, np.concatenate(single, 1))
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
            self.target_statistics.add(target, self.examples)
        return bad


def _leave_same(blank: "NDArray[Any]", flat: "NDArray[Any]") -> None:
    """Strike rows that hold more than one value."""
    if blank.any():
        blank[blank] = (flat[blank, :2] == flat[blank, :1]).all(1)  # which rules out nearly all of them
        blank[blank] = (flat[blank] == flat[blank, :1]).all(1)


def _label_counts(target: "NDArray[Any]", task: Task) -> dict[int, int]:
    """How often each class is the target; positions that the loss leaves out do not count."""
    import numpy as np

    flat = target.reshape(len(target), -1)
    many = flat.shape[1] > 1
    if task.kind is TaskKind.SEQUENCE and target.dtype.kind == "f" and target.ndim > 2 and task.activation == "softmax":
        shares = target.reshape(*target.shape[:2], -1).sum((0, 2))  # soft labels of positions: the classes stand second
        return {index: round(float(count)) for index, count in enumerate(shares)}
    a_column_a_class = many and target.dtype.kind == "f" and task.kind is TaskKind.CLASSIFICATION
    if task.kind is TaskKind.MULTI_LABEL or a_column_a_class:
        return {index: round(float(count)) for index, count in enumerate(flat.sum(0))}
    values = flat[np.isfinite(flat)].round() if flat.dtype.kind == "f" else flat.reshape(-1)
    classes, counts = np.unique(values.astype(np.int64), return_counts=True)
    ignored = task.loss_options.get("ignore_index", -100)
    return {int(one): int(count) for one, count in zip(classes, counts, strict=True) if one != ignored}


def _objects(leaf: Any) -> "NDArray[Any]":
    """A column of texts and other values, one object a row."""
    import numpy as np

    values = cast("Sequence[Any]", leaf)
    column = np.empty(len(values), object)
    for at, value in enumerate(values):
        column[at] = value
    return column


def _shapes(leaf: Any, *, has_rows: bool) -> Iterator[tuple[int, ...]]:
    """The shapes of rows; of a leaf without rows, its own."""
    if _holds_objects(leaf):
        yield from (getattr(value, "shape", ()) for value in leaf)
    else:
        yield tuple(int(length) for length in getattr(leaf, "shape", ()))[1 if has_rows else 0 :]


def _holds_objects(leaf: Any) -> bool:
    return str(getattr(leaf, "dtype", "")) == "object"


def _kind(leaf: Any) -> str:
    if _holds_objects(leaf) and len(leaf):
        return f"list of {_kind(leaf[0])}"
    dtype = getattr(leaf, "dtype", None)
    if dtype is not None:
        return str(dtype).removeprefix("torch.")
    if isinstance(leaf, list | tuple):
        items = cast("Sequence[Any]", leaf)
        return f"list of {type(items[0]).__name__}" if items else "list"
    return type(leaf).__name__
