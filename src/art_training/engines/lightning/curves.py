"""The points of curves that a training makes, until they are handed over."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from torch import Tensor

from art_training.engines.lightning.loaders import named
from art_training.engines.lightning.values import (
    learning_rates,
    loss_curve,
    numbers,
    training_loss,
    validation_losses,
    values_of,
    weighted_mean,
)
from art_training.setup.data.batch import size

Point = tuple[str, int, int, float]


class BatchLoss(NamedTuple):
    """The loss of one batch of training, once it has been moved from its device."""

    epoch: int
    batch: int
    value: float


class _Waiting(NamedTuple):
    """A loss that is still on its device; `accumulated` batches make a step together."""

    step: int
    epoch: int
    batch: int
    accumulated: int
    loss: Tensor


class Curves:
    """Gathers points. Losses stay tensors on their device until they are flushed, in one transfer.

    `train/loss` for every optimiser step and `train/loss_epoch`, the mean over an epoch's batches, as the batches were
    seen while the weights changed; `validation/loss` where the module logs it by a common name or its validation step
    returns it; `lr/<group>`; and every value that the module or a callback logs, under `logged/<name>`.

    Attributes:
        collects: whether logged values are taken from the trainer, because no logger hands them over.
        epoch_losses: of the batches of this epoch that have been flushed.
    """

    def __init__(self, *, with_rates: bool) -> None:
        """Of a training; learning rates are added at every flush, or by whoever sets them."""
        self.collects = False
        self.epoch_losses: list[float] = []
        self._with_rates = with_rates
        self._step: Callable[[], int] = lambda: 0
        self._losses: list[_Waiting] = []
        self._last_step = 0
        self._validation: dict[int, list[tuple[Tensor, int]]] = {}
        self._points: list[Point] = []
        self._collected: dict[str, Any] = {}

    def take(self) -> tuple[Point, ...]:
        """The points that are new; each is handed over once."""
        points, self._points = tuple(self._points), []
        return points

    # Training.

    def begin(self, trainer: Any) -> None:
        """Training is about to begin."""
        self._step = lambda: int(trainer.global_step)

    def begin_epoch(self, trainer: Any) -> None:
        """An epoch begins."""
        self.epoch_losses = []
        self._last_step = trainer.global_step

    def add_batch(self, trainer: Any, module: Any, outputs: Any, batch: int) -> None:
        """A batch of training is done."""
        loss, step = outputs.get("loss") if outputs else None, trainer.global_step
        if loss is not None:
            accumulated = trainer.accumulate_grad_batches if module.automatic_optimization else 1
            # Before the optimiser has stepped, the batch belongs to the step that is still to come.
            mine = step if step > self._last_step else step + 1
            self._losses.append(_Waiting(mine, trainer.current_epoch, batch, accumulated, loss))
        self._last_step = step

    def flush(self, trainer: Any, module: Any, *, all_of_them: bool = True) -> list[BatchLoss]:
        """Move the losses that wait from their device; returns them.

        Those of a step that is not complete yet go on waiting, unless `all_of_them` are wanted.
        """
        until = math.inf if all_of_them else trainer.global_step
        waiting = [one for one in self._losses if one.step <= until]
        self._losses = [one for one in self._losses if one.step > until]
        values = [
            value * one.accumulated
            for value, one in zip(values_of([one.loss for one in waiting]), waiting, strict=True)
        ]
        if waiting:
            self._add_losses([(one.step, one.epoch) for one in waiting], values)
        elif not module.automatic_optimization:
            self._add_logged_loss(trainer)
        if self._with_rates:
            self._add_rates(trainer, trainer.global_step, learning_rates(trainer.optimizers))
        return [BatchLoss(one.epoch, one.batch, value) for one, value in zip(waiting, values, strict=True)]

    def end_epoch(self, trainer: Any) -> float | None:
        """An epoch is done; the mean loss of its batches, None where none has had one."""
        losses = self.epoch_losses
        if not losses:
            return None
        mean = math.fsum(losses) / len(losses) if all(map(math.isfinite, losses)) else math.nan
        self._points.append(("train/loss_epoch", trainer.global_step, trainer.current_epoch, mean))
        return mean

    def add_rates(self, trainer: Any, optimizer: Any) -> None:
        """Take the learning rates that an optimiser is about to step with."""
        self._add_rates(trainer, trainer.global_step + 1, learning_rates(trainer.optimizers, of=optimizer))

    # Validation.

    def begin_validation(self) -> None:
        """A validation begins."""
        self._validation = {}

    def add_validation(self, outputs: Any, batch: Any, loader: int) -> None:
        """A batch of validation is done."""
        # A bare number may be anything that the user cares for; only what is called a loss is one.
        loss = cast("Mapping[str, Any]", outputs).get("loss") if isinstance(outputs, Mapping) else None
        if isinstance(loss, Tensor) and loss.numel() == 1:
            self._validation.setdefault(loader, []).append((loss.detach(), size(batch)))

    def end_validation(self, trainer: Any) -> None:
        """A validation is done, and what it logged is reduced."""
        step, epoch = trainer.global_step, trainer.current_epoch
        logged = numbers(
            trainer.callback_metrics
        )  # asked before values are collected: asked later, they are new objects
        self.collect(trainer, epoch)
        loaders = tuple(named(trainer.val_dataloaders))
        losses = validation_losses(logged, loaders) or self._returned_losses(loaders)
        self._points += [(name, step, epoch, value) for name, value in losses.items()]
        self._validation = {}

    # What is logged.

    def add_logged(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Take values from the logger that stands in where the user has none."""
        self._points += [(f"logged/{name}", self._step(), epoch, value) for name, value in metrics.items()]

    def collect(self, trainer: Any, epoch: int) -> None:
        """Take what was logged since the last time; what was not logged again is still the same object."""
        if not self.collects:
            return
        current = dict(trainer.callback_metrics)
        new = {name: value for name, value in current.items() if value is not self._collected.get(name)}
        self.add_logged(numbers(new), epoch)
        self._collected = current

    # Its own work.

    def _add_losses(self, steps: Iterable[tuple[int, int]], values: list[float]) -> None:
        """One point a step: batches whose gradients were accumulated make one step together."""
        together: dict[tuple[int, int], list[float]] = {}
        for place, value in zip(steps, values, strict=True):
            together.setdefault(place, []).append(value)
        self._points += [
            ("train/loss", step, epoch, sum(losses) / len(losses)) for (step, epoch), losses in together.items()
        ]
        self.epoch_losses += values

    def _add_logged_loss(self, trainer: Any) -> None:
        """Manual optimisation may return nothing; then a logged loss is the best there is, if one is logged."""
        loss = training_loss(numbers(trainer.callback_metrics))
        if loss is not None:
            self._add_losses([(trainer.global_step, trainer.current_epoch)], [loss])

    def _add_rates(self, trainer: Any, step: int, rates: Iterable[tuple[str, float]]) -> None:
        self._points += [(f"lr/{name}", step, trainer.current_epoch, rate) for name, rate in rates]

    def _returned_losses(self, loaders: Sequence[str | None]) -> dict[str, float]:
        means = {index: weighted_mean(pairs) for index, pairs in self._validation.items()}
        return {loss_curve(loaders[index]): mean for index, mean in means.items() if mean is not None}
