"""Monitors told of a training under a Lightning Trainer."""

from collections.abc import Callable
from typing import Any

from art_training.engines.engine import FitJob
from art_training.engines.lightning.values import returned_loss
from art_training.probes import Moment, Monitor


class Watching:
    """The callback that tells monitors where a training stands.

    A monitor that raises watches no more, and says why (`Monitor.failure`).
    """

    def __init__(self, job: FitJob) -> None:
        super().__init__()
        self._monitors = list(job.monitors)
        self._batch: Any = None
        self._index = 0

    # Hooks.

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins."""
        self._tell("beginning", self._moment(trainer, module))

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        """A batch enters the step."""
        self._batch, self._index = batch, batch_idx
        self._tell("entering", self._moment(trainer, module, batch=batch))

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        """Gradients are there and an optimiser is about to step."""
        moment = self._moment(trainer, module, batch=self._batch)
        self._tell("differentiated", moment, getattr(optimizer, "optimizer", optimizer))

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """A batch is done."""
        self._tell(
            "stepped",
            self._moment(trainer, module, batch=batch, loss=returned_loss(outputs, trainer.accumulate_grad_batches)),
        )
        self._batch = None

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        """A validation begins."""
        self._tell("validating", self._moment(trainer, module))

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        """A validation is done, and what was logged in it is reduced."""
        self._tell("validated", self._moment(trainer, module))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """An epoch is done."""
        self._tell("epoch_ended", self._moment(trainer, module))

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Training is done."""
        self._tell("ended", self._moment(trainer, module))

    # Its own work.

    def _moment(self, trainer: Any, module: Any, *, batch: Any = None, loss: Any = None) -> Moment:
        return Moment(
            module=module,
            optimizers=tuple(trainer.optimizers),
            step=trainer.global_step,
            epoch=trainer.current_epoch,
            index=self._index,
            batch=batch,
            loss=loss,
            logged=trainer.callback_metrics,
            schedulers=tuple(one.scheduler for one in trainer.lr_scheduler_configs),
        )

    def _tell(self, moment: str, *arguments: Any) -> None:
        for monitor in list(self._monitors):
            tell: Callable[..., None] = getattr(monitor, moment)
            if getattr(type(monitor), moment) is getattr(Monitor, moment):
                continue
            try:
                tell(*arguments)
            except Exception as error:  # noqa: BLE001  A watch that fails must not fail what it watches
                monitor.failure = f"the watch raised {type(error).__name__}: {error}"
                self._monitors.remove(monitor)
