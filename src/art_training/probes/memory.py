"""Whether what a model computes of a batch depends on the batch before it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from art_training.probes.cost import lighter
from art_training.probes.heard import heard
from art_training.probes.passes import passed
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size

_MOVED = 1e-3  # of the deviation of what a layer gives
_ROWS = 4  # of an expensive model: every one of them tells


@dataclass(frozen=True)
class Memory:
    """How far what a layer gives for a batch moves when another batch was passed before it.

    Attributes:
        layer: that moves most, by its name.
        moved: its largest change, as a share of its deviation.
        noise: the largest of any layer in two passes after the same batch.
        rows: of the batch.
    """

    layer: str
    moved: float
    noise: float
    rows: int

    @property
    def remembers(self) -> bool:
        """Whether the batch before counts."""
        return self.moved > _MOVED and self.moved > 100 * self.noise


def memory(specimen: Specimen) -> Memory | None:
    """Pass a batch behind itself and behind another, in evaluation mode; None where two batches of one size are not there.

    Weights, buffers and random numbers are the same each time, so that what differs was kept by the model in a place of its
    own. Every layer is compared and not predictions alone: a recurrence forgets the state that it begins with, and sooner
    before it has learned anything. What comes before passes twice: what was kept of the batches before it is gone then.
    """
    specimen = lighter(specimen, least=_ROWS)
    rows = size(specimen.batches[0])
    alike = [one for one in specimen.batches if size(one) == rows]
    if len(alike) < 2:
        return None
    batch, other = alike[0], alike[1]
    _, _, first, second = (_given(specimen, batch) for _ in range(4))
    _, _, third = (_given(specimen, one) for one in (other, other, batch))
    again, after = _apart(first, second), _apart(first, third)
    if not again or not after:
        return None
    layer = max(after, key=lambda name: after[name])
    return Memory(layer, after[layer], max(again.values()), rows)


def _given(specimen: Specimen, batch: object) -> list[tuple[str, Tensor]]:
    """What each layer gives for a batch, in the order of their calls."""
    found: list[tuple[str, Tensor]] = []
    with heard(specimen.module, lambda name, given: found.append((name, given.clone()))):
        passed(specimen, batch, index=0)
    return found


def _apart(one: list[tuple[str, Tensor]], other: list[tuple[str, Tensor]]) -> dict[str, float]:
    """The largest difference of each layer, as a share of its deviation; empty where the calls are not the same."""
    if [(name, value.shape) for name, value in one] != [(name, value.shape) for name, value in other]:
        return {}
    found: dict[str, float] = {}
    for (name, first), (_, second) in zip(one, other, strict=True):
        mine, theirs = first.double(), second.double()
        scale = float(mine.std()) if mine.numel() > 1 else 0.0
        difference = float((mine - theirs).abs().max()) if mine.numel() else 0.0
        if scale > 0 and torch.isfinite(mine).all():
            found[name] = max(found.get(name, 0.0), difference / scale)
    return found
