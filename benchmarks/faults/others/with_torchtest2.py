"""torchtest2: all its checks on one batch, through its Lightning plugin, with the project's optimiser and declarations."""

from contextlib import suppress
from inspect import signature
from typing import Any

import lightning as L
import torchtest2
from torchtest2.plugins import LightningPlugin

from benchmarks.faults.case import Project
from benchmarks.faults.others import Said
from benchmarks.faults.others.common import declared_frozen, for_forward, training_loader, watched

_SEVERITIES = {"FAIL": "error", "WARN": "warning"}


class Step(LightningPlugin):
    """Its Lightning plugin, for a `training_step` without `batch_idx` too."""

    def forward(self, model: Any, inputs: Any, targets: Any) -> Any:
        if len(signature(model.training_step).parameters) > 1:
            return super().forward(model, inputs, targets)
        assert self.make_batch is not None
        return model.training_step(self.make_batch(inputs, targets))


class Enough(Exception):
    """Everything is built and nothing is trained."""


class Built(L.Callback):
    """Keeps the module and its first optimiser, as the Trainer built them, and stops."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.kept = pl_module, trainer.optimizers[0]
        raise Enough


def attached(project: Project, seed: int) -> tuple[Any, Any]:
    """The module and its optimiser before the first step, detached from the Trainer again."""
    built = Built()
    with suppress(Enough):
        watched(project, seed, built)
    model, optimizer = built.kept
    model.trainer = None
    return model, optimizer


def report(project: Project, seed: int) -> Any:
    """Its report of the model as built, on the first training batch."""
    L.seed_everything(seed, verbose=False)
    model: Any = project.model(**project.hparams)
    if hasattr(model, "training_step"):
        try:
            optimizer = LightningPlugin().configure_optimizer(model)
        except RuntimeError:  # it asks its Trainer for the number of steps
            model, optimizer = attached(project, seed)
    batch = next(iter(training_loader(project)))
    inputs, rest, together, _ = for_forward(model, batch)
    frozen = [name for name, _ in model.named_parameters() if declared_frozen(project, name)]
    given: dict[str, Any] = {"frozen": frozen, "seed": seed}
    if not hasattr(model, "training_step"):
        loss = project.declarations["loss"]
        optimizer = project.declarations["optimizer"](model.parameters())
        given |= {"loss_fn": loss() if isinstance(loss, type) else loss, "optimizer": optimizer}
    else:
        given["optimizer"] = optimizer
        if model.automatic_optimization:  # else, which its plugin does not support, on a projection of the outputs
            given["plugin"] = Step(make_batch=together)
    return torchtest2.check_model(model, inputs, rest, **given)


def judge(project: Project, seed: int) -> Said:
    results = report(project, seed).results
    return [(one.name, _SEVERITIES[one.status.value]) for one in results if one.status.value in _SEVERITIES]
