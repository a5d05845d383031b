"""What watches a training: told of its moments in order, it measures and changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass(frozen=True)
class Moment:
    """Where a training stands. Tensors are the live ones: whoever keeps one clones it.

    Attributes:
        module: the model that trains.
        optimizers: its optimisers.
        step: optimiser steps done.
        epoch: from 0.
        index: of the batch in its epoch.
        batch: as it enters the step; None between batches.
        loss: what the step returned, detached; None where it returned none, and before.
        logged: what has been logged so far, by name.
        schedulers: of learning rates.
        callbacks: the user's own.
    """

    module: nn.Module
    optimizers: Sequence[Optimizer]
    step: int
    epoch: int
    index: int = 0
    batch: Any = None
    loss: Tensor | None = None
    logged: Mapping[str, Any] | None = None
    schedulers: Sequence[Any] = ()
    callbacks: Sequence[Any] = ()


class Monitor:
    """Watches a training; made anew for each. What it does not define it does not look at.

    The moments of a batch in order: `entering`, `differentiated` once for each optimiser that is about to step,
    `stepped`. An exception in a monitor ends its watch, not the training.

    Attributes:
        failure: why its watch ended before its time, in one sentence; empty where it did not.
    """

    failure: str = ""

    def beginning(self, moment: Moment) -> None:
        """Training begins: optimisers stand, no batch has been read."""

    def entering(self, moment: Moment) -> None:
        """A batch enters the step."""

    def differentiated(self, moment: Moment, optimizer: Optimizer) -> None:
        """Gradients are there, cut where they are to be, and an optimiser is about to step."""

    def stepped(self, moment: Moment) -> None:
        """A batch is done."""

    def validating(self, moment: Moment) -> None:
        """A validation begins."""

    def predicting(self, moment: Moment) -> None:
        """A batch enters a validation."""

    def validated(self, moment: Moment) -> None:
        """A validation is done."""

    def epoch_ended(self, moment: Moment) -> None:
        """An epoch is done."""

    def ended(self, moment: Moment) -> None:
        """Training is done."""
