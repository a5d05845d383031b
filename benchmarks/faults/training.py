"""Trains a project as its user would, on the CPU, with everything it writes under one folder."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor, nn

from art_training.records import Split
from benchmarks.faults.case import Project

_QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}


class Wrapped(L.LightningModule):
    """A plain nn.Module with the loss and the optimiser that its user declares."""

    def __init__(self, net: nn.Module, declared: Mapping[str, Any]) -> None:
        super().__init__()
        self.net, self.declared = net, declared
        loss = declared["loss"]
        self.loss = loss() if isinstance(loss, type) else loss

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return self.loss(self(x), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", self.loss(self(x), y))

    def configure_optimizers(self) -> Any:
        return self.declared["optimizer"](self.parameters())


def trained(project: Project, folder: Path, seed: int = 0, **limits: Any) -> tuple[Any, Any]:
    """The module after its training, and the Trainer. `limits` go over the project's settings."""
    import pytorch_lightning as pl

    L.seed_everything(seed, verbose=False)
    model = project.model(**project.hparams)
    trainer = pl.Trainer if isinstance(model, pl.LightningModule) else L.Trainer
    logger = (pl.loggers if trainer is pl.Trainer else L.pytorch.loggers).CSVLogger(str(folder))
    given = {**_QUIET, "default_root_dir": folder, "logger": logger, **project.trainer, **limits}
    with working_in(folder):
        fit = trainer(**given)
        if isinstance(model, pl.LightningModule | L.LightningModule):
            fit.fit(model, datamodule=project.data())
        else:
            model = Wrapped(model, project.declarations)
            loaders = (project.data.loaders(split)[None] for split in (Split.TRAIN, Split.VALIDATION))
            fit.fit(model, *loaders)
    return model, fit


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Temporary files, of shared checkpoints for example, go to the folder too."""
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
