"""Watches a training: curves, progress, and the reasons to end it early."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from art_training.engines.engine import FitJob, Position, Stopped, Watch
from art_training.engines.lightning.describe import described_optimizers, described_training
from art_training.engines.lightning.failures import require_a_loss
from art_training.engines.lightning.lengths import batches_of, epochs_of
from art_training.engines.lightning.loaders import named
from art_training.engines.lightning.random_states import derived_seed, set_seed
from art_training.engines.lightning.values import (
    are_finite,
    learning_rates,
    loss_curve,
    numbers,
    training_loss,
    validation_losses,
    values_of,
    weighted_mean,
)
from art_training.engines.weights import digest_of
from art_training.records import Finding
from art_training.setup.data.batch import size

_PROGRESS_SECONDS = 0.2
_FLUSH_SECONDS = 1.0
_CONSECUTIVE = 10  # batches without a finite loss; a scaler of half precision skips a few in a row while it adapts

Point = tuple[str, int, int, float]


class Recorder:
    """The callback that watches. It adds two appends and a look at the clock to a batch.

    Losses stay tensors on their device until they are flushed, about every second and at the end of an epoch, in one
    transfer. It belongs to the thread that trains.

    Curves: `train/loss` for every optimiser step and `train/loss_epoch`, the mean over an epoch's batches, as the
    batches were seen while the weights changed; `validation/loss` where the module logs it by a common name or its
    validation step returns it; `lr/<group>`; and every value that the module or a callback logs, under `logged/<name>`.

    Attributes:
        stopped: why training was ended, if it was.
        message: one sentence about it.
        seconds: time in training and its validations.
        parameters: what was really used (plain data).
        findings: what was seen to be wrong.
        began: whether training has begun.
        began_with: digest of the weights that training began with, where it was given some.
        collects: whether logged values are taken from the trainer, because no logger hands them over.
    """

    def __init__(self, job: FitJob, watch: Watch, *, load: Callable[[Any], None] | None = None) -> None:
        super().__init__()
        self._job = job
        self._watch = watch
        self._load = load
        self.stopped: Stopped = ""
        self.message = ""
        self.seconds = 0.0
        self.parameters: dict[str, Any] = {}
        self.findings: list[Finding] = []
        self.began = False
        self.collects = False
        self.began_with = ""
        self._started = self._ticked = self._flushed = 0.0
        self._elsewhere = 0.0  # seconds that went into what is no training
        self._losses: list[tuple[int, int, int, int, Tensor]] = []  # step, epoch, batch, accumulated, loss
        self._epoch_losses: list[float] = []
        self._validation: dict[int, list[tuple[Tensor, int]]] = {}
        self._points: list[Point] = []
        self._collected: dict[str, Any] = {}
        self._bad = 0
        self._first_bad: tuple[int, int] = (0, 0)
        self._where = (0, 0)
        self._had_loss = False  # whether there was a loss yet
        self._open_epoch: int | None = None
        self._last_step = 0
        self._step: Callable[[], int] = lambda: 0

    def prepare(self, trainer: Any) -> None:
        """The optimisers have been made; what a training that is resumed has made of them since is no setting."""
        self.parameters |= described_optimizers(trainer)

    # Hooks, in the order in which Lightning calls them.

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        """The model stands and training has not begun: load the weights to start from, seed what training draws."""
        self._step = lambda: int(trainer.global_step)
        if self._load is not None:
            self._load(module)
        set_seed(derived_seed(self._job.seed, "fit"))

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins."""
        self.parameters |= described_training(trainer)
        if self._load is not None:
            self.began_with = digest_of(trainer.strategy.lightning_module_state_dict())
        self._started = self._ticked = self._flushed = time.monotonic()
        self.began = True

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """An epoch begins; only now has the one before logged everything."""
        self._close_epoch(trainer, module)
        self._open_epoch = trainer.current_epoch
        self._epoch_losses = []
        self._last_step = trainer.global_step
        self._where = (trainer.current_epoch, -1)
        now = time.monotonic()
        if now - self._ticked >= _PROGRESS_SECONDS:
            self._ticked = now
            self._tell(trainer, batch=0)

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """A batch is done."""
        loss = outputs.get("loss") if outputs else None
        self._where = (trainer.current_epoch, batch_idx)
        step = trainer.global_step
        if loss is not None:
            accumulated = trainer.accumulate_grad_batches if module.automatic_optimization else 1
            # Before the optimiser has stepped, the batch belongs to the step that is still to come.
            mine = step if step > self._last_step else step + 1
            self._losses.append((mine, trainer.current_epoch, batch_idx, accumulated, loss))
        self._last_step = step
        now = time.monotonic()
        if now - self._ticked >= _PROGRESS_SECONDS:
            self._tick(trainer, module, now)
        if self._job.deadline is not None and now - self._started >= self._job.deadline:
            self._end(trainer, message=f"training was ended after its {self._job.deadline:g} seconds")

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        """A validation begins."""
        self._validation = {}

    def on_validation_batch_end(  # noqa: PLR0917  Lightning's signature.
        self,
        trainer: Any,
        module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """A batch of validation is done."""
        if trainer.sanity_checking:
            return
        # A bare number may be anything that the user cares for; only what is called a loss is one.
        loss = cast("Mapping[str, Any]", outputs).get("loss") if isinstance(outputs, Mapping) else None
        if isinstance(loss, Tensor) and loss.numel() == 1:
            self._validation.setdefault(dataloader_idx, []).append((loss.detach(), size(batch)))
        now = time.monotonic()
        if now - self._ticked >= _PROGRESS_SECONDS:
            self._ticked = now
            total = sum(count for count in trainer.num_val_batches if math.isfinite(count))
            self._hand_over(trainer, phase="evaluate validation", batch=batch_idx + 1, batches=int(total) or None)

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        """A validation is done, and what it logged is reduced."""
        if trainer.sanity_checking:
            return
        step, epoch = trainer.global_step, trainer.current_epoch
        logged = numbers(trainer.callback_metrics)
        self._collect(trainer, epoch)
        loaders = tuple(named(trainer.val_dataloaders))
        losses = validation_losses(logged, loaders) or self._returned_losses(loaders)
        self._points += [(name, step, epoch, value) for name, value in losses.items()]
        self._validation = {}

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """An epoch is done, but for what other callbacks and the module still log."""
        self._flush(trainer, module)
        losses = self._epoch_losses
        if not losses:
            if not self._had_loss and self._where[1] >= 0 and self._where > (0, 0):  # several batches, none with a loss
                require_a_loss(trainer, module)
            return
        self._had_loss = True
        mean = math.fsum(losses) / len(losses) if all(map(math.isfinite, losses)) else math.nan
        self._points.append(("train/loss_epoch", trainer.global_step, trainer.current_epoch, mean))
        if not any(map(math.isfinite, losses)) and len(losses) > 1:
            self._end_not_finite(trainer)
        below = self._job.stop_below
        if below is not None and mean < below:
            self._end(trainer, message=f"the training loss of an epoch, {mean:.4g}, is below {below:g}")

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Training is done."""
        self._close_epoch(trainer, module)
        self.close()
        self._tell(trainer, batch=None)

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        """Training breaks off; what was measured until now is handed over."""
        self.close()
        if isinstance(exception, KeyboardInterrupt):
            self.stopped, self.message = "interrupted", f"interrupted by Ctrl-C {self.where()}"
        if not _is_broken_device(exception):
            self._flush(trainer, module)
        self._tell(trainer, batch=None)

    # What the rest of the engine asks.

    def add_logged(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Take values from the logger that stands in where the user has none."""
        self._points += [(f"logged/{name}", self._step(), epoch, value) for name, value in metrics.items()]

    def add_rates(self, trainer: Any, optimizer: Any) -> None:
        """Take the learning rates that an optimiser is about to step with."""
        step, epoch = trainer.global_step + 1, trainer.current_epoch
        rates = learning_rates(trainer.optimizers, of=optimizer)
        self._points += [(f"lr/{name}", step, epoch, rate) for name, rate in rates]

    def tell_checkpoint(self, trainer: Any, path: Path) -> None:
        """An epoch checkpoint is complete."""
        self._hand_over(trainer, phase="fit", batch=0, batches=batches_of(trainer), checkpoint=path)

    def leave_out(self, seconds: float) -> None:
        """Time was spent on what is no training."""
        self._elsewhere += seconds

    def close(self) -> None:
        """Stop the clock."""
        if self.began and not self.seconds:
            self.seconds = time.monotonic() - self._started - self._elsewhere

    def where(self) -> str:
        """The place of the last batch, in words."""
        epoch, batch = self._where
        if not self.began:
            return "before training began"
        return f"in epoch {epoch}, " + ("before its first batch" if batch < 0 else f"after batch {batch}")

    # Its own work.

    def _tick(self, trainer: Any, module: Any, now: float) -> None:
        self._ticked = now
        if now - self._flushed >= _FLUSH_SECONDS:
            self._flush(trainer, module, all_of_them=False)
            self._flushed = now
        self._tell(trainer, batch=self._where[1] + 1)

    def _flush(self, trainer: Any, module: Any, *, all_of_them: bool = True) -> None:
        """Move the losses that wait from their device, all in one transfer, and look at them.

        Those of a step that is not complete yet go on waiting, unless `all_of_them` are wanted.
        """
        until = math.inf if all_of_them else trainer.global_step
        waiting = [one for one in self._losses if one[0] <= until]
        self._losses = [one for one in self._losses if one[0] > until]
        if waiting:
            values = values_of([loss for *_, loss in waiting])
            values = [value * accumulated for value, (*_, accumulated, _) in zip(values, waiting, strict=True)]
            self._add_losses([(step, epoch) for step, epoch, *_ in waiting], values)
            places = [(epoch, batch) for _, epoch, batch, *_ in waiting]
            self._watch_finiteness(trainer, module, places, values)
        elif not module.automatic_optimization:
            self._add_logged_loss(trainer)
        if self._job.rate is None:
            step, epoch = trainer.global_step, trainer.current_epoch
            self._points += [(f"lr/{name}", step, epoch, rate) for name, rate in learning_rates(trainer.optimizers)]

    def _add_losses(self, steps: Iterable[tuple[int, int]], values: list[float]) -> None:
        """One point a step: batches whose gradients were accumulated make one step together."""
        together: dict[tuple[int, int], list[float]] = {}
        for place, value in zip(steps, values, strict=True):
            together.setdefault(place, []).append(value)
        self._points += [
            ("train/loss", step, epoch, sum(losses) / len(losses)) for (step, epoch), losses in together.items()
        ]
        self._epoch_losses += values

    def _add_logged_loss(self, trainer: Any) -> None:
        """Manual optimisation may return nothing; then a logged loss is the best there is, if one is logged."""
        loss = training_loss(numbers(trainer.callback_metrics))
        if loss is not None:
            self._add_losses([(trainer.global_step, trainer.current_epoch)], [loss])

    def _watch_finiteness(self, trainer: Any, module: Any, places: list[tuple[int, int]], values: list[float]) -> None:
        for place, value in zip(places, values, strict=True):
            if math.isfinite(value):
                self._bad = 0
                continue
            if self._bad == 0:
                self._first_bad = place
            self._bad += 1
        # Weights that are lost do not come back; a loss alone may be a spike that the next batch forgets.
        if self._bad >= _CONSECUTIVE or (self._bad and not are_finite(module.parameters())):
            self._end_not_finite(trainer)

    def _end_not_finite(self, trainer: Any) -> None:
        epoch, batch = self._first_bad
        self.stopped = "loss is not finite"
        self._end(trainer, message=f"the training loss is not finite since epoch {epoch}, batch {batch}")

    def _end(self, trainer: Any, *, message: str) -> None:
        self.message = self.message or message
        trainer.should_stop = True
        # The user's smallest number of epochs is not meant for a training that cannot or need not go on.
        trainer.fit_loop.min_epochs = 0
        trainer.fit_loop.epoch_loop.min_steps = None

    def _close_epoch(self, trainer: Any, module: Any) -> None:
        if self._open_epoch is None:
            return
        self._flush(trainer, module)
        self._collect(trainer, self._open_epoch)
        self._open_epoch = None

    def _collect(self, trainer: Any, epoch: int) -> None:
        """Take what was logged since the last time; what was not logged again is still the same object."""
        if not self.collects:
            return
        current = dict(trainer.callback_metrics)
        new = {name: value for name, value in current.items() if value is not self._collected.get(name)}
        self.add_logged(numbers(new), epoch)
        self._collected = current

    def _returned_losses(self, loaders: Sequence[str | None]) -> dict[str, float]:
        means = {index: weighted_mean(pairs) for index, pairs in self._validation.items()}
        return {loss_curve(loaders[index]): mean for index, mean in means.items() if mean is not None}

    def _tell(self, trainer: Any, *, batch: int | None) -> None:
        self._hand_over(trainer, phase="fit", batch=batch, batches=batches_of(trainer))

    def _hand_over(
        self, trainer: Any, *, phase: str, batch: int | None, batches: int | None, checkpoint: Path | None = None
    ) -> None:
        points, self._points = tuple(self._points), []
        answer = self._watch(
            Position(
                phase=phase,
                step=trainer.global_step,
                epoch=trainer.current_epoch,
                epochs=epochs_of(trainer),
                batch=batch,
                batches=batches,
                points=points,
                checkpoint=checkpoint,
            )
        )
        if answer:
            self._end(trainer, message=answer)


def _is_broken_device(error: BaseException) -> bool:
    """Whether nothing can be read from the device any more."""
    return "CUDA error" in str(error)
