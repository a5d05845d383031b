"""Monitors told of a training under a Lightning Trainer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from art_training.engines.lightning.trainers import users_of
from art_training.engines.lightning.values import returned_loss
from art_training.probes import Moment, Monitor


class Watching:
    """The callback that tells monitors where a training stands.

    A monitor that raises watches no more, and says why (`Monitor.failure`).
    """

    def __init__(self, monitors: Iterable[Monitor]) -> None:
        super().__init__()
        self._monitors = list(monitors)
        self._batch: Any = None
        self._index = 0
        self._callbacks: tuple[Any, ...] | None = None

    def watch(self, monitors: Iterable[Monitor]) -> None:
        """Tell others from now on."""
        self._monitors = list(monitors)

    # Hooks.

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins."""
        self._tell("beginning", trainer, module)

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        """A batch enters the step."""
        self._batch, self._index = batch, batch_idx
        self._tell("entering", trainer, module, batch=batch)

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        """Gradients are there and an optimiser is about to step."""
        plain = getattr(optimizer, "optimizer", optimizer)
        self._tell("differentiated", trainer, module, plain, batch=self._batch)

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """A batch is done."""
        loss = returned_loss(outputs, trainer.accumulate_grad_batches)
        self._tell("stepped", trainer, module, batch=batch, loss=loss)
        self._batch = None

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        """A validation begins."""
        self._tell("validating", trainer, module)

    def on_validation_batch_start(
        self, trainer: Any, module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """A batch enters a validation."""
        self._tell("predicting", trainer, module, batch=batch)

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        """A validation is done, and what was logged in it is reduced."""
        self._tell("validated", trainer, module)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """An epoch is done."""
        self._tell("epoch_ended", trainer, module)

    def teardown(self, trainer: Any, module: Any, stage: str) -> None:
        """Training is done, and whoever puts the best weights back at its end, in whatever hook, has done so."""
        if stage == "fit":
            self._tell("ended", trainer, module)

    # Its own work.

    def _moment(self, trainer: Any, module: Any, batch: Any, loss: Any) -> Moment:
        return Moment(
            module=module,
            optimizers=tuple(trainer.optimizers),
            step=trainer.global_step,
            epoch=trainer.current_epoch,
            index=self._index,
            batch=batch,
            loss=loss,
            logged=_Logged(trainer),
            schedulers=tuple(one.scheduler for one in trainer.lr_scheduler_configs),
            callbacks=self._users(trainer),
        )

    def _users(self, trainer: Any) -> tuple[Any, ...]:
        if self._callbacks is None:
            self._callbacks = tuple(users_of(trainer.callbacks))
        return self._callbacks

    def _tell(self, name: str, trainer: Any, module: Any, *others: Any, batch: Any = None, loss: Any = None) -> None:
        listening = [one for one in self._monitors if getattr(type(one), name) is not getattr(Monitor, name)]
        if not listening:
            return
        moment = self._moment(trainer, module, batch, loss)
        for monitor in listening:
            tell: Callable[..., None] = getattr(monitor, name)
            try:
                tell(moment, *others)
            except Exception as error:  # noqa: BLE001  A watch that fails must not fail what it watches
                monitor.failure = f"the watch raised {type(error).__name__}: {error}"
                self._monitors.remove(monitor)


class _Logged(Mapping[str, Any]):
    """What has been logged when it is asked for: to reduce it in every batch would cost more than all else."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def __getitem__(self, name: str) -> Any:
        return self._trainer.callback_metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._trainer.callback_metrics)

    def __len__(self) -> int:
        return len(self._trainer.callback_metrics)
