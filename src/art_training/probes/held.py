"""What the dataset of a training loader holds, in numbers small enough to keep: a hash of each row of its arrays."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from art_training.probes.specimen import Specimen
from art_training.records import Split
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
    """

    name: str
    rows: int
    hashes: tuple[NDArray[np.uint64], ...]


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
    return tuple(found)


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
            elif (isinstance(one, Tensor | np.ndarray)) and one.ndim > 1:
                array = one.detach().cpu().numpy() if isinstance(one, Tensor) else cast("NDArray[Any]", one)
                if array.dtype.kind in "biuf":
                    yield name, array
