"""What the rows of each split are, in numbers small enough to keep: a hash of the inputs, one of the target, the label."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from art_training.errors import SetupError
from art_training.probes.filling import filled_up, tells_lengths
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, mapped, rows, size
from art_training.setup.data.hashing import row_hashes
from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_NUMBERS = 2_000_000  # of inputs that are kept as they are, of each split


class Enough(Exception):
    """Ends a pass before its end."""


@dataclass
class SplitRows:
    """The rows of one split, in their order without shuffling.

    Attributes:
        inputs: a hash of each row's inputs; equal numbers stand for equal inputs.
        targets: likewise of the target; empty where the task has none.
        labels: the class of each row, where the task is a classification; else the target where it is one number a row.
        values: the inputs of the first rows as a table, where they are numbers of one shape; masks and lengths of tokens are
            left out. Tokens of batches of different widths are filled up by what fills them up already.
        whole: whether all rows were read.
        loaders: the number of the loader that gave each row.
        names: of these loaders; None is the name of an only one.
        shape: of one example's input, where there is one input of numbers.
        integral: whether all inputs are whole numbers by their type, as tokens are.
        groups: what the declaration `groups` gives of each row, as text; None where nothing is declared.
        times: likewise of `time`, as numbers.
        numbers: (rows,) of these rows in the split, where some were left out; None: all are here.
        missing: (rows,) whether inputs of a row hold NaN or infinity; None where they are no numbers, and of the test split.
        positives: (labels,) how many rows have each label, where a row may have several; None elsewhere, and of the test split.
    """

    inputs: "NDArray[np.uint64]"
    targets: "NDArray[np.uint64]"
    labels: "NDArray[Any] | None"
    values: "NDArray[np.float32] | None"
    whole: bool
    loaders: "NDArray[np.int64]" = field(default_factory=lambda: np.empty(0, np.int64))
    names: tuple[str | None, ...] = (None,)
    shape: tuple[int, ...] = ()
    integral: bool = False
    groups: "NDArray[Any] | None" = None
    times: "NDArray[Any] | None" = None
    positives: "NDArray[np.int64] | None" = None
    numbers: "NDArray[np.int64] | None" = None
    missing: "NDArray[np.bool_] | None" = None

    def __len__(self) -> int:
        return len(self.inputs)

    def numbered(self, places: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """The numbers that rows at these places have in the split."""
        return places if self.numbers is None else self.numbers[places]


@dataclass
class _Part:
    """What was taken in of one batch."""

    inputs: "NDArray[np.uint64]"
    targets: "NDArray[np.uint64]"
    labels: "NDArray[Any] | None"
    values: "NDArray[np.float32] | None"
    loader: str | None
    shape: tuple[int, ...]
    integral: bool
    groups: "NDArray[Any] | None"
    times: "NDArray[Any] | None"
    positives: "NDArray[np.int64] | None"
    missing: "NDArray[np.bool_] | None"


@dataclass(frozen=True)
class Rows:
    """The rows of the splits that could be read.

    Attributes:
        splits: those that there are.
        unread: why there may be more splits than these, in a sentence; empty where these are all.
    """

    splits: Mapping[Split, SplitRows] = field(default_factory=dict[Split, SplitRows])
    unread: str = ""


class RowReader:
    """Takes in batches of splits; of the test split hashes, groups and times only.

    Args:
        task: says what is input and what is target; None: every entry is taken for input, and no values are kept.
        seconds: after which it has enough.
        declarations: of the user; `groups` and `time` are called with each example.
    """

    def __init__(self, task: Task | None, seconds: float, declarations: Mapping[str, Any] | None = None) -> None:
        self._task = task
        self._until = time.monotonic() + seconds
        self._declared = dict(declarations or {})
        self._parts: dict[Split, list[_Part]] = {}
        self._kept: dict[Split, int] = {}
        self._stopped: set[Split] = set()

    def see(self, split: Split, loader: str | None, batch: Any) -> None:
        """Take in a batch.

        Raises:
            Enough: the time is up.
        """
        found, count = entries(batch), size(batch)
        named = found if self._task is None else {path: found[path] for path in self._task.inputs if path in found}
        inputs = [leaf for leaf in named.values() if rows(leaf) == count]
        path = None if self._task is None else self._task.target
        target = None if path is None else found.get(path)
        target = target if target is not None and rows(target) == count else None
        testing = split is Split.TEST
        told = _without_masks(inputs)
        first = as_array(told[0]) if told else None
        self._parts.setdefault(split, []).append(
            _Part(
                inputs=row_hashes(inputs, count) if inputs else np.empty(0, np.uint64),
                targets=row_hashes([target], count) if target is not None else np.empty(0, np.uint64),
                labels=None if target is None or testing else self._label(as_array(target)),
                values=None if testing else self._values(split, told, count),
                loader=loader,
                shape=() if first is None or len(told) > 1 else first.shape[1:],
                integral=bool(told) and all(as_array(one).dtype.kind in "biu" for one in told),
                groups=self._told("groups", batch, count),
                times=self._told("time", batch, count),
                positives=None if target is None or testing else self._positives(as_array(target)),
                missing=None if testing or self._task is None else _missing(inputs, count),
            )
        )
        if time.monotonic() > self._until:
            self._stopped.add(split)
            raise Enough

    def result(self) -> Rows:
        """What was read."""
        found: dict[Split, SplitRows] = {}
        for split, parts in self._parts.items():
            names = tuple(dict.fromkeys(part.loader for part in parts))
            numbers = [np.full(len(part.inputs), names.index(part.loader)) for part in parts]
            values = _table(parts)
            shapes = {part.shape for part in parts}
            if len(shapes) > 1 and values is not None:
                shapes = {values.shape[1:]}
            found[split] = SplitRows(
                inputs=np.concatenate([part.inputs for part in parts]),
                targets=np.concatenate([part.targets for part in parts]),
                labels=_joined([part.labels for part in parts]),
                values=values,
                whole=split not in self._stopped,
                loaders=np.concatenate(numbers),
                names=names,
                shape=shapes.pop() if len(shapes) == 1 else (),
                integral=all(part.integral for part in parts),
                groups=_joined([part.groups for part in parts]),
                times=_joined([part.times for part in parts]),
                positives=_summed([part.positives for part in parts]),
                missing=_joined([part.missing for part in parts]),
            )
        return Rows(found)

    def _told(self, name: str, batch: Any, count: int) -> "NDArray[Any] | None":
        """What a declared function says of each example of a batch."""
        function: Callable[[Any], Any] | None = self._declared.get(name)
        if function is None:
            return None
        told = [as_array(function(_example(batch, index, count))) for index in range(count)]
        wrong = next((one for one in told if one.size != 1), None)
        if wrong is not None:
            raise SetupError(
                f"the declaration {name}= gave {wrong.size} values, of shape {wrong.shape}, for an example; it must give one"
            )
        flat = np.asarray([one.reshape(-1)[0] for one in told])
        return flat.astype(np.float64) if name == "time" else flat.astype(str)

    def _label(self, target: "NDArray[Any]") -> "NDArray[Any] | None":
        flat = target.reshape(len(target), -1)
        if (
            self._task is None
            or self._task.kind not in {TaskKind.CLASSIFICATION, TaskKind.REGRESSION}
            or flat.shape[1] != 1
        ):
            return None
        return flat[:, 0]

    def _positives(self, target: "NDArray[Any]") -> "NDArray[np.int64] | None":
        several = self._task is not None and self._task.kind is TaskKind.MULTI_LABEL and target.ndim == 2
        return (target > 0.5).sum(0).astype(np.int64) if several and target.dtype.kind in "biuf" else None

    def _values(self, split: Split, inputs: list[Any], count: int) -> "NDArray[np.float32] | None":
        arrays = [as_array(one) for one in inputs]
        if self._task is None or not arrays or any(one.dtype.kind not in "biuf" for one in arrays):
            return None
        table = np.concatenate([one.reshape(count, -1).astype(np.float32) for one in arrays], axis=1)
        self._kept[split] = (
            self._kept.get(split, 0) + table.size
        )  # also of what is not kept: no later row takes its place
        return table if self._kept[split] <= _MOST_NUMBERS else None


def _table(parts: list[_Part]) -> "NDArray[np.float32] | None":
    """The inputs of rows as one table; None where they are of different shapes, and no tokens that something fills up."""
    kept = [part for part in parts if part.values is not None]
    tables = [part.values for part in kept if part.values is not None]
    if len({one.shape[1] for one in tables}) <= 1:
        return np.concatenate(tables) if tables else None
    return filled_up(tables) if all(part.integral and len(part.shape) == 1 for part in kept) else None


def _missing(inputs: list[Any], count: int) -> "NDArray[np.bool_] | None":
    arrays = [as_array(one) for one in inputs]
    if not arrays or any(one.dtype.kind not in "biuf" for one in arrays):
        return None
    found = np.zeros(count, np.bool_)
    for one in arrays:
        if one.dtype.kind == "f":
            found |= ~np.isfinite(one.reshape(count, -1)).all(axis=1)
    return found


def _example(batch: Any, index: int, count: int) -> Any:
    """One example of a batch, in the same containers; what has no row an example is as it was."""
    return mapped(batch, lambda leaf: leaf[index] if rows(leaf) == count else leaf)


def _without_masks(inputs: list[Any]) -> list[Any]:
    """Without what only marks places of sequences of tokens, as an attention mask does, or tells their lengths."""
    arrays = [as_array(one) for one in inputs]
    whole = [one.ndim == 2 and one.dtype.kind in "biu" and one.size > 0 for one in arrays]
    tokens = {one.shape: one for one, is_whole in zip(arrays, whole, strict=True) if is_whole and one.max() > 1}
    left: list[Any] = []
    kept: list[NDArray[Any]] = []
    for one, array in zip(inputs, arrays, strict=True):
        # A mask may be of any type; where each token is unknown, and has the number 1, they are what their mask is.
        marks = array.shape in tokens and bool(((array == 0) | (array == 1)).all())
        lengths = any(tells_lengths(array, sequences) for sequences in tokens.values())
        if not marks and not lengths and not (array.ndim == 2 and any(np.array_equal(array, other) for other in kept)):
            left.append(one)
            kept.append(array)
    return left


def _joined(parts: "list[NDArray[Any] | None]") -> "NDArray[Any] | None":
    known = [one for one in parts if one is not None]
    return np.concatenate(known) if known and len(known) == len(parts) else None


def _summed(parts: "list[NDArray[np.int64] | None]") -> "NDArray[np.int64] | None":
    known = [one for one in parts if one is not None]
    alike = known and len(known) == len(parts) and len({len(one) for one in known}) == 1
    return np.sum(known, axis=0) if alike else None
