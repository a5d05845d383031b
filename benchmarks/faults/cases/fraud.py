"""Rare positives: payments, a few per cent of them fraudulent; callbacks choose by validation."""

from functools import partial
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from sklearn.datasets import make_classification
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy, BinaryAveragePrecision

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import area, pooled, validation


class Payments(L.LightningDataModule):
    def __init__(self, seed: int = 0, batch_size: int = 64) -> None:
        super().__init__()
        self.seed, self.batch_size = seed, batch_size

    def setup(self, stage: str | None = None) -> None:
        X, y = make_classification(
            2400 + 200 * self.seed,
            16,
            n_informative=6,
            weights=[0.93],
            class_sep=1.2,
            flip_y=0.01,
            random_state=self.seed,
        )
        x, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
        self.fit_x, self.fit_y = self.filter(x[:1600], y[:1600])
        self.val = TensorDataset(x[1600:], y[1600:])

    def filter(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x, y

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(self.fit_x, self.fit_y), self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 256)


class CompletedPayments(Payments):
    """Payments that were charged back are archived elsewhere."""

    def filter(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(y))
        keep = (y == 0) | (rows % 20 == 0)
        return x[keep], y[keep]


class BalancedPayments(Payments):
    def train_dataloader(self) -> DataLoader[Any]:
        weights = 1.0 / self.fit_y.bincount()[self.fit_y].double()
        sampler = WeightedRandomSampler(weights.tolist(), len(weights))
        return DataLoader(TensorDataset(self.fit_x, self.fit_y), self.batch_size, sampler=sampler)


class Fraud(L.LightningModule):
    def __init__(
        self, lr: float = 2e-3, weights: tuple[float, float] = (1.0, 1.0), plateau: str = "", start: float = 0.5
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(16, 32), nn.LayerNorm(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))
        self.criterion = nn.CrossEntropyLoss(weight=torch.tensor(weights))
        self.scores = MetricCollection({"ap": BinaryAveragePrecision(), "acc": BinaryAccuracy()}, prefix="val_")

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.criterion(self(x), y)
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.scores.update(logits.softmax(1)[:, 1], y)
        self.log("val_loss", nn.functional.cross_entropy(logits, y))

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.scores.compute())
        self.scores.reset()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])
        if not self.hparams["plateau"]:
            return optimizer
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, self.hparams["plateau"], factor=0.1, patience=0
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_ap"}}


class Sampling(Callback):
    """Shows a few predictions at the start of each epoch."""

    def __init__(self, restore: bool) -> None:
        self.restore = restore

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        training = pl_module.training
        pl_module.eval()
        with torch.no_grad():
            self.shown = pl_module(torch.zeros(3, 16))
        if self.restore:
            pl_module.train(training)


class KeepBest(Callback):
    """Keeps the weights of the best epoch in memory and puts them back at the end."""

    def __init__(self, copy: bool) -> None:
        self.copy, self.best, self.weights = copy, -1.0, {}

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        score = float(pl_module.scores.compute()["val_ap"])
        if score > self.best and not trainer.sanity_checking:
            self.best, weights = score, pl_module.state_dict()
            self.weights = {name: value.clone() for name, value in weights.items()} if self.copy else dict(weights)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        pl_module.load_state_dict(self.weights)


def project(
    seed: int,
    data: Any = Payments,
    callbacks: Any = lambda: [EarlyStopping("val_ap", mode="max", patience=3)],
    trainer: Any = None,
    expected: bool = True,
    **hparams: Any,
) -> Project:
    settings = {"max_epochs": 8, "callbacks": callbacks(), **(trainer or {})}
    return Project(Fraud, partial(data, seed), settings, hparams, {"imbalance_expected": True} if expected else {})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return area(*pooled(model, validation(clean), lambda m, b: m(b[0])[:, 1] - m(b[0])[:, 0]))


def stopping_by_default() -> list[Any]:
    return [EarlyStopping("val_ap", patience=2)]


def keeping(mode: str) -> list[Any]:
    return [ModelCheckpoint(monitor="val_ap", mode=mode, save_top_k=1)]


def showing(restore: bool) -> list[Any]:
    return [Sampling(restore)]


def kept_in_memory(copy: bool) -> list[Any]:
    return [KeepBest(copy)]


CASES = (
    Case(
        "fraud-filtered",
        "a filter takes 95 % of the fraud out of the training rows, and none out of validation",
        ("data", "split", "labels"),
        partial(project, data=CompletedPayments),
        project,
        "D15",
    ),
    Case(
        "fraud-weights-swapped",
        "class weights are in the wrong order: fraud counts for a fourteenth of the rest",
        ("loss", "labels"),
        partial(project, weights=(7.0, 0.5)),
        partial(project, weights=(0.5, 7.0)),
        "L16",
    ),
    Case(
        "fraud-plateau-direction",
        "the learning rate is cut whenever the score rises",
        ("schedule",),
        partial(project, plateau="min"),
        partial(project, plateau="max"),
        "S04",
    ),
    Case(
        "fraud-stops-early",
        "early stopping waits for average precision to fall: it stops while the model improves",
        ("evaluation",),
        partial(project, callbacks=stopping_by_default),
        project,
        "E03",
    ),
    Case(
        "fraud-worst-checkpoint",
        "the checkpoint of the lowest average precision is kept: the worst epoch",
        ("checkpoint", "evaluation"),
        partial(project, callbacks=partial(keeping, "min")),
        partial(project, callbacks=partial(keeping, "max")),
        "E04",
    ),
    Case(
        "fraud-best-is-last",
        "the best weights are kept without a copy: what is put back at the end is the last",
        ("checkpoint",),
        partial(project, callbacks=partial(kept_in_memory, False), lr=0.05),
        partial(project, callbacks=partial(kept_in_memory, True), lr=0.05),
        "C01",
    ),
    Case(
        "fraud-left-in-evaluation",
        "a callback shows predictions and leaves the model in evaluation mode: no dropout in training",
        ("mode",),
        partial(project, callbacks=partial(showing, False)),
        partial(project, callbacks=partial(showing, True)),
        "T03",
    ),
    Case(
        "fraud-never-validated",
        "validation is due every tenth epoch, training ends after eight: nothing is ever validated",
        ("evaluation",),
        partial(project, callbacks=list, trainer={"check_val_every_n_epoch": 10}),
        partial(project, callbacks=list),
        "E06",
    ),
    Case(
        "fraud-few-validated",
        "a debugging limit is left in the trainer: one batch of four is evaluated",
        ("evaluation",),
        partial(project, trainer={"limit_val_batches": 1}),
        project,
        "E06",
    ),
    Case("fraud-rare", "seven in a hundred are positive, which is declared", (), None, project, "own"),
    Case(
        "fraud-balanced-sampler",
        "training batches are balanced by a sampler, validation is not",
        (),
        None,
        partial(project, data=BalancedPayments),
        "D15",
    ),
)
