"""What the rows of each split are, in numbers small enough to keep: a hash of the inputs, one of the target, the label."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, rows, size
from art_training.setup.data.hashing import row_hashes
from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_NUMBERS = 4_000_000  # of inputs that are kept as they are, over all splits


class Enough(Exception):
    """Ends a pass before its end."""


@dataclass
class SplitRows:
    """The rows of one split, in their order without shuffling.

    Attributes:
        inputs: a hash of each row's inputs; equal numbers stand for equal inputs.
        targets: likewise of the target; empty where the task has none.
        labels: the class of each row, where the task is a classification; else the target where it is one number a row.
        values: the inputs of the first rows as a table, where they are numbers of one shape.
        whole: whether all rows were read.
    """

    inputs: "NDArray[np.uint64]"
    targets: "NDArray[np.uint64]"
    labels: "NDArray[Any] | None"
    values: "NDArray[np.float32] | None"
    whole: bool

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Rows:
    """The rows of the splits that could be read."""

    splits: Mapping[Split, SplitRows] = field(default_factory=dict[Split, SplitRows])


class RowReader:
    """Takes in batches of splits; of the test split hashes only.

    Args:
        task: says what is input and what is target.
        seconds: after which it has enough.
    """

    def __init__(self, task: Task, seconds: float) -> None:
        self._task = task
        self._until = time.monotonic() + seconds
        self._parts: dict[Split, list[tuple[Any, Any, Any, Any]]] = {}
        self._kept = 0
        self._stopped: set[Split] = set()

    def see(self, split: Split, loader: str | None, batch: Any) -> None:
        """Take in a batch.

        Raises:
            Enough: the time is up.
        """
        found, count = entries(batch), size(batch)
        named = {path: found[path] for path in self._task.inputs if path in found}
        inputs = [leaf for leaf in named.values() if rows(leaf) == count]
        target = found.get(self._task.target) if self._task.target is not None else None
        target = target if target is not None and rows(target) == count else None
        testing = split is Split.TEST
        self._parts.setdefault(split, []).append(
            (
                row_hashes(inputs, count) if inputs else np.empty(0, np.uint64),
                row_hashes([target], count) if target is not None else np.empty(0, np.uint64),
                None if target is None or testing else self._label(as_array(target)),
                None if testing else self._values(inputs, count),
            )
        )
        if time.monotonic() > self._until:
            self._stopped.add(split)
            raise Enough

    def result(self) -> Rows:
        """What was read."""
        found: dict[Split, SplitRows] = {}
        for split, parts in self._parts.items():
            labels = [part[2] for part in parts]
            values = [part[3] for part in parts if part[3] is not None]
            found[split] = SplitRows(
                inputs=np.concatenate([part[0] for part in parts]),
                targets=np.concatenate([part[1] for part in parts]),
                labels=None if any(one is None for one in labels) else np.concatenate(labels),
                values=np.concatenate(values) if values and len({one.shape[1] for one in values}) == 1 else None,
                whole=split not in self._stopped,
            )
        return Rows(found)

    def _label(self, target: "NDArray[Any]") -> "NDArray[Any] | None":
        flat = target.reshape(len(target), -1)
        if self._task.kind not in {TaskKind.CLASSIFICATION, TaskKind.REGRESSION} or flat.shape[1] != 1:
            return None
        return flat[:, 0]

    def _values(self, inputs: list[Any], count: int) -> "NDArray[np.float32] | None":
        arrays = [as_array(one) for one in inputs]
        if not arrays or any(one.dtype.kind not in "biuf" for one in arrays):
            return None
        table = np.concatenate([one.reshape(count, -1).astype(np.float32) for one in arrays], axis=1)
        if self._kept + table.size > _MOST_NUMBERS:
            return None
        self._kept += table.size
        return table
