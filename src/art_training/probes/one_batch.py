"""What one batch can be learned to, from fresh weights."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from art_training.probes.cost import affordable, lighter
from art_training.probes.specimen import Specimen

STEPS = 80
FALLEN = 0.9  # of the first loss; a course whose floor lies above has learned next to nothing
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
SECONDS = 4.0  # of a course; where a step takes long there are fewer, in every course of a model as many
LEAST = 8
_LEARNED = 0.01  # of the first loss; what is left below it is a matter of some steps more
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
        return _floor(self.losses, len(self.losses))

    def halves(self, other: "OneBatch") -> bool:
        """Whether it comes to less than half of the loss that another course of the model is left with.

        Of a course that has all but learned the batch there is no half. A loss that may be negative has no such half: it must fall more than twice as far as the other, and no less than by a
        tenth of what it began with.
        """
        if min(*self.losses, *other.losses) >= 0:
            return self.floor < other.floor / 2 and other.floor > _LEARNED * min(self.first, other.first)
        return other.first - self.floor > 2 * (other.first - other.floor) + abs(other.first) / 10


def learned(
    specimen: Specimen,
    *,
    steps: int = STEPS,
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
    until: float | None = None,
) -> OneBatch | None:
    """Learn the first batch by heart with Adam, on all parameters that train; None where the step returns no loss.

    Dropout is off and batch norms use the batch, so that what is learned is what is computed.

    Args:
        specimen: within `kept()`.
        steps: of Adam, at most; a large model is given fewer, and the same in each of its courses.
        around: a context that each computation of the loss runs in, such as a changed loss.
        until: share of the first loss; once it is sure that the floor of the whole course lies no higher, the rest is left.
    """
    specimen = lighter(specimen)
    batch = specimen.batches[0]
    parameters = [one for one in specimen.module.parameters() if one.requires_grad]
    if not specimen.automatic or not parameters:
        return None
    optimizer = torch.optim.Adam(parameters, lr=_RATE)
    quiet = [one for one in specimen.module.modules() if isinstance(one, _DROPOUTS)]
    for one in quiet:
        one.eval()
    losses: list[float] = []
    count = affordable(specimen, steps, seconds=SECONDS, least=LEAST)
    while len(losses) < count:
        optimizer.zero_grad()
        with around():
            loss = specimen.loss(batch)
        if loss is None or not loss.requires_grad:
            return None
        losses.append(float(loss.detach()))
        if until is not None and len(losses) >= count // 10 and _floor(losses, count) <= until * losses[0]:
            break
        loss.backward()
        for one in parameters:
            if one.grad is not None and one.grad.is_sparse:  # of an embedding's rows, which Adam does not take
                one.grad = one.grad.to_dense()
        optimizer.step()
    return OneBatch(tuple(losses))


def course(specimen: Specimen) -> OneBatch | None:
    """The usual course of one batch."""
    return learned(specimen)


def stuck(specimen: Specimen) -> OneBatch | None:
    """The usual course, which ends as soon as its floor is sure to be less than nine tenths of what it began with."""
    return learned(specimen, until=FALLEN)


def _floor(losses: Sequence[float], steps: int) -> float:
    """The mean of the lowest losses, a tenth of so many steps."""
    lowest = sorted(losses)[: max(1, steps // 10)]
    return sum(lowest) / len(lowest)
