"""Loaders: their names, their evaluation form, and the one batch that overfitting uses."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler

from art_training.engines.lightning.failures import name_of
from art_training.records import Plain


def named(loaders: Any) -> dict[str | None, Any]:
    """The loaders of a split by name; `None` names the only one.

    Args:
        loaders: what a datamodule's method returned: a loader, or lists, tuples, dictionaries and CombinedLoaders of
            them. Entries of a list are called "0", "1", ...; names of nested ones are joined by dots. A CombinedLoader
            that gives combined batches is one loader.
    """
    found = dict(_flat(loaders, ""))
    if len(found) == 1:
        return {None: next(iter(found.values()))}
    return cast("dict[str | None, Any]", found)


def _flat(loaders: Any, name: str) -> Iterator[tuple[str, Any]]:
    if type(loaders).__name__ == "CombinedLoader" and getattr(loaders, "_mode", "sequential") == "sequential":
        loaders = loaders.iterables
    if loaders is None:
        return
    if isinstance(loaders, Mapping):
        entries = [(str(key), value) for key, value in cast("Mapping[Any, Any]", loaders).items()]
    elif isinstance(loaders, list | tuple):
        entries = [(str(index), value) for index, value in enumerate(cast("Sequence[Any]", loaders))]
    else:
        yield name, loaders
        return
    for key, value in entries:
        yield from _flat(value, f"{name}.{key}" if name else key)


def uncombined(loaders: Any) -> Any:
    """Training loaders one by one, though training combines their batches."""
    return loaders.iterables if type(loaders).__name__ == "CombinedLoader" else loaders


def evaluation_form(loader: Any, *, whole: bool = True) -> Any:
    """The same loader over the whole of its rows, each once, in their order.

    Shuffling, sampling with weights and `drop_last` belong to training. A `SubsetRandomSampler` says which rows belong
    to the split, and keeps saying it. A sampler or batch sampler of the user's own may mean anything, and is kept.

    Args:
        loader: as the user made it.
        whole: also the rows of a short last batch that `drop_last` leaves out. Without them it is for a pass in training
            mode, where rows are in an order that torch's generator draws: batch norm would see other batches than
            training ever gives it where neighbours in a file are alike.
    """
    if not isinstance(loader, DataLoader):
        return loader
    if isinstance(loader.dataset, IterableDataset):
        return _changed(loader, drop_last=loader.drop_last and not whole)
    if loader.batch_size is None:  # no batching by the loader: either off, or a batch sampler of the user's own
        if loader.batch_sampler is not None:
            return _changed(loader)
        return _changed(loader, sampler=_in_order(loader.sampler, loader.dataset))
    sampler = _in_order(loader.sampler, loader.dataset)
    if not whole:
        sampler = _shuffled(sampler)
    drop_last = loader.drop_last and not whole
    batch_sampler = BatchSampler(sampler, loader.batch_size, drop_last=drop_last)
    return _changed(loader, sampler=sampler, batch_sampler=batch_sampler, drop_last=drop_last)


def rows(loader: Any) -> int | None:
    """How many examples a loader in evaluation form gives, as its dataset counts them; None where it cannot."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset) or loader.batch_size is None:
        return None
    try:
        count = len(cast("Any", loader.sampler))
    except TypeError:
        return None
    return count - count % loader.batch_size if loader.drop_last else count


def batches(loader: Any) -> int | None:
    """How many batches a loader gives; None where it cannot tell."""
    try:
        return len(loader)
    except TypeError:  # an iterable without a length
        return None


def first_batch(loaders: Any) -> Any:
    """The first batch in evaluation form; of several training loaders, their first batches combined likewise."""
    loaders = uncombined(loaders)
    if isinstance(loaders, Mapping):
        return {key: first_batch(value) for key, value in cast("Mapping[Any, Any]", loaders).items()}
    if isinstance(loaders, list | tuple):
        return [first_batch(value) for value in cast("Sequence[Any]", loaders)]
    return first_batches(evaluation_form(loaders), 1)[0]


def first_batches(loader: Any, count: int) -> list[Any]:
    """The first batches of a loader, or all there are if these are fewer."""
    if isinstance(loader, DataLoader):  # a few batches are not worth starting worker processes for
        loader = _changed(
            loader, num_workers=0, prefetch_factor=None, persistent_workers=False, timeout=0, pin_memory=False
        )
        loader.__dict__["_DataLoader__multiprocessing_context"] = None
    return list(islice(loader, count))


class Kept(Dataset[Any]):
    """Batches that were read already; each time a copy, because hooks may change what they are given."""

    def __init__(self, batches: Sequence[Any]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Any:
        return copy.deepcopy(self._batches[index])


def keeping(batches: Sequence[Any]) -> DataLoader[Any]:
    """A loader of batches that were read already."""
    return DataLoader(Kept(batches), batch_size=None)


def repeating(batch: Any, times: int) -> DataLoader[Any]:
    """A loader of one batch, `times` times."""
    return keeping([batch] * times)


def described(loader: Any) -> dict[str, Plain]:
    """What a loader is, as plain data."""
    if not isinstance(loader, DataLoader):
        return {"loader": name_of(type(loader)), "batches": batches(loader)}
    return {
        "loader": name_of(type(loader)),
        "dataset": name_of(type(loader.dataset)),
        "batch_size": loader.batch_size,
        "sampler": name_of(type(loader.sampler if loader.batch_size is not None else loader.batch_sampler)),
        "drop_last": loader.drop_last,
        "workers": loader.num_workers,
        "batches": batches(loader),
    }


def _in_order(sampler: Any, dataset: Any) -> Any:
    if isinstance(sampler, SubsetRandomSampler):
        return list(sampler.indices)
    if isinstance(sampler, WeightedRandomSampler):
        weights = sampler.weights.tolist()  # a row without weight is not part of the split
        return [index for index, weight in enumerate(weights) if weight > 0]
    if type(sampler) in {RandomSampler, SequentialSampler, DistributedSampler}:
        source = dataset if isinstance(sampler, DistributedSampler) else sampler.data_source
        return SequentialSampler(source)
    return sampler


def _shuffled(sampler: Any) -> Any:
    if not isinstance(sampler, list | SequentialSampler):
        return sampler
    rows_ = list(cast("Any", sampler))
    return [rows_[place] for place in torch.randperm(len(rows_)).tolist()]


def _changed(loader: DataLoader[Any], **changes: Any) -> DataLoader[Any]:
    """A shallow copy with changes; whatever class the loader is of, everything else about it stays.

    DataLoader refuses such changes through `setattr`, because an iterator may be at work; the copy has none yet.
    """
    changed = copy.copy(loader)
    attributes = changed.__dict__
    for name in [name for name in attributes if name.startswith("__pl_")]:
        del attributes[name]  # Lightning's note of how the loader was made, which holds no longer
    attributes.update({"_iterator": None, **changes})
    return changed
