"""Multi-label classification of generated documents, with torchmetrics."""

from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from sklearn.datasets import make_multilabel_classification
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MultilabelF1Score

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import area, pooled, validation

LABELS = 6


class Documents(pl.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str | None = None) -> None:
        X, Y = make_multilabel_classification(
            1000 + 100 * self.seed, 40, n_classes=LABELS, n_labels=2, length=60, random_state=self.seed
        )
        x, y = torch.tensor(X, dtype=torch.float32).log1p(), torch.tensor(Y)
        self.train, self.val = TensorDataset(x[:-230], y[:-230]), TensorDataset(x[-230:], y[-230:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=32, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=16)


class Topics(pl.LightningModule):
    def __init__(self, lr: float = 3e-3, hidden: int = 48) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(40, hidden), nn.ReLU(), nn.Linear(hidden, LABELS))
        self.train_f1 = MultilabelF1Score(LABELS)
        self.val_f1 = MultilabelF1Score(LABELS)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, y.float())

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        self.train_f1(logits, y)
        self.log("train_f1", self.train_f1, on_step=False, on_epoch=True)
        return self.loss(logits, y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.loss(logits, y))
        self.val_f1.update(logits, y)

    def on_validation_epoch_end(self) -> None:
        self.log("val_f1", self.val_f1.compute())
        self.val_f1.reset()

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class TopicsExclusive(Topics):
    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y.float().argmax(dim=1))


class TopicsCompeting(Topics):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).softmax(dim=1)

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy(logits, y.float())


class TopicsOneMetric(Topics):
    def __init__(self, lr: float = 3e-3, hidden: int = 48) -> None:
        super().__init__(lr, hidden)
        self.val_f1 = self.train_f1

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        self.train_f1.update(logits, y)
        return self.loss(logits, y)


class TopicsNeverReset(Topics):
    def on_validation_epoch_end(self) -> None:
        self.log("val_f1", self.val_f1.compute())


class TopicsByBatch(Topics):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.loss(logits, y))
        self.log("val_f1", self.val_f1(logits, y).item())
        self.val_f1.reset()

    def on_validation_epoch_end(self) -> None:
        self.val_f1.reset()


class TopicsOfLogits(Topics):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.loss(logits, y))
        self.val_f1.update((logits > 0.5).int(), y)


class TopicsWeighted(Topics):
    weights = torch.tensor([0.05, 0.02, 0.05, 0.02, 0.05, 0.02])

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, y.float(), pos_weight=self.weights)


def project(seed: int, model: Any = Topics) -> Project:
    return Project(model, partial(Documents, seed), {"max_epochs": 10}, {"hidden": 40 + 8 * seed})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return area(*pooled(model, validation(clean)))


CASES = (
    Case(
        "multilabel-first-label",
        "cross-entropy on the first label of several: the others count as wrong",
        ("loss", "labels"),
        partial(project, model=TopicsExclusive),
        project,
        "L08",
    ),
    Case(
        "multilabel-softmax",
        "a softmax makes the labels compete: two cannot both be likely",
        ("loss", "model"),
        partial(project, model=TopicsCompeting),
        project,
        "L08",
    ),
    Case(
        "multilabel-one-metric",
        "training and validation share one metric: what is logged for validation counts training rows",
        ("metrics",),
        partial(project, model=TopicsOneMetric),
        project,
        "K03",
    ),
    Case(
        "multilabel-never-reset",
        "the validation metric is never reset: each epoch's score holds all the epochs before",
        ("metrics",),
        partial(project, model=TopicsNeverReset),
        project,
        "https://github.com/Lightning-AI/torchmetrics/issues/637",
    ),
    Case(
        "multilabel-mean-of-f1",
        "a mean of batches' F1: not the F1 of the split",
        ("metrics",),
        partial(project, model=TopicsByBatch),
        project,
        "K01",
    ),
    Case(
        "multilabel-threshold",
        "logits are compared with one half: decisions that training never meant",
        ("metrics",),
        partial(project, model=TopicsOfLogits),
        project,
        "K05",
    ),
    Case(
        "multilabel-positive-weights",
        "positive labels are weighted by their share, not by its inverse: the model says no to everything",
        ("loss", "labels"),
        partial(project, model=TopicsWeighted),
        project,
        "L16",
    ),
    Case("multilabel-plain", "several labels a row; the metric is reset by hand", (), None, project, "K03"),
)
