"""Temperatures of stars from their spectra: regression by convolutions, batches are dictionaries."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import explained, pooled, validation

PIXELS = 64
MEAN_KELVIN, SPREAD_KELVIN = 6400.0, 1500.0


def catalogue(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy spectra (n, PIXELS) with absorption lines, divided by their continuum, and temperatures in kelvin."""
    rng = np.random.default_rng(100 + seed)
    kelvin = rng.uniform(4000, 9000, n)
    warmth = (kelvin - MEAN_KELVIN) / SPREAD_KELVIN
    place = np.arange(PIXELS)
    flux = np.ones((n, PIXELS))
    for centre, slope in ((9, 0.9), (21, -0.8), (34, 1.2), (47, -1.1), (58, 0.5)):
        depth = 0.5 / (1 + np.exp(-slope * warmth * 1.6))
        flux -= depth[:, None] * np.exp(-((place - centre - rng.normal(0, 0.6, n)[:, None]) ** 2) / 3)
    flux += rng.normal(0, 0.05, flux.shape)
    return ((flux - 0.93) / 0.13).astype(np.float32), kelvin.astype(np.float32)


class Spectra(Dataset[dict[str, Any]]):
    def __init__(self, flux: np.ndarray, target: np.ndarray) -> None:
        self.flux, self.target = flux, target

    def __len__(self) -> int:
        return len(self.flux)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"flux": self.flux[row], "teff": self.target[row]}


class Survey(L.LightningDataModule):
    """`table` is the unit and the storage of the training temperatures: scaled, kelvin or int8."""

    def __init__(self, seed: int = 0, table: str = "scaled", listed: str = "as observed", shuffle: bool = True) -> None:
        super().__init__()
        self.seed, self.table, self.listed, self.shuffle = seed, table, listed, shuffle

    def setup(self, stage: str | None = None) -> None:
        n = 1100 + 70 * self.seed
        flux, kelvin = catalogue(self.seed, n + 300)
        target = kelvin if self.table == "kelvin" else (kelvin - MEAN_KELVIN) / SPREAD_KELVIN
        order = np.argsort(kelvin[:n]) if self.listed == "by temperature" else np.arange(n)
        stored = target[:n].astype(np.int8).astype(np.float32) if self.table == "int8" else target[:n]
        self.train = Spectra(flux[:n][order], stored[order])
        self.val = Spectra(flux[n:], target[n:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=32, shuffle=self.shuffle)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=100)


class Block(nn.Module):
    """A residual convolution whose branch is scaled by a gate."""

    def __init__(self, width: int, gate: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 5, padding=2)
        self.gate = nn.Parameter(torch.tensor(gate))

    def forward(self, h: Tensor) -> Tensor:
        return h + self.gate * torch.tanh(self.conv(h))


class Thermometer(L.LightningModule):
    def __init__(self, width: int = 12, lr: float = 3e-3, gate: float = 0.5) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.body = nn.Sequential(nn.Conv1d(1, width, 5, padding=2, stride=2), *(Block(width, gate) for _ in range(3)))
        self.read = nn.Sequential(nn.Flatten(), nn.Linear(width * PIXELS // 2, 1))

    def forward(self, flux: Tensor) -> Tensor:
        return self.read(self.body(flux[:, None]))[:, 0]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = nn.functional.huber_loss(self(batch["flux"]), batch["teff"])
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        predicted = self(batch["flux"])
        rows = len(predicted)
        self.log("val_huber", nn.functional.huber_loss(predicted, batch["teff"]), batch_size=rows)
        self.log("val_mae", (predicted - batch["teff"]).abs().mean(), batch_size=rows)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


class ThermometerDeep(Thermometer):
    """Twelve layers, one after the other; `between` stands after each of them."""

    def __init__(self, width: int = 12, lr: float = 3e-3, between: str = "ReLU") -> None:
        super().__init__(width, lr)
        layers: list[nn.Module] = [nn.Conv1d(1, width, 5, padding=2, stride=2)]
        for _ in range(11):
            conv = nn.Conv1d(width, width, 3, padding=1)
            if between == "ReLU":
                nn.init.kaiming_normal_(conv.weight)
            layers += [getattr(nn, between)(), conv]
        self.body = nn.Sequential(*layers)


class ThermometerLinear(Thermometer):
    """What a straight line through the fluxes gives, for comparison."""

    def __init__(self, lr: float = 3e-3) -> None:
        super().__init__(lr=lr)
        self.body = nn.Identity()  # type: ignore[assignment]
        self.read = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 1))


def project(
    seed: int, model: Any = Thermometer, declare: Any = None, epochs: int = 8, data: Any = None, **hparams: Any
) -> Project:
    return Project(model, partial(Survey, seed, **(data or {})), {"max_epochs": epochs}, hparams, declare or {})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return explained(*pooled(model, validation(clean), lambda m, b: m(b["flux"]), lambda b: b["teff"]))


listed = partial(project, lr=1e-2, epochs=6)
deep = partial(project, model=ThermometerDeep, lr=1e-3, epochs=5)

CASES = (
    Case(
        "stars-kelvin",
        "temperatures of thousands of kelvin are learned as they are, from an output around zero: training never gets there",
        ("preprocessing", "initialization", "labels"),
        partial(project, data={"table": "kelvin"}),
        project,
        "P16",
    ),
    Case(
        "stars-stored-small",
        "the table of training targets keeps scaled temperatures in whole numbers; that of validation does not",
        ("labels", "preprocessing", "data"),
        partial(project, data={"table": "int8"}),
        project,
        "B05",
    ),
    Case(
        "stars-by-temperature",
        "stars are listed from cold to hot and not shuffled: the network follows what it saw last",
        ("data",),
        partial(listed, data={"listed": "by temperature", "shuffle": False}),
        partial(listed, data={"shuffle": False}),
        "D07",
    ),
    Case(
        "stars-deep-sigmoid",
        "twelve convolutions with sigmoids between them: what reaches the first is next to nothing",
        ("model", "initialization"),
        partial(deep, between="Sigmoid"),
        deep,
        "M11",
    ),
    Case(
        "stars-closed-gates",
        "every residual branch starts closed: its weights have no gradient at the first step",
        (),
        None,
        partial(project, gate=0.0),
        "N14",
    ),
    Case(
        "stars-straight-line",
        "a linear model as the figure to beat, declared as one",
        (),
        None,
        partial(project, model=ThermometerLinear, declare={"linear_model": True}, epochs=12),
        "N37",
    ),
)
