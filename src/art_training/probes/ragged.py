"""Entries that hold the items of all examples one after another, beside one that tells where those of each begin."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from art_training.setup.data.batch import entries


@dataclass(frozen=True)
class Ragged:
    """An entry of many items an example, as targets of `ctc_loss` and tokens of an `EmbeddingBag` come.

    Attributes:
        path: of the entry.
        told_by: path of the entry that tells it: lengths, places where examples begin, or these with the end of all.
        starts: (examples + 1,) where the items of each begin, and the end of all.
        ends: whether the entry that tells it has the end of all too.
    """

    path: str
    told_by: str
    starts: Tensor
    ends: bool


def ragged(batch: Any, count: int) -> tuple[Ragged, ...]:
    """The entries of a batch of `count` examples that are such."""
    leaves = {path: leaf for path, leaf in entries(batch).items() if isinstance(leaf, Tensor) and leaf.ndim}
    long = {path: leaf for path, leaf in leaves.items() if len(leaf) > count > 1}
    tellers = {
        path: leaf
        for path, leaf in leaves.items()
        if leaf.ndim == 1 and leaf.dtype in {torch.int32, torch.int64} and len(leaf) in {count, count + 1}
    }
    found: list[Ragged] = []
    for path, leaf in long.items() if tellers else ():
        told = ((name, _starts(teller, count, len(leaf))) for name, teller in tellers.items() if name != path)
        found += [
            Ragged(path, name, starts, len(tellers[name]) > count) for name, starts in told if starts is not None
        ][:1]
    return tuple(found)


def _starts(teller: Tensor, count: int, items: int) -> Tensor | None:
    """Where examples begin, as one entry may tell it in three ways; None where it tells something else."""
    numbers = teller.detach().cpu().long()
    if len(numbers) == count and int(numbers.min()) >= 0 and int(numbers.sum()) == items:
        return torch.cat([numbers.new_zeros(1), numbers.cumsum(0)])
    rises = int(numbers[0]) == 0 and bool((numbers[1:] >= numbers[:-1]).all())
    if rises and len(numbers) == count + 1 and int(numbers[-1]) == items:
        return numbers
    # Labels of sorted rows rise too; where items begin, they go on to the last ones.
    if rises and len(numbers) == count and items / 2 <= int(numbers[-1]) < items:
        return torch.cat([numbers, numbers.new_tensor([items])])
    return None
