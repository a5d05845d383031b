"""Which rows an epoch of the training loader draws, and in which order: its sampler is asked, no row is read."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from art_training.probes.specimen import Specimen
from art_training.records import Split

_PASSES = 3
_MOST_ROWS = 200_000
_MOST_DRAWS = 1_000_000  # of a whole training
_TORCH_SAMPLERS = (SequentialSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


@dataclass(frozen=True)
class Drawn:
    """What one training loader draws.

    Attributes:
        loader: its name; None for an only one.
        rows: that its dataset has.
        passes: the numbers of the rows of each epoch, in order.
        batches: how many rows each batch of the first epoch has.
        sampler: the class that decides the order.
        ours: whether it is a sampler of torch's, whose meaning is known.
        in_order: whether it goes through the rows as they stand.
        grouped: whether a batch sampler of the user's own decides which rows come together.
        covered: how many different rows all epochs of the training draw, where one draws each of its rows twice or more
            on average; None where it does not, or where there are too many draws to ask for.
    """

    loader: str | None
    rows: int
    passes: tuple[NDArray[np.int64], ...]
    batches: tuple[int, ...]
    sampler: str
    ours: bool
    in_order: bool
    grouped: bool
    covered: int | None = None


def drawn(specimen: Specimen) -> tuple[Drawn, ...]:
    """What each training loader would draw in its first epochs; loaders of streams and of other kinds are left out."""
    loaders = specimen.loaders.get(Split.TRAIN, {})
    found = [_drawn(name, loader, specimen.plan.epochs) for name, loader in loaders.items()]
    return tuple(one for one in found if one is not None)


def map_style(loader: Any) -> bool:
    """Whether a loader picks rows of a dataset by their numbers."""
    return isinstance(loader, DataLoader) and not isinstance(cast("Any", loader.dataset), IterableDataset)


def _drawn(name: str | None, loader: Any, epochs: int | None) -> Drawn | None:
    if not map_style(loader):
        return None
    batched = loader.batch_sampler is not None
    source: Any = _copied(loader.batch_sampler if batched else loader.sampler)
    if source is None:
        return None
    inner = getattr(source, "sampler", source) if batched else source
    passes: list[NDArray[np.int64]] = []
    sizes: tuple[int, ...] = ()
    for epoch in range(_PASSES):
        numbers, lengths = _epoch(source, inner, epoch, batched=batched)
        if numbers is None:
            return None
        passes.append(numbers)
        sizes = sizes or lengths
    covered = None
    if epochs and len(passes[0]) >= 2 * len(np.unique(passes[0])) and epochs * len(passes[0]) <= _MOST_DRAWS:
        seen = set(np.concatenate(passes[:epochs]).tolist())
        for epoch in range(_PASSES, epochs):
            numbers, _ = _epoch(source, inner, epoch, batched=batched)
            seen.update(() if numbers is None else numbers.tolist())
        covered = len(seen)
    return Drawn(
        loader=name,
        rows=len(loader.dataset),
        passes=tuple(passes),
        batches=sizes,
        sampler=type(inner).__name__,
        ours=type(inner) in _TORCH_SAMPLERS,
        in_order=bool((np.diff(passes[0]) > 0).all()),
        grouped=batched and type(source) is not BatchSampler,
        covered=covered,
    )


def _epoch(source: Any, inner: Any, epoch: int, *, batched: bool) -> tuple[NDArray[np.int64] | None, tuple[int, ...]]:
    """As `_numbers`, of the epoch of this number, which samplers that want to know are told."""
    for one in {id(each): each for each in (source, inner)}.values():
        if callable(getattr(one, "set_epoch", None)):
            one.set_epoch(epoch)
    return _numbers(source, batched=batched)


def _numbers(source: Iterable[Any], *, batched: bool) -> tuple[NDArray[np.int64] | None, tuple[int, ...]]:
    """The rows of a pass, and how many each batch has; None where rows are not told by numbers."""
    rows: list[int] = []
    sizes: list[int] = []
    for one in islice(source, _MOST_ROWS):
        several: Sequence[Any] = list(one) if batched else [one]
        if not all(isinstance(each, int | np.integer | torch.Tensor) for each in several):
            return None, ()
        rows += [int(each) for each in several]
        sizes.append(len(several))
        if len(rows) >= _MOST_ROWS:
            break
    return np.asarray(rows, np.int64), tuple(sizes)


def _copied(sampler: Any) -> Any:
    """A sampler with generators of its own, so that those of the user's stay where they are; None where it has none.

    Rows are shared: a sampler may hold the dataset.
    """
    if sampler is None:
        return None
    shared: dict[int, Any] = {}
    _share(sampler, shared, 3)
    try:
        return copy.deepcopy(sampler, shared)
    except Exception:  # noqa: BLE001  Whatever a sampler of the user's holds.
        return None


def _share(owner: Any, shared: dict[int, Any], depth: int) -> None:
    """Let everything that a copy need not copy stand for itself."""
    for value in vars(owner).values() if hasattr(owner, "__dict__") else ():
        if isinstance(value, torch.Tensor | np.ndarray) or hasattr(value, "__getitem__"):
            shared[id(value)] = value
        elif depth and hasattr(value, "__iter__"):
            _share(value, shared, depth - 1)
