"""A few numbers of each example that keep how alike two are, so that near duplicates are found among all of them.

Features are projected at random, which keeps distances (Johnson and Lindenstrauss 1984); of sequences, the pairs of
neighbouring tokens are kept as a set by minimal hashes, whose agreement is the Jaccard similarity (Broder, On the
resemblance and containment of documents, 1997).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from art_training.setup.data.hashing import mixed
from art_training.setup.task import Task
from art_training.steps.exploration.axes import images_in
from art_training.steps.exploration.sample import joined
from art_training.steps.exploration.tokens import Tokens, masks, of_texts, sequences, tokens_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = Mapping[str, NDArray[Any]]

NUMBERS = 24  # of the sketch of features
HASHES = 8  # of the sketch of a sequence
FEWEST_FEATURES = 8  # fewer that vary bring examples close together by chance
FEWEST_PAIRS = 8  # of neighbouring tokens, likewise
_MOST_FEATURES = 100_000
_FIRST_ROWS, _FIRST_VALUES = 1_024, 4_000_000  # read before it is decided how to sketch


class Form(ABC):
    """How examples of one kind are sketched and compared."""

    @abstractmethod
    def sketch(self, columns: "Columns", count: int) -> "NDArray[Any]":
        """(count, numbers).

        Raises:
            ValueError: the rows have another shape than the first ones.
        """

    @abstractmethod
    def prepared(self, columns: "Columns", count: int) -> "list[Any]":
        """What `apart` compares, one value an example."""

    @abstractmethod
    def apart(self, one: Any, other: Any) -> float:
        """How far two examples are apart: a distance, or 1 less the Jaccard similarity."""


class Features(Form):
    """Numbers of fixed shape.

    Those of tables are scaled by how far each departs from its median in the first rows, where it does. By the standard
    deviation, a pixel that is nearly always 0 would count for more than all the others. Each image is scaled to mean 0 and norm
    1, so that brighter and paler copies are alike.

    Attributes:
        images: whether they are images.
        varying: how many features vary.
    """

    def __init__(self, columns: "Columns", count: int, seed: int) -> None:
        import numpy as np

        self._paths = [path for path, one in columns.items() if one.dtype.kind in "biuf" and path not in masks(columns)]
        self.images = len(self._paths) == 1 and images_in(columns[self._paths[0]][:1]) is not None
        self._width = sum(columns[path][:1].size for path in self._paths)
        generator = np.random.default_rng(seed)
        self._chosen = None
        if self._width > _MOST_FEATURES:
            self._chosen = np.sort(generator.choice(self._width, _MOST_FEATURES, replace=False))
        table = self._table(columns, count)
        known = np.where(np.isfinite(table), table, np.nan).astype(np.float64)
        with np.errstate(all="ignore"):
            some = np.isfinite(known).any(0)
            self._mean = np.where(some, np.nanmean(np.where(some, known, 0), axis=0), 0).astype(np.float32)
            departs = _departure(np.where(some, known, 0))
        self.varying = int((departs > 0).sum())
        # A feature that never varies in the first rows gets the scale of the others: it may vary later.
        usual = float(np.median(departs[departs > 0])) if self.varying else 1.0
        self._scale = np.where(departs > 0, departs, usual).astype(np.float32)
        self._projection = generator.standard_normal((table.shape[1], NUMBERS), np.float32) / np.float32(NUMBERS**0.5)

    def sketch(self, columns: "Columns", count: int) -> "NDArray[Any]":
        import numpy as np

        with np.errstate(over="ignore", invalid="ignore"):
            return self._scaled(columns, count) @ self._projection

    def prepared(self, columns: "Columns", count: int) -> "list[Any]":
        return list(self._scaled(columns, count))

    def apart(self, one: Any, other: Any) -> float:
        import numpy as np

        return float(np.linalg.norm(one - other))

    def _scaled(self, columns: "Columns", count: int) -> "NDArray[Any]":
        import numpy as np

        table = self._table(columns, count)
        if not np.isfinite(table).all():
            table = np.where(np.isfinite(table), table, self._mean)
        if not self.images:
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows is like nothing else
                return (table - self._mean) / self._scale
        table = table - table.mean(1, keepdims=True)
        length = np.linalg.norm(table, axis=1, keepdims=True)
        # What is blank is like nothing else.
        return np.where(length > 0, table / np.where(length > 0, length, 1), np.nan)

    def _table(self, columns: "Columns", count: int) -> "NDArray[Any]":
        import numpy as np

        flat = [columns[path].reshape(count, -1) for path in self._paths if path in columns]
        width = sum(one.shape[1] for one in flat)
        if width != self._width:
            raise ValueError(f"inputs vary in size ({self._width} values, then {width})")
        table = flat[0] if len(flat) == 1 else np.concatenate(flat, 1)
        with np.errstate(over="ignore"):  # what is too large for single precision is taken for missing
            return (table if self._chosen is None else table[:, self._chosen]).astype(np.float32, copy=False)


def _departure(table: "NDArray[Any]") -> "NDArray[Any]":
    """(columns,) the root of the mean square of what differs from the column's median; NaN is left out."""
    import numpy as np

    square = (table - np.nanmedian(table, axis=0)) ** 2
    differs = square > 0  # which NaN is not
    return np.sqrt(np.where(differs, square, 0).sum(0) / np.maximum(differs.sum(0), 1))


class Sets(Form):
    """Sequences of tokens, as sets of pairs of neighbours."""

    def __init__(self, found: Mapping[str, Tokens]) -> None:
        import numpy as np

        self._padding = {path: one.padding for path, one in found.items()}
        self._words = {path: one.words for path, one in found.items()}
        self._seeds = mixed(np.arange(1, HASHES + 1, dtype=np.uint64) << np.uint64(32))

    def sketch(self, columns: "Columns", count: int) -> "NDArray[Any]":
        import numpy as np

        pairs, real = self._pairs(columns)
        none = ~np.uint64(0)
        rows = [np.where(real, mixed(pairs ^ seed), none).min(1, initial=none) for seed in self._seeds]
        sketch = np.stack(rows, 1)
        sketch[real.sum(1) < FEWEST_PAIRS] = none  # which is like nothing else
        return sketch

    def prepared(self, columns: "Columns", count: int) -> "list[Any]":
        pairs, real = self._pairs(columns)
        return [frozenset(row[kept].tolist()) for row, kept in zip(pairs, real, strict=True)]

    def apart(self, one: Any, other: Any) -> float:
        return 1 - len(one & other) / max(1, len(one | other))

    def _pairs(self, columns: "Columns") -> "tuple[NDArray[Any], NDArray[Any]]":
        """(rows, pairs) hashes of neighbouring tokens, and which of them are real."""
        import numpy as np

        hashes: list[NDArray[Any]] = []
        real: list[NDArray[Any]] = []
        for number, (path, padding) in enumerate(self._padding.items()):
            if path not in columns:
                raise ValueError(f"an entry {path!r} is missing in some batches")
            one = of_texts(columns[path]) if self._words[path] else tokens_of(columns[path], columns, padding)
            left, right = one.ids[:, :-1].astype(np.uint64), one.ids[:, 1:].astype(np.uint64)
            hashes.append(mixed(mixed(left + np.uint64(number + 1)) + right))
            real.append(one.real[:, :-1] & one.real[:, 1:])
        return np.concatenate(hashes, 1), np.concatenate(real, 1)


class Sketches:
    """The sketches of all examples of all places, at most so many of each.

    Attributes:
        form: how examples are sketched; None until the first rows were read, or where they cannot be.
        why_not: why there are no sketches; empty where there are.
    """

    def __init__(self, task: Task, *, seed: int, most: int) -> None:
        self.form: Form | None = None
        self.why_not = ""
        self._task, self._seed, self._most = task, seed, most
        self._waiting: list[tuple[str, Columns, int]] = []
        self._waiting_rows = self._waiting_values = 0
        self._parts: dict[str, list[NDArray[Any]]] = {}
        self._rows: dict[str, int] = {}

    def add(self, place: str, columns: "Columns", count: int) -> None:
        """Take in the inputs of a batch."""
        if self.why_not or self._rows.get(place, 0) >= self._most:
            return
        if self.form is not None:
            self._sketch(place, columns, count)
            return
        self._waiting.append((place, columns, count))
        self._waiting_rows += count
        self._waiting_values += sum(column.size for column in columns.values())
        if self._waiting_rows >= _FIRST_ROWS or self._waiting_values >= _FIRST_VALUES:
            self.finish()

    def finish(self) -> None:
        """Sketch what waits for it."""
        waiting, self._waiting = self._waiting, []
        if self.form is None and waiting and not self.why_not:
            self._decide(waiting)
        for place, columns, count in waiting:
            if not self.why_not:
                self._sketch(place, columns, count)

    def of(self, place: str) -> "NDArray[Any]":
        """(rows, numbers) of the first rows of a place; none where there are no sketches."""
        import numpy as np

        parts = self._parts.get(place, [])
        return np.concatenate(parts)[: self._most] if parts and not self.why_not else np.empty((0, 0))

    def _decide(self, waiting: "list[tuple[str, Columns, int]]") -> None:
        paths = [path for path in waiting[0][1] if all(path in columns for _, columns, _ in waiting)]
        columns = {path: joined([columns[path] for _, columns, _ in waiting]) for path in paths}
        count = sum(count for _, _, count in waiting)
        tokens = sequences(columns, self._task)
        others = [path for path in columns if path not in tokens and path not in masks(columns)]
        if tokens and not others:
            self.form = Sets(tokens)
        elif not others or any(columns[path].dtype.kind not in "biuf" for path in others) or tokens:
            self.why_not = "the inputs are neither numbers of one shape nor sequences of tokens"
        else:
            form = Features(columns, count, self._seed)
            if form.varying < FEWEST_FEATURES:
                self.why_not = f"{form.varying} features that vary are too few: examples come close by chance"
            self.form = form

    def _sketch(self, place: str, columns: "Columns", count: int) -> None:
        assert self.form is not None
        try:
            sketch = self.form.sketch(columns, count)
        except ValueError as error:
            self.why_not = str(error)
            self._parts.clear()
            return
        self._parts.setdefault(place, []).append(sketch)
        self._rows[place] = self._rows.get(place, 0) + count
