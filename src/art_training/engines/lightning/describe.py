"""What a training really used, as plain data."""

from collections.abc import Mapping
from typing import Any, cast

import torch

from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.loaders import described, named
from art_training.records import plain

_SETTINGS = (
    "max_epochs",
    "min_epochs",
    "max_steps",
    "min_steps",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "precision",
    "num_devices",
    "limit_train_batches",
    "limit_val_batches",
    "overfit_batches",
    "fast_dev_run",
    "check_val_every_n_epoch",
    "val_check_interval",
    "log_every_n_steps",
    "num_sanity_val_steps",
    "reload_dataloaders_every_n_epochs",
)


def described_training(trainer: Any) -> dict[str, Any]:
    """The trainer's settings, loaders, callbacks and loggers as they are now."""
    return {"trainer": described_trainer(trainer), "loaders": _loaders(trainer)}


def described_optimizers(trainer: Any) -> dict[str, Any]:
    """Optimisers and schedulers as they are now."""
    return {
        "optimizers": [_optimizer(optimizer, trainer.lightning_module) for optimizer in trainer.optimizers],
        "schedulers": [_scheduler(config) for config in trainer.lr_scheduler_configs],
    }


def described_trainer(trainer: Any) -> dict[str, Any]:
    """The trainer's settings as they are now."""
    settings = {name: plain(getattr(trainer, name, None)) for name in _SETTINGS}
    return settings | {
        "accelerator": type(trainer.accelerator).__name__,
        "strategy": type(trainer.strategy).__name__,
        "device": str(trainer.strategy.root_device),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "callbacks": [name_of(type(callback)) for callback in trainer.callbacks if not is_own(callback)],
        "loggers": [name_of(type(logger)) for logger in trainer.loggers if not is_own(logger)],
    }


def is_own(value: Any) -> bool:
    """Whether a callback or logger is the engine's own."""
    return type(value).__module__.startswith("art_training.")


def _optimizer(optimizer: Any, module: Any) -> dict[str, Any]:
    optimizer = getattr(optimizer, "optimizer", optimizer)
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    groups: list[dict[str, Any]] = []
    for group in cast("list[dict[str, Any]]", optimizer.param_groups):
        settings = {name: plain(value) for name, value in group.items() if name != "params"}
        known = sum(1 for parameter in group["params"] if id(parameter) in names)
        elements = sum(parameter.numel() for parameter in group["params"])
        groups.append(settings | {"tensors": len(group["params"]), "of_the_model": known, "elements": elements})
    return {"optimizer": name_of(type(optimizer)), "groups": groups}


def _scheduler(config: Any) -> dict[str, Any]:
    fields = {name: plain(getattr(config, name, None)) for name in ("interval", "frequency", "monitor", "name")}
    return {"scheduler": name_of(type(config.scheduler)), **fields}


def _loaders(trainer: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for split, loaders in (("train", trainer.train_dataloader), ("validation", trainer.val_dataloaders)):
        for name, loader in _parts(loaders).items():
            found[split if name is None else f"{split}:{name}"] = described(loader)
    return found


def _parts(loaders: Any) -> Mapping[str | None, Any]:
    return {} if loaders is None else named(loaders)
