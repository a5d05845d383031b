"""The labels of the first training batches, as they come and as a shuffled loader would give them."""

from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

from numpy.typing import NDArray
from torch.utils.data import DataLoader

from art_training.probes.coverage import map_style
from art_training.probes.specimen import Specimen
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, size

Labels = tuple[NDArray[Any], ...]


@cache
def train_labels(target: str) -> Callable[[Specimen], Labels | None]:
    """A probe: the labels of each batch of the specimen; None where an entry of that path has not one number a row."""

    def probe(specimen: Specimen) -> Labels | None:
        return _labels(specimen.batches, target)

    return probe


@cache
def reshuffled(target: str) -> Callable[[Specimen], Labels | None]:
    """A probe: the labels of as many batches of the training loader, re-made with shuffling; None where it cannot be."""

    def probe(specimen: Specimen) -> Labels | None:
        loaders = list(specimen.loaders.get(Split.TRAIN, {}).values())
        if len(loaders) != 1 or not map_style(loaders[0]) or loaders[0].batch_size is None:
            return None
        loader = loaders[0]
        again = DataLoader[Any](
            loader.dataset, batch_size=loader.batch_size, shuffle=True, collate_fn=loader.collate_fn, num_workers=0
        )
        return _labels(tuple(islice(again, len(specimen.batches))), target)

    return probe


def _labels(batches: tuple[Any, ...], target: str) -> Labels | None:
    found: list[NDArray[Any]] = []
    for batch in batches:
        leaf, count = entries(batch).get(target), size(batch)
        if leaf is None:
            return None
        values = as_array(leaf)
        if values.shape[:1] != (count,) or values.size != count:
            return None
        found.append(values.reshape(count))
    return tuple(found)
