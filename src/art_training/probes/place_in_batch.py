"""Whether what is predicted of an example depends on where it stands in its batch, told by another order of the examples."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from art_training.probes.cost import lighter
from art_training.probes.passes import examples, passed, ways
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import mapped, size


@dataclass(frozen=True)
class Placed:
    """How far predictions move with the places of their examples.

    Attributes:
        moved: the largest change, as a share of how much predictions differ.
        noise: from one pass to the next, with other random numbers.
        examples: whose prediction moved.
        of: so many examples.
    """

    moved: float
    noise: float
    examples: int
    of: int


def placed(specimen: Specimen) -> Placed | None:
    """What moves when all examples of a batch go on by one place; None where predictions of each are not known."""
    if examples(specimen, specimen.batches[0]) is None:
        return None
    specimen = lighter(specimen)
    batch = specimen.batches[0]
    count = size(batch)
    moved = mapped(batch, lambda leaf: leaf.roll(1, 0) if _has_rows(leaf, count) else leaf)
    # The index is the first batch's, so that what is counted by batches stays the same.
    passes = [passed(specimen, one, seed=seed, index=0) for one, seed in ((batch, 0), (batch, 1), (moved, 0))]
    found: list[Placed] = []
    for before, again, after in zip(*(one.predictions(count) for one in passes), strict=False):
        # What stays as it is in another order of the examples is not of examples, as what a module makes of positions alone.
        if not before.shape == again.shape == after.shape or torch.equal(before, after):
            continue
        read = zip(*(_ways(one, count) for one in (before, again, after)), strict=True)
        known = [one for way in read if (one := _compared(*way)) is not None]
        found += [min(known, key=lambda one: one.moved)] if known else []
    return max(found, key=lambda one: one.moved, default=None)


def _ways(tensor: Tensor, count: int) -> list[Tensor]:
    """As `ways`, and with any dimension of as many as there are examples as theirs: positions may come first."""
    axes = [axis for axis in range(1, tensor.ndim) if tensor.shape[axis] == count]
    return [*ways(tensor, count), *(tensor.movedim(axis, 0).reshape(count, -1) for axis in axes)]


def _compared(before: Tensor, again: Tensor, after: Tensor) -> Placed | None:
    first, second, third = (one.detach().double() for one in (before, again, after.roll(-1, 0)))
    spread = float(first.std(0).max())
    if not spread > 0:
        return None
    changes = (third - first).abs().amax(1) / spread
    noise = float((second - first).abs().max()) / spread
    size_ = float(first.abs().max()) / spread
    limit = max(1e-4, 10 * noise, 1e-6 * size_)
    return Placed(float(changes.max()), noise, int((changes > limit).sum()), len(changes))


def _has_rows(leaf: Any, count: int) -> bool:
    return isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == count
