"""What one batch can be learned to, from fresh weights."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from art_training.probes.specimen import Specimen

STEPS = 80
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_SECONDS = 4.0  # of a course; where a step takes long there are fewer, in every course of a model as many
_LEAST = 8
_affordable: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
_RATE = 3e-3  # of Adam, whose steps have about this size whatever the gradients are; most networks take it


@dataclass(frozen=True)
class OneBatch:
    """A course of the loss on one batch.

    Attributes:
        losses: after each step, the first before any.
        floor: the mean of its lowest tenth.
    """

    losses: tuple[float, ...]

    @property
    def first(self) -> float:
        """Before any step."""
        return self.losses[0]

    @property
    def floor(self) -> float:
        """The mean of the lowest tenth."""
        lowest = sorted(self.losses)[: max(1, len(self.losses) // 10)]
        return sum(lowest) / len(lowest)


def learned(
    specimen: Specimen, *, steps: int = STEPS, around: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> OneBatch | None:
    """Learn the first batch by heart with Adam, on all parameters that train; None where the step returns no loss.

    Dropout is off and batch norms use the batch, so that what is learned is what is computed.

    Args:
        specimen: within `kept()`.
        steps: of Adam, at most; a large model is given fewer, and the same in each of its courses.
        around: a context that each computation of the loss runs in, such as a changed loss.
    """
    batch = specimen.batches[0]
    parameters = [one for one in specimen.module.parameters() if one.requires_grad]
    if not specimen.automatic or not parameters:
        return None
    optimizer = torch.optim.Adam(parameters, lr=_RATE)
    quiet = [one for one in specimen.module.modules() if isinstance(one, _DROPOUTS)]
    for one in quiet:
        one.eval()
    losses: list[float] = []
    began = monotonic()
    while len(losses) < affordable(specimen.module, steps, done=len(losses), began=began):
        optimizer.zero_grad()
        with around():
            loss = specimen.loss(batch)
        if loss is None or not loss.requires_grad:
            return None
        losses.append(float(loss.detach()))
        loss.backward()
        optimizer.step()
    return OneBatch(tuple(losses))


def affordable(module: nn.Module, steps: int, *, done: int, began: float) -> int:
    """How many of so many steps a model is given: told once, by the second and third step that it ever takes.

    Args:
        module: the model.
        steps: that are wanted.
        done: of them.
        began: when, by the monotonic clock.
    """
    if module not in _affordable and done == 3:
        _affordable[module] = max(_LEAST, int(_SECONDS * 3 / (monotonic() - began)))
    return min(steps, _affordable.get(module, steps))


def course(specimen: Specimen) -> OneBatch | None:
    """The usual course of one batch."""
    return learned(specimen)
