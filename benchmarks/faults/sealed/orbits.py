"""Shapes of closed orbits: a variational autoencoder by convolutions over 32 places of (x, y)."""

from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import explained, validation

PLACES = 32


class Orbits(Dataset[Tensor]):
    def __init__(self, seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        t = np.linspace(0, 2 * np.pi, PLACES, endpoint=False)
        large, flat, turn = rng.uniform(0.6, 1.6, (n, 1)), rng.uniform(0.2, 1, (n, 1)), rng.uniform(0, np.pi, (n, 1))
        wide, high = large * np.cos(t), large * flat * np.sin(t)
        x, y = wide * np.cos(turn) - high * np.sin(turn), wide * np.sin(turn) + high * np.cos(turn)
        self.places = torch.tensor(np.stack([x, y], 1) + rng.normal(0, 0.05, (n, 2, PLACES)), dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: int) -> Tensor:
        return self.places[i]


class Sky(pl.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str | None = None) -> None:
        self.train, self.val = Orbits(self.seed, 900 + 70 * self.seed), Orbits(self.seed + 50, 250)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=30, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=125)


class Shape(pl.LightningModule):
    def __init__(self, code: int = 4, lr: float = 4e-3, error: str = "an orbit") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.look = nn.Sequential(
            nn.Conv1d(2, 16, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv1d(16, 16, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.code = nn.Linear(128, 2 * code)
        self.draw = nn.Sequential(
            nn.Linear(code, 96), nn.SiLU(), nn.Linear(96, 2 * PLACES), nn.Unflatten(1, (2, PLACES))
        )

    def forward(self, places: Tensor) -> Tensor:
        """The orbit that the middle of the code stands for."""
        return self.draw(self.code(self.look(places)).chunk(2, 1)[0])

    def terms(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The misfit, whose noise has a variance of 0.05, and the divergence, in nats."""
        middle, log_variance = self.code(self.look(places)).chunk(2, 1)
        z = middle + (log_variance / 2).exp() * torch.randn_like(middle)
        misfit = (self.draw(z) - places).square() / (2 * 0.05)
        divergence = 0.5 * (middle.square() + log_variance.exp() - 1 - log_variance).sum(1)
        misfit = misfit.sum((1, 2)) if self.hparams["error"] == "an orbit" else 0.05 * misfit.mean((1, 2))
        return misfit.mean(), divergence.mean()

    def training_step(self, places: Tensor, batch_idx: int) -> Tensor:
        misfit, divergence = self.terms(places)
        self.log("misfit", misfit)
        self.log("divergence", divergence)
        return misfit + divergence

    def validation_step(self, places: Tensor, batch_idx: int) -> None:
        self.log("val_error", F.mse_loss(self(places), places))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), self.hparams["lr"])


def project(seed: int, **hparams: Any) -> Project:
    return Project(Shape, partial(Sky, seed), {"max_epochs": 8}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    places = torch.cat(list(validation(clean)))
    with torch.no_grad():
        return explained(model(places), places)


CASES = (
    Case(
        "orbits-error-of-a-place",
        "the misfit is that of one place, the divergence that of the whole code: the code is left empty",
        ("loss",),
        partial(project, error="a place"),
        project,
        "L21",
    ),
)
