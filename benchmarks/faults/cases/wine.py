"""A small table in batches that are dataclasses, made by a collate function, with a sampler of one's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation


@dataclass
class Batch:
    features: Tensor
    cultivar: Tensor
    bottle: Tensor


class Bottles(Dataset[tuple[np.ndarray, int, int]]):
    def __init__(
        self, files: dict[str, np.ndarray], cultivars: dict[str, int], names: list[str], paired: str = "name"
    ) -> None:
        features = [files[name] for name in names]
        if paired == "name":
            labels = [cultivars[name] for name in names]
        else:
            kept = [name for name in cultivars if name in set(names)]
            labels = [cultivars[name] for name in sorted(kept)]
        self.features, self.labels = features, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int, int]:
        return self.features[i], self.labels[i], i


def collate(rows: list[tuple[np.ndarray, int, int]]) -> Batch:
    features, labels, numbers = zip(*rows, strict=True)
    return Batch(torch.tensor(np.stack(features), dtype=torch.float32), torch.tensor(labels), torch.tensor(numbers))


def collate_by_length(rows: list[tuple[np.ndarray, int, int]]) -> Batch:
    """Rows ordered by their first feature, which the kernel prefers."""
    batch = collate(rows)
    order = batch.features[:, 0].argsort(descending=True)
    return Batch(batch.features[order], batch.cultivar, batch.bottle)


class Shuffled(Sampler[int]):
    """A random order of the rows; `once` draws it when made, `few` reads only some."""

    def __init__(self, n: int, seed: int, once: bool = False, few: int | None = None) -> None:
        self.n, self.once, self.few = n, once, few
        self.seed = seed
        self.rng = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        rng = torch.Generator().manual_seed(self.seed) if self.once else self.rng
        order = torch.randperm(self.n, generator=rng).tolist()
        yield from order if self.few is None else (order[i % self.few] for i in range(self.n))


class WineData(L.LightningDataModule):
    def __init__(self, seed: int = 0, paired: str = "name", collate: Any = collate, **sampler: Any) -> None:
        super().__init__()
        self.seed, self.paired, self.collate, self.sampler = seed, paired, collate, sampler

    def setup(self, stage: str) -> None:
        X, y = load_wine(return_X_y=True)
        rng = np.random.default_rng(self.seed)
        rows = rng.permutation(len(y))
        jitter = [(X[i] * rng.normal(1, 0.02, X.shape[1]), y[i]) for i in np.concatenate([rows[:120]] * 4)]
        held = [(X[i], y[i]) for i in rows[120:]]
        mean, std = X[rows[:120]].mean(0), X[rows[:120]].std(0)
        files = {f"bottle_{i}": (x - mean) / std for i, (x, _) in enumerate(jitter + held)}
        cultivars = {f"bottle_{i}": int(label) for i, (_, label) in enumerate(jitter + held)}
        names = list(files)
        self.train = Bottles(files, cultivars, names[: len(jitter)], self.paired)
        self.val = Bottles(files, cultivars, names[len(jitter) :])

    def train_dataloader(self) -> DataLoader[Any]:
        sampler = Shuffled(len(self.train), self.seed, **self.sampler)
        return DataLoader(self.train, batch_size=12, sampler=sampler, collate_fn=self.collate)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=29, collate_fn=collate)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return Batch(batch.features.to(device), batch.cultivar.to(device), batch.bottle)


class Sommelier(L.LightningModule):
    def __init__(self, lr: float = 3e-3, hidden: int = 24) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(13, hidden), nn.Tanh(), nn.Linear(hidden, 3))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)

    def shared_step(self, batch: Batch, prefix: str) -> Tensor:
        logits = self(batch.features)
        loss = F.cross_entropy(logits, batch.cultivar)
        self.log(f"{prefix}_loss", loss, batch_size=len(batch.cultivar))
        self.log(f"{prefix}_acc", (logits.argmax(1) == batch.cultivar).float().mean(), batch_size=len(batch.cultivar))
        return loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> Any:
        return [torch.optim.NAdam(self.parameters(), lr=self.hparams["lr"])]


def project(seed: int, **options: Any) -> Project:
    return Project(Sommelier, partial(WineData, seed, **options), {"max_epochs": 6})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean), lambda m, b: m(b.features), lambda b: b.cultivar))


CASES = (
    Case(
        "wine-files-out-of-order",
        "features by number, labels by name (bottle_10 before bottle_2): nearly every label is another bottle's",
        ("labels", "preprocessing", "data"),
        partial(project, paired="listing"),
        project,
        "P15",
    ),
    Case(
        "wine-collate-reorders",
        "the collate function orders the features and leaves the labels: pairs are lost within each batch",
        ("labels", "data", "preprocessing"),
        partial(project, collate=collate_by_length),
        project,
        "P15",
    ),
    Case(
        "wine-few-rows",
        "the sampler goes round 24 rows: nineteen of twenty rows are never seen",
        ("data",),
        partial(project, few=24),
        project,
        "D09",
    ),
    Case(
        "wine-same-order",
        "the sampler draws the same order every epoch",
        ("data", "reproducibility"),
        partial(project, once=True),
        project,
        "D13",
    ),
    Case("wine-easy", "an easy task: nearly all is right within a few epochs", (), None, project, "N20"),
)
