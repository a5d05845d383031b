"""Whether targets lost their fraction between what a dataset holds or gives and what a batch has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.coverage import map_style
from art_training.probes.held import arrays_of
from art_training.probes.specimen import Specimen
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, size

_ROWS = 64
_FEWEST = 16


@dataclass(frozen=True)
class Cut:
    """Numbers that are the targets of a batch but for their fraction.

    Attributes:
        source: what has them: an attribute of the dataset, or an entry of its examples.
        rows: that were compared.
        fractions: of them, how many have one.
        largest: what a target lost at most.
    """

    source: str
    rows: int
    fractions: int
    largest: float


@cache
def cut_fractions(target: str) -> Callable[[Specimen], Cut | None]:
    """A probe: the numbers that whole targets were cut or rounded from; None where none are found.

    The first rows of the training dataset are put together as the loader does it.
    """

    def probe(specimen: Specimen) -> Cut | None:
        loaders = list(specimen.loaders.get(Split.TRAIN, {}).values())
        if len(loaders) != 1 or not map_style(loaders[0]):
            return None
        dataset: Any = loaders[0].dataset
        with specimen.kept():
            items = [dataset[number] for number in range(min(_ROWS, len(dataset)))]
            batch = loaders[0].collate_fn(items)
        leaf = entries(batch).get(target)
        if leaf is None or size(batch) != len(items) or len(items) < _FEWEST:
            return None
        whole = as_array(leaf).astype(np.float64).reshape(len(items), -1)
        if whole.shape[1] != 1:
            return None
        for source, numbers in _numbers(dataset, items):
            lost = np.abs(numbers - whole[:, 0])
            same = (np.trunc(numbers) == whole[:, 0]).all() or (np.rint(numbers) == whole[:, 0]).all()
            if same and (lost > 0).mean() > 0.5:
                return Cut(source, len(items), int((lost > 0).sum()), float(lost.max()))
        return None

    return probe


def _numbers(dataset: Any, items: list[Any]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Columns of numbers with a fraction, as long as the examples, from these and from the dataset."""
    found = [entries(item) for item in items]
    for path in found[0]:
        values = [as_array(one[path]) for one in found if path in one]
        if len(values) == len(items) and all(one.size == 1 and one.dtype.kind == "f" for one in values):
            yield f"entry {path} of the dataset's examples", np.asarray([float(one.reshape(-1)[0]) for one in values])
    for name, array in arrays_of(dataset):
        flat = array.reshape(len(array), -1)
        if len(array) == len(dataset) and flat.shape[1] == 1 and array.dtype.kind == "f":
            yield f"{name} of the dataset", flat[: len(items), 0].astype(np.float64)
