"""Which rows really enter training, epoch by epoch and in order, told by hashes of what each batch holds."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.monitor import Moment, Monitor
from art_training.setup.data.batch import entries, rows, size
from art_training.setup.data.hashing import row_hashes

_MOST_ROWS = 50_000  # of an epoch


@dataclass
class Epoch:
    """What entered in one epoch.

    Attributes:
        sizes: how many rows each batch had.
        parts: hashes of the rows of each batch, by the path of the entry.
    """

    sizes: list[int] = field(default_factory=list[int])
    parts: dict[str, list[NDArray[np.uint64]]] = field(default_factory=dict[str, list[NDArray[np.uint64]]])

    def __len__(self) -> int:
        return sum(self.sizes)

    def of(self, path: str | None) -> NDArray[np.uint64] | None:
        """The hashes of one entry, in the order of training; None where it was not in every batch."""
        parts = self.parts.get(path, []) if path is not None else []
        if len(parts) != len(self.sizes) or not parts:
            return None
        return np.concatenate(parts)

    def together(self) -> NDArray[np.uint64] | None:
        """A hash of all entries of each row, those that were in every batch."""
        whole = [found for path in self.parts if (found := self.of(path)) is not None]
        return row_hashes(whole, len(whole[0])) if whole else None


class Order(Monitor):
    """Notes the rows of each epoch as they enter the step.

    Attributes:
        epochs: from the first; the last may not have come to its end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[Epoch] = []

    def entering(self, moment: Moment) -> None:
        """A batch enters."""
        while len(self.epochs) <= moment.epoch:
            self.epochs.append(Epoch())
        epoch = self.epochs[moment.epoch]
        if len(epoch) >= _MOST_ROWS:
            return
        count = size(moment.batch)
        epoch.sizes.append(count)
        for path, leaf in entries(moment.batch).items():
            if rows(leaf) == count:
                epoch.parts.setdefault(path, []).append(_hashed(leaf, count))


def _hashed(leaf: Any, count: int) -> NDArray[np.uint64]:
    return row_hashes([leaf], count)
