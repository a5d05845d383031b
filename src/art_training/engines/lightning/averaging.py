"""Averages of weights over a training, which the training ends with."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from art_training.engines.engine import EvaluateJob, FitJob
from art_training.engines.lightning.checkpoint import take_weights, weights_of
from art_training.engines.lightning.data import data_seed, open_data
from art_training.engines.lightning.lazy import open_model
from art_training.engines.lightning.lengths import batches_of
from art_training.engines.lightning.passing import Passing, pass_once, require_step, showing_to
from art_training.engines.lightning.random_states import derived_seed, generators_kept, seeded
from art_training.engines.lightning.recorder import Recorder
from art_training.engines.lightning.surroundings import ignore_warnings
from art_training.engines.lightning.views import Pass, Passes
from art_training.engines.shaping import Averaging
from art_training.errors import SetupError
from art_training.records import Finding, Severity, Split

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Averages:
    """The callback that averages parameters, and puts the average in their place when training ends.

    An exponential moving average takes part in every optimiser step, a mean (Izmailov et al., Averaging weights leads to
    wider optima and better generalization, 2018, arXiv:1803.05407) at the end of every epoch. Half precision is averaged
    in single precision. Validations on the way see the weights of the moment. Batch norms, whose statistics are those of
    other weights, take them anew from the training split where the average is a mean; a moving average is close to the
    last weights, and keeps their statistics. Statistics of frozen modules stay.
    """

    def __init__(self, job: FitJob, recorder: Recorder) -> None:
        super().__init__()
        assert job.averaging is not None
        self._job = job
        self._averaging: Averaging = job.averaging
        self._recorder = recorder
        self._averages: dict[str, Tensor] = {}
        self._count = 0
        self._step = 0  # the last optimiser step that was seen
        ema = self._averaging.kind == "ema"
        self._average = get_ema_multi_avg_fn(self._averaging.decay) if ema else get_swa_multi_avg_fn()

    # Hooks.

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins, or goes on."""
        last = trainer.max_epochs
        if last is not None and 0 <= last <= self._averaging.first_epoch:
            raise SetupError(
                f"first_epoch={self._averaging.first_epoch} of averaging is not reached in {last} epochs (from 0), so that "
                "nothing would be averaged; begin before, or train longer"
            )
        self._step = trainer.global_step
        places = {name: one.device for name, one in module.named_parameters()}
        self._averages = {name: one.to(places[name]) for name, one in self._averages.items()}

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """A batch is done; an optimiser may have stepped."""
        if self._averaging.kind == "ema" and trainer.global_step != self._step:
            self._step = trainer.global_step
            self._add(trainer, module)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """An epoch is done."""
        if self._averaging.kind == "swa":
            self._add(trainer, module)

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Training is done: it ends with the average."""
        said = {"kind": self._averaging.kind, "first_epoch": self._averaging.first_epoch, "averaged": self._count}
        if self._averaging.kind == "ema":
            said["decay"] = self._averaging.decay
        self._recorder.parameters["averaging"] = said
        if not self._count:
            self._recorder.findings.append(_not_reached(self._averaging, trainer.current_epoch))
            return
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(self._averages[name])
        if self._averaging.kind == "swa":
            _renew_statistics(self._job, trainer, module)

    def state_dict(self) -> dict[str, Any]:
        """The average so far, for a resumption."""
        return {"averages": self._averages, "count": self._count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._averages, self._count = dict(state["averages"]), state["count"]

    # Its own work.

    def _add(self, trainer: Any, module: Any) -> None:
        if trainer.current_epoch < self._averaging.first_epoch:
            return
        now = {name: _wide(one.detach()) for name, one in module.named_parameters()}
        if not self._count:
            self._averages = {name: one.clone() for name, one in now.items()}
        else:
            self._average([self._averages[name] for name in now], list(now.values()), self._count)
        self._count += 1


def _not_reached(averaging: Averaging, epochs: int) -> Finding:
    return Finding(
        code="ART601",
        category="schedule",
        severity=Severity.WARNING,
        message=f"training ended after {epochs} epochs, before averaging began with epoch {averaging.first_epoch} (from 0); "
        "its weights are those of its last step",
        evidence={"epochs": epochs, "first_epoch": averaging.first_epoch},
        remedy="begin to average in an earlier epoch, or let nothing stop the training before",
    )


def _wide(values: Tensor) -> Tensor:
    """In single precision at least; the very tensor where it is."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _renew_statistics(job: FitJob, trainer: Any, module: Any) -> None:
    """Pass the training split through a second model with the weights of `module`, and take over its statistics.

    The pass is in training mode and over the loader's own batches, as those of training are: in the order of the data
    set a batch might hold one class only, whose variance is not that of the data.
    """
    norms = [name for name, one in module.named_modules() if isinstance(one, _NORMS) and _moves(one)]
    if not norms:
        return
    with seeded(derived_seed(job.seed, "averaging")), generators_kept(job.setup.data):
        passing, wanted = _second(job, trainer, module, norms)
        passes = Passes(open_data(job.setup, seed=data_seed(job), plain=job.plain), passing.hierarchy, seed=job.seed)
        ignore_warnings(".*does not have many workers", ".*sampler has shuffling enabled")
        pass_once(passing, passes, wanted, showing_to(lambda seen: None), lambda position: None)  # noqa: ARG005
        passes.close()
    with torch.no_grad():
        for name in norms:
            for buffer, value in passing.module.get_submodule(name).named_buffers(recurse=False):
                getattr(module.get_submodule(name), buffer).copy_(value)


def _second(job: FitJob, trainer: Any, module: Any, norms: list[str]) -> tuple[Passing, Pass]:
    """A second model, whose batch norms average over all batches of a pass."""
    second, hierarchy = open_model(job.setup, seed=job.seed, data_seed=data_seed(job))
    require_step(second, Split.TRAIN)
    modes = {name: one.training for name, one in module.named_modules()}

    def ready(model: Any) -> None:
        take_weights(model, weights_of(trainer, module), "the model that trains")
        for name, one in model.named_modules():
            one.training = modes[name]
        for name in norms:
            norm = model.get_submodule(name)
            norm.reset_running_stats()
            norm.momentum = None

    asked = EvaluateJob(job.setup, job.seed, (Split.TRAIN,), limit=batches_of(trainer), mode="train", change=job.change)
    wanted = Pass(Split.TRAIN, one_batch=bool(job.one_batch), as_trained=True)
    return Passing(asked, hierarchy, second, ready, restores=False), wanted


def _moves(norm: Any) -> bool:
    """Whether a batch norm has statistics that follow the batches."""
    return norm.training and norm.running_mean is not None
