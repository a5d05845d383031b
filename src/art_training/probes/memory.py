"""Whether what a model computes of a batch depends on the batch before it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.cost import lighter
from art_training.probes.passes import passed
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, size

_MOVED = 1e-3  # of the deviation of what a layer gives


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
    before it has learned anything.
    """
    specimen = lighter(specimen)
    rows = size(specimen.batches[0])
    alike = [one for one in specimen.batches if size(one) == rows]
    if len(alike) < 2:
        return None
    batch, other = alike[0], alike[1]
    first = _given(specimen, batch, behind=batch)
    again = _apart(first, _given(specimen, batch, behind=batch))
    after = _apart(first, _given(specimen, batch, behind=other))
    if not again or not after:
        return None
    layer = max(after, key=lambda name: after[name])
    return Memory(layer, after[layer], max(again.values()), rows)


def _given(specimen: Specimen, batch: object, *, behind: object) -> list[tuple[str, Tensor]]:
    """What each layer gives for a batch after another, which is passed twice: what is kept of the one before it is gone then."""
    for _ in range(2):
        passed(specimen, behind, index=0)
    with _heard(specimen.module) as found:
        passed(specimen, batch, index=0)
    return found


@contextmanager
def _heard(root: nn.Module) -> Generator[list[tuple[str, Tensor]]]:
    """A list that fills with what layers give, in the order of their calls."""
    found: list[tuple[str, Tensor]] = []

    def hear(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def heard(module: nn.Module, given: Any, output: Any) -> None:
            del module, given
            tensors = [one for one in entries((output,)).values() if isinstance(one, Tensor)]
            found.extend((name, one.detach().double()) for one in tensors[:1] if one.is_floating_point())

        return heard

    leaves = [(name, one) for name, one in root.named_modules() if name and not any(True for _ in one.children())]
    handles = [one.register_forward_hook(hear(name)) for name, one in leaves]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _apart(one: list[tuple[str, Tensor]], other: list[tuple[str, Tensor]]) -> dict[str, float]:
    """The largest difference of each layer, as a share of its deviation; empty where the calls are not the same."""
    if [(name, value.shape) for name, value in one] != [(name, value.shape) for name, value in other]:
        return {}
    found: dict[str, float] = {}
    for (name, mine), (_, theirs) in zip(one, other, strict=True):
        scale = float(mine.std()) if mine.numel() > 1 else 0.0
        difference = float((mine - theirs).abs().max()) if mine.numel() else 0.0
        if scale > 0 and torch.isfinite(mine).all():
            found[name] = max(found.get(name, 0.0), difference / scale)
    return found
