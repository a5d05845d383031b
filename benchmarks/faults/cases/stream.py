"""Rows that come as a stream: an iterable dataset with workers."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation


class Stream(IterableDataset[Any]):
    """Rows in the order of the file, shuffled through a buffer, each worker with a share of them."""

    def __init__(
        self, x: np.ndarray, y: np.ndarray, buffer: int = 0, share: bool = True, first: int | None = None
    ) -> None:
        self.x, self.y, self.buffer, self.share, self.first = x, y, buffer, share, first

    def rows(self) -> Iterator[int]:
        worker = get_worker_info()
        if worker is None or not self.share:
            yield from range(len(self.x))
        else:
            yield from range(worker.id, len(self.x), worker.num_workers)

    def shuffled(self) -> Iterator[int]:
        if not self.buffer:
            yield from self.rows()
            return
        held: list[int] = []
        for row in self.rows():
            held.append(row)
            if len(held) > self.buffer:
                yield held.pop(int(torch.randint(len(held), (1,))))
        yield from (held[i] for i in torch.randperm(len(held)).tolist())

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        for count, row in enumerate(self.shuffled()):
            index = row if self.first is None else count % self.first
            yield torch.from_numpy(self.x[index]), int(self.y[index])


class StreamData(L.LightningDataModule):
    def __init__(self, seed: int = 0, workers: int = 0, by_class: bool = False, **options: Any) -> None:
        super().__init__()
        self.seed, self.workers, self.by_class, self.options = seed, workers, by_class, options

    def setup(self, stage: str) -> None:
        x, y = load_digits(return_X_y=True)
        order = np.random.default_rng(self.seed).permutation(len(y))
        x, y = x[order].astype(np.float32) / 16, y[order]
        cut = 1100 + 100 * self.seed
        fit = np.argsort(y[:cut], kind="stable") if self.by_class else np.arange(cut)
        self.train = Stream(x[:cut][fit], y[:cut][fit], **self.options)
        self.val = Stream(x[-350:], y[-350:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=32, num_workers=self.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=128)


class Dense(L.LightningModule):
    def __init__(self, lr: float = 4e-3) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.RAdam(self.parameters(), lr=self.lr)


def project(seed: int, **options: Any) -> Project:
    return Project(Dense, partial(StreamData, seed, **options), {"max_epochs": 8})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


CASES = (
    Case(
        "stream-once-per-worker",
        "no worker takes a share: an epoch has every row twice, one after the other",
        ("data",),
        partial(project, workers=2, share=False),
        partial(project, workers=2),
        "D11",
    ),
    Case(
        "stream-same-rows",
        "the buffer is read at the same places: an epoch is forty rows, over and over",
        ("data",),
        partial(project, first=40),
        project,
        "D09",
    ),
    Case(
        "stream-small-buffer",
        "a file sorted by class and a buffer of eight rows: batches have one class",
        ("data",),
        partial(project, by_class=True, buffer=8),
        partial(project, by_class=True, buffer=2000),
        "D07",
    ),
    Case("stream-in-order", "a stream in the order of a file that is in random order", (), None, project, "D07"),
    Case("stream-shared", "two workers, each with a share of the rows", (), None, partial(project, workers=2), "D11"),
    Case(
        "stream-buffer",
        "rows shuffled through a buffer of 200",
        (),
        None,
        partial(project, buffer=200),
        "D13",
    ),
)
