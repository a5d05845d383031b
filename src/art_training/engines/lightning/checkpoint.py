"""Epoch checkpoints from which training goes on as if it had not been broken off."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from art_training.engines.engine import FitJob
from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.hierarchy import is_overridden
from art_training.engines.lightning.random_states import (
    generator_states,
    global_states,
    set_generator_states,
    set_global_states,
)
from art_training.engines.lightning.recorder import Recorder
from art_training.errors import SetupError
from art_training.setup.identity.sparse import strided_parts

_KEY = "art_training"
_SHARE = 0.02  # of the training time may go into epoch checkpoints
_BYTES_A_SECOND = 3e8  # what writing and digesting a file comes to, until it has been measured


class Checkpoints:
    """The callback that writes a checkpoint between two epochs, and takes up a training from one.

    Lightning's own checkpoint holds weights, optimisers, schedulers and callbacks. Added are the global random states,
    the states of the generators of loaders, samplers, datasets and modules, the values last logged, and the position
    between two epochs, where every scheduler has had its turn. Worker processes that outlive an epoch
    (`persistent_workers`) keep random states of their own, which cannot be read; what they draw differs after a
    resumption.

    An epoch's checkpoint is left out while writing would cost more than a fiftieth of the training time. Only the newest
    file is kept; it is whole whenever it has its name.

    Attributes:
        newest: the newest epoch checkpoint; None where there is none yet.
    """

    def __init__(self, job: FitJob, recorder: Recorder, datamodule: Any) -> None:
        super().__init__()
        self._job = job
        self._recorder = recorder
        self._datamodule = datamodule
        self.newest: Path | None = job.resume
        self._resumed: Mapping[str, Any] | None = None
        self._saving = False
        self._saved = time.monotonic()
        self._cost: float | None = None  # seconds of the last one

    def save(self, trainer: Any, name: str) -> Path:
        """Write a checkpoint of this moment beside its place, then rename it into it."""
        path = self._job.folder / name
        unfinished = path.with_name(f"{name}.part")
        strategy, given = trainer.strategy, trainer.strategy.checkpoint_io
        self._saving = True
        # The user's own way of writing checkpoints may write later, or to somewhere else.
        strategy.checkpoint_io = _PlainFile()
        try:
            trainer.save_checkpoint(unfinished)
        finally:
            self._saving, strategy.checkpoint_io = False, given
        unfinished.replace(path)
        return path

    # Hooks.

    def on_load_checkpoint(self, trainer: Any, module: Any, checkpoint: Mapping[str, Any]) -> None:
        """Lightning has read the checkpoint to resume from."""
        if _KEY not in checkpoint:
            raise SetupError(
                f"resume={str(self._job.resume)!r} is no epoch checkpoint of ART, which alone holds all random states; "
                "give one, or start from its weights: start=..."
            )
        self._resumed = {**checkpoint[_KEY], "loops": checkpoint["loops"]["fit_loop"]}

    def on_save_checkpoint(self, trainer: Any, module: Any, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning leaves out; checkpoints of the user's callbacks stay as they are."""
        if self._saving:
            checkpoint[_KEY] = {
                "random": global_states(),
                "generators": generator_states(self._roots(trainer)),
                "metrics": dict(trainer.callback_metrics),
                "began_with": self._recorder.began_with,
                "reloaded": trainer.fit_loop._last_train_dl_reload_epoch,  # noqa: SLF001
            }

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins: put the loops where they were, between two epochs."""
        self._saved = time.monotonic()
        if self._resumed is not None:
            _place(trainer.fit_loop, self._resumed["loops"], self._resumed["reloaded"])
            trainer.callback_metrics.update(self._resumed["metrics"])
            self._recorder.began_with = self._resumed["began_with"]

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """The moment between two epochs: take up the random states, or keep them."""
        if self._resumed is not None:
            set_generator_states(self._roots(trainer), self._resumed["generators"])
            set_global_states(self._resumed["random"])
            self._resumed = None
            return
        if trainer.current_epoch > 0 and self._affordable(trainer):
            began = time.monotonic()
            path = self.save(trainer, f"epoch-{trainer.current_epoch}.ckpt")
            older, self.newest = self.newest, path
            self._recorder.tell_checkpoint(trainer, path)
            if older is not None and older != path and older.parent == self._job.folder:
                older.unlink(missing_ok=True)  # only now: until it was told, the newer one did not count
            self._saved = time.monotonic()
            self._cost = self._saved - began

    def _affordable(self, trainer: Any) -> bool:
        if self._cost is None:
            self._cost = _expected_seconds(trainer)
        return self._cost <= _SHARE * (time.monotonic() - self._saved)

    def _roots(self, trainer: Any) -> dict[str, Any]:
        loaders = {"train": trainer.train_dataloader, "validation": trainer.val_dataloaders}
        return {"data": self._datamodule, **loaders, "module": trainer.lightning_module}


def load_weights(module: Any, path: Path) -> None:
    """Put the weights of a checkpoint into a module; all must fit.

    The file is one that this engine or Lightning wrote; whoever names it vouches for it, because a checkpoint may hold
    pickled hyper-parameters.

    Raises:
        SetupError: the weights are those of another model.
    """
    take_weights(module, torch.load(path, map_location="cpu", weights_only=False), path.name)


def take_weights(module: Any, checkpoint: dict[str, Any], source: str) -> None:
    """Put the weights of a checkpoint that has been read into a module; all must fit.

    Args:
        module: the model.
        checkpoint: as Lightning makes it; `state_dict` is enough.
        source: what it is called in a sentence.

    Raises:
        SetupError: the weights are those of another model.
    """
    module.on_load_checkpoint(checkpoint)
    try:
        module.load_state_dict(checkpoint["state_dict"], strict=True)
    except RuntimeError as error:
        raise SetupError(
            f"the weights of {source} do not fit {name_of(type(module))} as it is made now: {error}; "
            "make it with the hyper-parameters that it was trained with"
        ) from error


def weights_of(trainer: Any, module: Any) -> dict[str, Any]:
    """The weights of a model as a checkpoint of it has them, in memory; the tensors are the model's own."""
    if is_overridden("on_save_checkpoint", module, "LightningModule"):  # it keeps more than weights
        return trainer._checkpoint_connector.dump_checkpoint(weights_only=True)  # noqa: SLF001  Lightning has no public way.
    return {"state_dict": module.state_dict()}


class _PlainFile:
    """Writes a checkpoint straight into its file; that it is renamed when it is whole is the caller's part."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Path, storage_options: Any = None) -> None:
        torch.save(checkpoint, path)


def _expected_seconds(trainer: Any) -> float:
    """How long the first checkpoint will take, by the size of weights and of what optimisers keep for each."""
    tensors = [*trainer.lightning_module.parameters(), *trainer.lightning_module.buffers()]
    tensors += [
        value for optimizer in trainer.optimizers for kept in optimizer.state.values() for value in kept.values()
    ]
    plain = [part for one in tensors if isinstance(one, torch.Tensor) for part in strided_parts(one)]
    return sum(one.nbytes for one in plain) / _BYTES_A_SECOND


def _place(fit_loop: Any, state: dict[str, Any], reloaded: float) -> None:
    """Put a fit loop between two epochs, as it stands there in a training that was not broken off.

    Lightning has no state for this place: it either replays the end of an epoch or believes to be inside of one. The
    flags that lead it there are cleared after its counters have been put back.
    """
    fit_loop.load_state_dict(state)
    for progress in (fit_loop.epoch_progress.total, fit_loop.epoch_progress.current):
        progress.ready = progress.started = progress.processed = progress.completed
    fit_loop._last_train_dl_reload_epoch = reloaded  # noqa: SLF001
    for loop in (fit_loop, fit_loop.epoch_loop, *_inner(fit_loop.epoch_loop)):
        loop._restarting = loop._loaded_from_state_dict = loop._resuming_from_checkpoint = False  # noqa: SLF001


def _inner(epoch_loop: Any) -> list[Any]:
    return [epoch_loop.val_loop, epoch_loop.automatic_optimization, epoch_loop.manual_optimization]
