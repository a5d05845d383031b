"""Boiling points as sums of contributions of groups: batches are one long list of groups and where each molecule begins."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import explained, pooled, validation

GROUPS = ("CH2", "CH3", "CH", "OH", "NH2", "C=O", "Cl", "F", "SH", "ring")
EFFECTS = np.array([0.34, 0.22, 0.15, 1.1, 0.8, 0.7, 0.45, -0.1, 0.6, 0.5])
Molecule = tuple[list[int], float]


def measured(seed: int, n: int) -> list[Molecule]:
    rng = np.random.default_rng(40 + seed)
    rows = []
    for _ in range(n):
        chain = [0] * int(rng.integers(0, 11))
        groups = chain + rng.choice(np.arange(1, 10), int(rng.integers(2, 5))).tolist()
        point = EFFECTS[groups].sum() - 0.012 * len(groups) ** 2
        rows.append(([int(one) for one in rng.permutation(groups)], float(point - 2.6 + rng.normal(0, 0.12))))
    return rows


def flat(rows: list[Molecule]) -> tuple[tuple[Tensor, Tensor], Tensor]:
    groups = [torch.tensor(one) for one, _ in rows]
    starts = torch.tensor([0, *(len(one) for one in groups[:-1])]).cumsum(0)
    return (torch.cat(groups), starts), torch.tensor([[point] for _, point in rows])


class Molecules(L.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str | None = None) -> None:
        rows = measured(self.seed, 1050 + 60 * self.seed)
        self.sets = {"train": rows[250:], "val": rows[:250]}

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.sets["train"], batch_size=20, shuffle=True, collate_fn=flat)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.sets["val"], batch_size=50, collate_fn=flat)  # type: ignore[arg-type]


class Contributions(L.LightningModule):
    def __init__(self, width: int = 8, lr: float = 5e-3, pad: int | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.groups = nn.EmbeddingBag(len(GROUPS), width, mode="sum", padding_idx=pad)
        self.correct = nn.Sequential(nn.Linear(width, 32), nn.Softplus(), nn.Linear(32, 1))
        self.criterion = nn.MSELoss()

    def forward(self, molecules: tuple[Tensor, Tensor]) -> Tensor:
        groups, starts = molecules
        return self.correct(self.groups(groups, starts))

    def _step(self, batch: Any, stage: str) -> Tensor:
        molecules, points = batch
        loss = self.criterion(self(molecules), points)
        self.log(f"{stage}/mse", loss, batch_size=len(points), on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._step(batch, "val")

    def configure_optimizers(self) -> dict[str, Any]:
        return {"optimizer": torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])}


def project(seed: int, **hparams: Any) -> Project:
    return Project(Contributions, partial(Molecules, seed), {"max_epochs": 10}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return explained(*pooled(model, validation(clean)))


CASES = (
    Case(
        "additive-first-group-pads",
        "padding_idx=0 although nothing is padded and 0 is the commonest group: a chain's length is not seen",
        ("model", "preprocessing"),
        partial(project, pad=0),
        project,
        "M17",
    ),
)
