"""What the dataset of a training loader holds, in numbers small enough to keep: a hash of each row of its arrays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from art_training.probes.specimen import Specimen
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries
from art_training.setup.data.hashing import row_hashes

_MOST_ROWS = 50_000
_MOST_NUMBERS = 50_000_000
_DEPTH = 3  # datasets in datasets


@dataclass(frozen=True)
class Held:
    """An array that a dataset holds.

    Attributes:
        name: of the attribute.
        rows: how many it has.
        hashes: (kinds, rows) of each row, in the types that batches may have.
        windows: whether its rows are the windows of a series, each beginning one step after the other.
    """

    name: str
    rows: int
    hashes: tuple[NDArray[np.uint64], ...]
    windows: bool = False

    def places(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64] | None:
        """Where rows of these hashes stand in it; None where one of them is not there, or stands there twice."""
        for known in self.hashes:
            order = np.argsort(known)
            at = np.searchsorted(known, hashes, sorter=order).clip(max=len(known) - 1)
            if (known[order[at]] == hashes).all():
                return order[at] if len(np.unique(known)) == len(known) else None
        return None


def held(specimen: Specimen) -> tuple[Held, ...]:
    """The arrays of the dataset of an only training loader; those of one number a row, such as labels, are left out."""
    loaders = list(specimen.loaders.get(Split.TRAIN, {}).values())
    if len(loaders) != 1:
        return ()
    found: list[Held] = []
    for name, array in _arrays(getattr(loaders[0], "dataset", None), _DEPTH):
        if 1 < len(array) <= _MOST_ROWS and len(array) < array.size <= _MOST_NUMBERS:
            kinds = {str(one): one for one in (array.dtype, np.dtype(np.float32), np.dtype(np.int64))}
            shapes = [array, array[:, None]] if array.ndim > 2 else [array]  # with a channel that the array lacks
            hashes = tuple(row_hashes([one.astype(kind)], len(one)) for kind in kinds.values() for one in shapes)
            found.append(Held(name, len(array), hashes))
        found += [_windows(name, array, length) for length in _lengths(array, specimen.batches)]
    return tuple(found)


def arrays_of(dataset: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays of numbers that a dataset holds, and those of datasets in it, with the names of their attributes."""
    yield from _arrays(dataset, _DEPTH)


def _lengths(array: NDArray[Any], batches: Sequence[Any]) -> Iterator[int]:
    """How long the windows of a series are that the first batch has entries of; each once."""
    leaves = [as_array(one) for one in entries(batches[0]).values()] if batches else []
    like = {one.shape[1] for one in leaves if one.ndim == array.ndim + 1 and one.shape[2:] == array.shape[1:]}
    for length in sorted(like):
        if 1 < length < len(array) / 4 and len(array) <= _MOST_ROWS and len(array) * length <= _MOST_NUMBERS / 10:
            yield length


def _windows(name: str, array: NDArray[Any], length: int) -> Held:
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(array, length, axis=0), -1, 1)
    kinds = {str(one): one for one in (array.dtype, np.dtype(np.float32), np.dtype(np.int64))}
    hashes = tuple(row_hashes([windows.astype(kind)], len(windows)) for kind in kinds.values())
    return Held(name, len(windows), hashes, windows=True)


def _arrays(owner: Any, depth: int) -> Iterator[tuple[str, NDArray[Any]]]:
    if not hasattr(owner, "__dict__") or not depth:
        return
    for name, value in vars(owner).items():
        parts = [value]
        if isinstance(value, list | tuple) and len(cast("list[Any]", value)) <= 8:  # as the tensors of a TensorDataset
            parts = list(cast("list[Any]", value))
        elif isinstance(value, Mapping):
            parts = list(cast("Mapping[Any, Any]", value).values())
        for one in parts:
            if isinstance(one, Dataset):
                yield from _arrays(one, depth - 1)
            elif isinstance(one, Tensor | np.ndarray) and one.ndim:
                array = as_array(one)
                if array.dtype.kind in "biuf":
                    yield name, array
        if isinstance(value, list | tuple):
            yield from ((name, one) for one in _listed(cast("Sequence[Any]", value)))


def _listed(rows: Sequence[Any]) -> Iterator[NDArray[Any]]:
    """The arrays that a list of examples is made of, or a list of such lists, as shards are: one of each entry."""
    first = rows[0] if rows else None
    if isinstance(first, list):
        shards = cast("list[Any]", rows)
        rows = [each for shard in shards if isinstance(shard, list) for each in cast("list[Any]", shard)]
        first = rows[0] if rows else None
    if not isinstance(first, tuple | Mapping) or not 8 < len(rows) <= _MOST_ROWS:
        return
    keys = list(cast("Mapping[Any, Any]", first)) if isinstance(first, Mapping) else range(len(cast("Any", first)))
    for key in keys:
        try:
            column = [each[key] for each in rows]
        except (KeyError, IndexError, TypeError):  # examples of several kinds
            return
        if all(isinstance(each, Tensor | np.ndarray) and each.ndim for each in column):
            arrays = [as_array(each) for each in column]
            if len({(each.shape, each.dtype) for each in arrays}) == 1 and arrays[0].dtype.kind in "biuf":
                yield np.stack(arrays)
