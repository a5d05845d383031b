"""Watches a training: how far it is, what it was made of, and the reasons to end it early."""

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from art_training.engines.engine import FitJob, Position, Stopped, Watch
from art_training.engines.lightning.curves import BatchLoss, Curves
from art_training.engines.lightning.describe import described_optimizers, described_training
from art_training.engines.lightning.failures import require_a_loss
from art_training.engines.lightning.lengths import batches_of, epochs_of
from art_training.engines.lightning.random_states import derived_seed, set_seed
from art_training.engines.lightning.stopping import stopped_by
from art_training.engines.lightning.values import are_finite
from art_training.engines.weights import digest_of
from art_training.records import Finding

_PROGRESS_SECONDS = 0.2
_FLUSH_SECONDS = 1.0
_CONSECUTIVE = 10  # batches without a finite loss; a scaler of half precision skips a few in a row while it adapts


class Recorder:
    """The callback that watches. It adds two appends and a look at the clock to a batch.

    What is measured is gathered in `curves`, flushed about every second and at the end of an epoch, and handed over with
    the position. It belongs to the thread that trains.

    Attributes:
        curves: what is measured.
        stopped: why training was ended, if it was.
        message: one sentence about it.
        seconds: time in training and its validations.
        parameters: what was really used (plain data).
        findings: what was seen to be wrong.
        began: whether training has begun.
        began_with: digest of the weights that training began with, where it was given some.
    """

    def __init__(self, job: FitJob, watch: Watch, *, load: Callable[[Any], None] | None = None) -> None:
        super().__init__()
        self._job = job
        self._watch = watch
        self._load = load
        self.curves = Curves(with_rates=job.rate is None)
        self.stopped: Stopped = ""
        self.message = ""
        self.seconds = 0.0
        self.parameters: dict[str, Any] = {}
        self.findings: list[Finding] = []
        self.began = False
        self.began_with = ""
        self._started = self._ticked = self._flushed = 0.0
        self._elsewhere = 0.0  # seconds that went into what is no training
        self._bad = 0
        self._first_bad: tuple[int, int] = (0, 0)
        self._where = (0, 0)
        self._had_loss = False  # whether there was a loss yet
        self._open_epoch: int | None = None

    def prepare(self, trainer: Any) -> None:
        """The optimisers have been made; what a training that is resumed has made of them since is no setting."""
        self.parameters |= described_optimizers(trainer)

    # Hooks, in the order in which Lightning calls them.

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        """The model stands and training has not begun: load the weights to start from, seed what training draws."""
        self.curves.begin(trainer)
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
        self.curves.begin_epoch(trainer)
        self._where = (trainer.current_epoch, -1)
        now = time.monotonic()
        if now - self._ticked >= _PROGRESS_SECONDS:
            self._ticked = now
            self._tell(trainer, batch=0)

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """A batch is done."""
        self._where = (trainer.current_epoch, batch_idx)
        self.curves.add_batch(trainer, module, outputs, batch_idx)
        now = time.monotonic()
        if now - self._ticked >= _PROGRESS_SECONDS:
            self._tick(trainer, module, now)
        if self._job.deadline is not None and now - self._started >= self._job.deadline:
            self._end(trainer, message=f"training was ended after its {self._job.deadline:g} seconds")

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        """A validation begins."""
        self.curves.begin_validation()

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
        self.curves.add_validation(outputs, batch, dataloader_idx)
        now = time.monotonic()
        if now - self._ticked >= _PROGRESS_SECONDS:
            self._ticked = now
            total = sum(count for count in trainer.num_val_batches if math.isfinite(count))
            self._hand_over(trainer, phase="evaluate validation", batch=batch_idx + 1, batches=int(total) or None)

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        """A validation is done, and what it logged is reduced."""
        if not trainer.sanity_checking:
            self.curves.end_validation(trainer)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """An epoch is done, but for what other callbacks and the module still log."""
        self._flush(trainer, module)
        mean, losses = self.curves.end_epoch(trainer), self.curves.epoch_losses
        if mean is None:
            if not self._had_loss and self._where[1] >= 0 and self._where > (0, 0):  # several batches, none with a loss
                require_a_loss(trainer, module)
            return
        self._had_loss = True
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
        by = stopped_by(trainer, exception)
        if by:
            self.stopped, self.message = "interrupted", f"interrupted by {by} {self.where()}"
        if not _is_broken_device(exception):
            self._flush(trainer, module)
        self._tell(trainer, batch=None)

    # What the rest of the engine asks.

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
        losses = self.curves.flush(trainer, module, all_of_them=all_of_them)
        if losses:
            self._watch_finiteness(trainer, module, losses)

    def _watch_finiteness(self, trainer: Any, module: Any, losses: Iterable[BatchLoss]) -> None:
        for one in losses:
            if math.isfinite(one.value):
                self._bad = 0
                continue
            if self._bad == 0:
                self._first_bad = (one.epoch, one.batch)
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
        self.curves.collect(trainer, self._open_epoch)
        self._open_epoch = None

    def _tell(self, trainer: Any, *, batch: int | None) -> None:
        self._hand_over(trainer, phase="fit", batch=batch, batches=batches_of(trainer))

    def _hand_over(
        self, trainer: Any, *, phase: str, batch: int | None, batches: int | None, checkpoint: Path | None = None
    ) -> None:
        answer = self._watch(
            Position(
                phase=phase,
                step=trainer.global_step,
                epoch=trainer.current_epoch,
                epochs=epochs_of(trainer),
                batch=batch,
                batches=batches,
                points=self.curves.take(),
                checkpoint=checkpoint,
            )
        )
        if answer:
            self._end(trainer, message=answer)


def _is_broken_device(error: BaseException) -> bool:
    """Whether nothing can be read from the device any more."""
    return "CUDA error" in str(error)
