"""Which examples an example's prediction depends on, told by exchanging one of them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import mapped, size
from art_training.setup.scores.outputs import read_outputs
from art_training.setup.task import Task, TaskKind


@dataclass(frozen=True)
class Mixing:
    """How far predictions move when another example of the batch is exchanged.

    Attributes:
        others: the largest change of another example's prediction, as a share of how much predictions differ.
        noise: the same without any exchange.
        changed: how many other examples' predictions changed, of how many.
        of: see `changed`.
    """

    others: float
    noise: float
    changed: int
    of: int


def mixing(specimen: Specimen) -> Mixing | None:
    """Whether examples of a batch see each other, in evaluation mode; None where predictions are not known by example.

    The middle example becomes a copy of the first, in every entry that has a row an example; what is predicted of the
    others must not move.
    """
    batch = specimen.batches[0]
    count = size(batch)
    if count < 3:
        return None
    middle = count // 2
    before, again = _predictions(specimen, batch), _predictions(specimen, batch)
    after = _predictions(specimen, mapped(batch, lambda leaf: _exchanged(leaf, middle, count)))
    if before is None or again is None or after is None or len(before) != count or before.shape != after.shape:
        return None
    flat = [one.reshape(count, -1).double() for one in (before, again, after)]
    spread = float(flat[0].std(0).max())
    if not spread > 0:
        return None
    others = [index for index in range(count) if index != middle]
    moved = (flat[2] - flat[0])[others].abs().amax(1)
    noise = float((flat[1] - flat[0]).abs().max())
    limit = max(10 * noise, 1e-5 * spread)
    return Mixing(float(moved.max()) / spread, noise / spread, int((moved > limit).sum()), len(others))


def _predictions(specimen: Specimen, batch: Any) -> Tensor | None:
    outputs = read_outputs(specimen.observe(batch), Task(TaskKind.OTHER), None)
    return None if outputs.predictions is None else outputs.predictions.detach()


def _exchanged(leaf: Any, index: int, count: int) -> Any:
    if not isinstance(leaf, Tensor) or leaf.ndim == 0 or len(leaf) != count:
        return leaf
    changed = torch.clone(leaf)
    changed[index] = leaf[0]
    return changed
