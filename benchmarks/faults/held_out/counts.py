"""Counts: how many bicycles are hired in an hour. A Poisson regression."""

from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import explained, pooled, validation


class Hires(pl.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str | None = None) -> None:
        rng = torch.Generator().manual_seed(self.seed)
        n = 1500 + 200 * self.seed
        x = torch.randn(n, 6, generator=rng)
        rate = (1.0 + 0.6 * x[:, 0] - 0.5 * x[:, 1] + 0.4 * x[:, 2] * x[:, 3]).clamp(-3, 3.2).exp()
        y = torch.poisson(rate, generator=rng)
        self.train, self.val = TensorDataset(x[:-350], y[:-350]), TensorDataset(x[-350:], y[-350:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=30, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=175)


class HireRate(pl.LightningModule):
    def __init__(self, lr: float = 5e-3, log_input: bool = True, link: str = "none", activation: str = "Tanh") -> None:
        super().__init__()
        self.lr, self.link = lr, link
        between = getattr(nn, activation)
        self.net = nn.Sequential(nn.Linear(6, 32), between(), nn.Linear(32, 32), between(), nn.Linear(32, 1))
        self.loss = nn.PoissonNLLLoss(log_input=log_input)

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x).squeeze(-1)
        return out.exp() if self.link == "exp" else out

    def expected(self, x: Tensor) -> Tensor:
        out = self(x)
        return out.exp() if self.loss.log_input else out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.loss(self(x), y)
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_nll", self.loss(self(x), y))
        self.log("val_mae", (self.expected(x) - y).abs().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class HireRateOfLog(HireRate):
    def expected(self, x: Tensor) -> Tensor:
        return self(x)


class HireClass(HireRate):
    """One class for each count up to 59."""

    def __init__(self, lr: float = 5e-3) -> None:
        super().__init__(lr)
        self.net[4] = nn.Linear(32, 1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        out = self(x)
        loss = nn.functional.binary_cross_entropy_with_logits(out, (y > 0).float())
        self.log("train_nll", loss)
        return loss


def project(seed: int, model: Any = HireRate, **hparams: Any) -> Project:
    return Project(model, partial(Hires, seed), {"max_epochs": 8}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return explained(*pooled(model, validation(clean), lambda m, b: HireRate.expected(m, b[0])))


CASES = (
    Case(
        "counts-log-of-a-log",
        "the loss is told that it gets rates and gets their logarithms: the logarithm of a negative number is none",
        ("loss", "numerics", "model"),
        partial(project, log_input=False),
        partial(project, link="exp", log_input=False),
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.PoissonNLLLoss.html",
    ),
    Case(
        "counts-affine",
        "no non-linearity between the layers: three layers are one, and the interaction cannot be learned",
        ("model",),
        partial(project, activation="Identity"),
        project,
        "M03",
    ),
    Case(
        "counts-any-or-none",
        "a loss for yes and no on counts: how many is never learned",
        ("loss",),
        partial(project, model=HireClass),
        project,
        "L08",
    ),
    Case(
        "counts-error-of-the-log",
        "the logged error compares counts with the logarithm of the rate",
        ("metrics",),
        partial(project, model=HireRateOfLog),
        project,
        "K05",
    ),
    Case(
        "counts-plain",
        "targets are whole numbers by nature; the loss is negative at its best",
        (),
        None,
        project,
        "B05",
    ),
)
