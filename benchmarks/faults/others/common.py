"""What the judges share: a training that is watched, and a batch taken apart as the model wants it."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from art_training.records import Split
from benchmarks.faults.case import Project
from benchmarks.faults.training import trained

# Enough for what a tool reads from steps and tensors; what reads a whole log gets the whole training.
EPOCHS = 2


class Ends(L.Callback):
    """Ends a training after some epochs, which leaves `max_epochs`, and the schedules that are made from it, alone."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        trainer.should_stop |= trainer.current_epoch + 1 >= EPOCHS


def watched(
    project: Project, seed: int, *callbacks: Any, then: Callable[[Any, Any], None] | None = None, **limits: Any
) -> Any:
    """A training of the project as it asks for, with callbacks behind its own; `then` sees the end of it."""
    own = project.trainer.get("callbacks") or []
    own = list(own) if isinstance(own, Sequence) else [own]
    with tempfile.TemporaryDirectory() as folder:
        model, trainer = trained(project, Path(folder), seed, callbacks=[*own, *callbacks], **limits)
        if then is not None:
            then(model, trainer)
    return model


def training_loader(project: Project) -> Any:
    """The loader of training batches, set up as a Trainer would."""
    if not hasattr(project.data, "loaders"):
        data = project.data()
        data.prepare_data()
        data.setup("fit")
        return data.train_dataloader()
    return project.data.loaders(Split.TRAIN)[None]


def declared_frozen(project: Project, name: str) -> bool:
    """Whether a parameter is of a submodule that the project declares frozen."""
    parents = [name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1)]
    return any(fnmatchcase(one, pattern) for pattern in project.declarations.get("frozen", ()) for one in parents)


Rebuild = Callable[[Any, Any], Any]


def taken_apart(batch: Any) -> list[tuple[Any, Any, Rebuild]]:
    """Ways to see a batch as `(inputs, the rest, how to put it together)`: its first field, the first ones, all of it."""
    if isinstance(batch, dict):
        return [
            *[
                (batch[key], {k: v for k, v in batch.items() if k != key}, lambda x, rest, key=key: {**rest, key: x})
                for key in batch
            ],
            ((batch,), None, lambda x, rest: x[0]),
        ]
    if is_dataclass(batch):
        name = fields(batch)[0].name
        return [
            (getattr(batch, name), batch, lambda x, rest: replace(rest, **{name: x})),
            ((batch,), None, lambda x, rest: x[0]),
        ]
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return [
            (batch[0], batch, lambda x, rest: rest._replace(**{rest._fields[0]: x})),
            ((batch,), None, lambda x, rest: x[0]),
        ]
    if isinstance(batch, tuple | list):
        ways: list[tuple[Any, Any, Rebuild]] = [
            (tuple(batch[:count]), tuple(batch[count:]), lambda x, rest: (*x, *rest))
            for count in range(1, len(batch) + 1)
        ]
        if len(batch) == 2:
            ways[0] = (batch[0], batch[1], lambda x, rest: (x, rest))
        return [*ways, ((batch,), None, lambda x, rest: x[0])]
    return [(batch, None, lambda x, rest: x)]


def called(model: nn.Module, inputs: Any) -> Any:
    """The model of inputs as torchtest2 calls it: a tuple is several arguments."""
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def for_forward(model: nn.Module, batch: Any) -> tuple[Any, Any, Rebuild, Any]:
    """The first way to take the batch apart that the model's forward accepts, and what it gives.

    Raises:
        ValueError: it accepts none.
    """
    mode = model.training
    model.eval()
    try:
        for inputs, rest, together in taken_apart(batch):
            try:
                with torch.no_grad():
                    return inputs, rest, together, called(model, inputs)
            except Exception:  # noqa: BLE001 - any of them means that this is not how it is called
                continue
    finally:
        model.train(mode)
    raise ValueError(f"{type(model).__name__}.forward takes no part of a batch")


def classes(output: Any, rest: Any) -> tuple[Tensor, int] | None:
    """Integer targets and the number of classes, where the output has one score a class."""
    leaves = rest if isinstance(rest, tuple | list) else rest.values() if isinstance(rest, dict) else [rest]
    whole = [one for one in leaves if isinstance(one, Tensor) and not one.is_floating_point()]
    if not isinstance(output, Tensor) or not whole or output.ndim != whole[-1].ndim + 1 or output.shape[1] < 2:
        return None
    return whole[-1], output.shape[1]
