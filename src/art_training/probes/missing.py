"""What becomes of a step when one number of its input is missing."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from art_training.probes.cost import lighter
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import mapped, size

_ROWS = 16  # of a batch; one missing number spoils a mean of few rows as it does one of many


@dataclass(frozen=True)
class Planted:
    """The loss of a batch, and that of the same batch with one NaN in its input.

    Attributes:
        before: as it is.
        after: with the NaN.
    """

    before: float
    after: float

    @property
    def spreads(self) -> bool:
        """Whether one missing number spoils the whole loss."""
        return math.isfinite(self.before) and not math.isfinite(self.after)


def _first(leaf: Any, rows: int) -> Any:
    return leaf[:_ROWS] if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == rows else leaf


def planted(specimen: Specimen) -> Planted | None:
    """Plant a NaN into every floating input of one example; None where the batch has none, or no loss is returned.

    Floating entries with one number an example are left alone, since they are targets or weights as often as inputs.
    """
    whole = lighter(specimen).batches[0]
    rows = size(whole)
    batch = mapped(whole, lambda leaf: _first(leaf, rows))
    count = size(batch)
    done: list[int] = []

    def change(leaf: Any) -> Any:
        fits = isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.ndim > 1 and len(leaf) == count
        if not fits or leaf[0].numel() < 2:
            return leaf
        done.append(1)
        changed = torch.clone(leaf)
        changed[0].view(-1)[0] = math.nan
        return changed

    spoiled = mapped(batch, change)
    if not done:
        return None
    with specimen.kept():
        before = specimen.loss(batch)
    with specimen.kept():
        after = specimen.loss(spoiled)
    if before is None or after is None:
        return None
    return Planted(float(before.detach().float().sum()), float(after.detach().float().sum()))
