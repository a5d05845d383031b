"""Watches whether a training stays among the finite numbers, at so small a cost that every training can bear it."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from art_training.probes.monitor import Moment, Monitor
from art_training.probes.steps import parameters_of

_FIRST = frozenset({0, 1, 2, 4, 8, 16, 32})  # optimiser steps that are always looked at: most faults show at once
_TOGETHER = 64  # losses that are read from the device at a time, since each reading waits for it


@dataclass(frozen=True)
class Place:
    """Where in a training something was seen.

    Attributes:
        step: optimiser steps done before.
        epoch: from 0.
        index: of the batch.
        value: what was seen.
    """

    step: int
    epoch: int
    index: int
    value: float

    def __str__(self) -> str:
        return f"batch {self.index} of epoch {self.epoch}"


class Health(Monitor):
    """Losses, gradients and weights that are no finite numbers.

    Attributes:
        losses: that were seen.
        loss: the first that was not finite; None where all were.
        gradients: optimiser steps whose gradients were looked at.
        bad_gradients: of these, those with a gradient that was not finite.
        gradient: the first of them; its value is the norm.
        gradient_names: the parameters concerned, of that step, in the order of the model.
        loss_at_gradient: the loss of that batch; None where the step returned none.
        weights: names of parameters that are not finite at the end.
        ended_well: whether the training came to an end that the monitor was told of.
    """

    def __init__(self, every: int = 1) -> None:
        """Watch.

        Args:
            every: of so many optimiser steps, besides the first few, the gradients of one are looked at.
        """
        self.every = every
        self.losses = 0
        self.loss: Place | None = None
        self.gradients = 0
        self.bad_gradients = 0
        self.gradient: Place | None = None
        self.gradient_names: tuple[str, ...] = ()
        self.loss_at_gradient: float | None = None
        self.weights: tuple[str, ...] = ()
        self.ended_well = False
        self._waiting: list[tuple[int, int, int, Tensor]] = []
        self._steps = 0
        self._asks = False

    def differentiated(self, moment: Moment, optimizer: Optimizer) -> None:
        """Look at the gradients of some steps."""
        number, self._steps = self._steps, self._steps + 1
        if number not in _FIRST and number % self.every:
            return
        held = [one for one in parameters_of(optimizer) if one.grad is not None and not one.grad.is_sparse]
        if not held:
            return
        self.gradients += 1
        norms = torch.stack([torch.linalg.vector_norm(_dense(one.grad)) for one in held])
        total = float(torch.linalg.vector_norm(norms))
        if math.isfinite(total):
            return
        bad = {id(one) for one, norm in zip(held, norms.tolist(), strict=True) if not math.isfinite(norm)}
        self.bad_gradients += 1
        if self.gradient is None:
            self.gradient = Place(moment.step, moment.epoch, moment.index, total)
            self.gradient_names = tuple(name for name, one in moment.module.named_parameters() if id(one) in bad)
            self._asks = True

    def stepped(self, moment: Moment) -> None:
        """Keep the loss, and read some at a time."""
        if moment.loss is None:
            self._asks = False
            return
        self.losses += 1
        self._waiting.append((moment.step, moment.epoch, moment.index, moment.loss))
        if self._asks:
            self.loss_at_gradient, self._asks = float(moment.loss), False
        if self.every == 1 or len(self._waiting) >= _TOGETHER:
            self._read()

    def epoch_ended(self, moment: Moment) -> None:
        """Read what waits."""
        self._read()

    def ended(self, moment: Moment) -> None:
        """Read what waits, and look at the weights."""
        self._read()
        named = list(moment.module.named_parameters())
        norms = (
            torch.stack([torch.linalg.vector_norm(_dense(one.detach())) for _, one in named]).tolist() if named else []
        )
        self.weights = tuple(name for (name, _), norm in zip(named, norms, strict=True) if not math.isfinite(norm))
        self.ended_well = True

    def _read(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting or self.loss is not None:
            return
        values = torch.stack([one[3].float().reshape(()) for one in waiting]).tolist()
        for (step, epoch, index, _), value in zip(waiting, values, strict=True):
            if not math.isfinite(value):
                self.loss = Place(step, epoch, index, value)
                return


def _dense(tensor: Any) -> Tensor:
    """In a precision in which a sum of squares does not overflow before its parts do."""
    return tensor.float() if tensor.dtype in {torch.float16, torch.bfloat16} else tensor
