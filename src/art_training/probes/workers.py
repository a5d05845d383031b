"""What the worker processes of a loader give: whether each gives all rows, and whether their randomness is their own."""

import math
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from art_training.probes.reachable import reachable
from art_training.probes.specimen import Specimen
from art_training.records import Split
from art_training.setup.data.batch import entries, rows, size
from art_training.setup.data.hashing import row_hashes

_SECONDS = 2.0
_MOST_ROWS = 5_000
_RANDOM = (np.random.Generator, np.random.RandomState, random.Random, torch.Generator)


@dataclass(frozen=True)
class Sharing:
    """What a stream gives to one worker, and to several.

    Attributes:
        workers: as many as the loader has.
        one: rows that one worker gives.
        several: rows that these workers give together.
        whole: whether both came to their end.
        same: whether the first batches of two workers hold the same rows, and those of one do not.
        again: of the rows that these workers gave, in the same count as one worker's, how many were there before; none of one
            worker's were.
    """

    workers: int
    one: int
    several: int
    whole: bool
    same: bool
    again: int = 0


@dataclass(frozen=True)
class Draws:
    """What one row is given as, again and again.

    Attributes:
        random: whether a worker gives it in several forms.
        cloned: whether two workers begin with the same form.
        repeated: whether a second epoch gives the forms of the first.
        persistent: whether workers outlive an epoch.
        held: generators that the dataset holds.
        mended: whether forms differ once each worker seeds these generators by itself; None where that was not tried.
    """

    random: bool
    cloned: bool
    repeated: bool
    persistent: bool
    held: int
    mended: bool | None


def sharing(specimen: Specimen) -> Sharing | None:
    """Whether every worker gives the whole stream; None where no stream is read by several."""
    loader = _loader(specimen)
    if loader is None or not _is_stream(loader) or loader.num_workers < 2:
        return None
    one, first_ended = _read(loader, 1)
    several, second_ended = _read(loader, loader.num_workers)
    if len(one) < 2 or len(several) < 2:
        return None
    same = np.array_equal(several[0], several[1]) and not np.array_equal(one[0], one[1])
    return Sharing(
        workers=loader.num_workers,
        one=sum(map(len, one)),
        several=sum(map(len, several)),
        whole=first_ended and second_ended,
        same=same,
        again=_again_given(one, several),
    )


def _again_given(one: list[NDArray[Any]], several: list[NDArray[Any]]) -> int:
    """Rows that several workers give a second time, before as many were read as one worker gave without doing so."""
    alone, together = np.concatenate(one), np.concatenate(several)
    if len(np.unique(alone)) < len(alone):  # rows of the stream that are equal by themselves
        return 0
    together = together[: len(alone)]
    return len(together) - len(np.unique(together))


def draws(specimen: Specimen) -> Draws | None:
    """Whether what workers draw at random is their own; None where rows are not picked by workers."""
    loader = _loader(specimen)
    if loader is None or _is_stream(loader) or loader.num_workers < 1 or not len(loader.dataset):
        return None
    count = min(loader.num_workers, 2)
    first, second = _forms(loader, count), _forms(loader, count)
    random_ = not np.array_equal(first[0], first[count])
    cloned = count > 1 and np.array_equal(first[0], first[1])
    repeated = all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    held = len(list(reachable(loader.dataset, _RANDOM)))
    mended = None
    if random_ and held and (cloned or repeated):
        again, anew = _forms(loader, count, _seed_anew), _forms(loader, count, _seed_anew)
        mended = not np.array_equal(again[0], anew[0]) and (count < 2 or not np.array_equal(again[0], again[1]))
    return Draws(random_, cloned, repeated, bool(loader.persistent_workers), held, mended)


def _loader(specimen: Specimen) -> Any:
    loaders = list(specimen.loaders.get(Split.TRAIN, {}).values())
    return loaders[0] if len(loaders) == 1 and isinstance(loaders[0], DataLoader) else None


def _is_stream(loader: Any) -> bool:
    return isinstance(loader.dataset, IterableDataset)


def _again(loader: Any, workers: int, **changes: Any) -> DataLoader[Any]:
    """Another loader of the same dataset, whose workers are processes of their own: nothing here is used up."""
    options: dict[str, Any] = {
        "batch_size": loader.batch_size,
        "collate_fn": loader.collate_fn,
        "worker_init_fn": loader.worker_init_fn,
        "multiprocessing_context": loader.multiprocessing_context,
    }
    return DataLoader[Any](loader.dataset, num_workers=workers, **{**options, **changes})


def _read(loader: Any, workers: int) -> tuple[list[NDArray[Any]], bool]:
    """Hashes of the rows of each batch, and whether it came to the end."""
    until, found = math.inf, list[NDArray[Any]]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for batch in _again(loader, workers):
            found.append(_hashes(batch))
            until = min(until, time.monotonic() + _SECONDS)  # processes that begin late on a busy machine do not count
            if time.monotonic() > until or sum(map(len, found)) >= _MOST_ROWS:
                return found, False
    return found, True


def _forms(loader: Any, workers: int, init: Callable[[int], None] | None = None) -> list[NDArray[Any]]:
    """The first row twice by each worker, in the order: first of all workers, second of all workers."""
    changes: dict[str, Any] = {"batch_size": 1, "sampler": [0] * (2 * workers)}
    if init is not None:
        changes["worker_init_fn"] = init
    return [_hashes(batch) for batch in _again(loader, workers, **changes)]


def _hashes(batch: Any) -> NDArray[Any]:
    count = size(batch)
    return row_hashes([leaf for leaf in entries(batch).values() if rows(leaf) == count], count)


def _seed_anew(worker: int) -> None:
    """Let every generator that the dataset holds draw from this worker's own seed."""
    del worker
    info = get_worker_info()
    assert info is not None
    for number, held in enumerate(reachable(info.dataset, _RANDOM)):
        seed = (torch.initial_seed() + number) % 2**32
        if isinstance(held, np.random.Generator):
            kind = cast("Any", type(held.bit_generator))
            held.bit_generator.state = kind(seed).state
        elif isinstance(held, np.random.RandomState | random.Random):
            held.seed(seed)
        else:
            held.manual_seed(seed)
