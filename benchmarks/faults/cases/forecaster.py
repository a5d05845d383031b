"""A forecaster of an hourly load from windows of the past."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import explained, pooled, validation

WINDOW, HORIZON = 24, 3


def load_series(seed: int, hours: int) -> np.ndarray:
    """Days and weeks, a slow drift, and autoregressive noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(hours)
    noise = np.zeros(hours)
    for i in range(2, hours):
        noise[i] = 1.2 * noise[i - 1] - 0.5 * noise[i - 2] + rng.normal(0, 0.25)
    daily = np.sin(2 * np.pi * t / 24) + 0.4 * np.sin(4 * np.pi * t / 24 + 1)
    return 50 + 10 * (daily + 0.5 * np.sin(2 * np.pi * t / 168) + noise) + 2 * t / hours


class Windows(Dataset[Any]):
    """Items: the past (24,), the load `HORIZON` hours after it, and the hour at which the past begins."""

    def __init__(self, series: np.ndarray, ahead: int = HORIZON, first_hour: int = 0) -> None:
        self.series, self.ahead, self.first_hour = torch.tensor(series, dtype=torch.float32), ahead, first_hour

    def __len__(self) -> int:
        return len(self.series) - WINDOW - HORIZON

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, int]:
        return self.series[i : i + WINDOW], self.series[i + WINDOW + self.ahead - 1], self.first_hour + i


def hour_of(example: Any) -> int:
    return int(example[2])


class LoadData(L.LightningDataModule):
    def __init__(self, seed: int = 0, ahead: int = HORIZON, drop_last: bool = False, batch_size: int = 64) -> None:
        super().__init__()
        self.seed, self.ahead, self.drop_last, self.batch_size = seed, ahead, drop_last, batch_size

    def series(self) -> np.ndarray:
        return load_series(self.seed, 1800 + 120 * self.seed)

    def setup(self, stage: str | None = None) -> None:
        series = self.series()
        cut = int(0.75 * len(series))
        past, future = series[:cut], series[cut + WINDOW + HORIZON :]
        mean, std = past.mean(), past.std()
        self.train = Windows((past - mean) / std, self.ahead)
        self.val = Windows((future - mean) / std, self.ahead, cut + WINDOW + HORIZON)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 150, shuffle=False, drop_last=self.drop_last)


class LoadDataMixed(LoadData):
    def setup(self, stage: str | None = None) -> None:
        series = self.series()
        windows = Windows((series - series.mean()) / series.std(), self.ahead)
        order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(self.seed)).tolist()
        cut = int(0.75 * len(order))
        self.train, self.val = Subset(windows, order[:cut]), Subset(windows, order[cut:])


class LoadDataByWeek(LoadData):
    """Levels differ from season to season: each part has a scale of its own."""

    def setup(self, stage: str | None = None) -> None:
        series = self.series()
        cut = int(0.75 * len(series))
        past, future = series[:cut], series[cut + WINDOW + HORIZON :]
        self.train = Windows((past - past.mean()) / past.std(), self.ahead)
        self.val = Windows((future - future.min()) / (future.max() - future.min()), self.ahead, cut + WINDOW + HORIZON)


class LoadDataTailed(LoadData):
    """The last days of the record are of a heat wave."""

    def series(self) -> np.ndarray:
        series = super().series()
        rng = np.random.default_rng(1)
        series[-70:] += rng.normal(0, 15, 70)
        return series


class Forecaster(L.LightningModule):
    def __init__(self, lr: float = 3e-3, channels: int = 16, decay: str = "epoch") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.convolve = nn.Sequential(
            nn.Conv1d(1, channels, 5, padding=2), nn.ReLU(), nn.Conv1d(channels, channels, 5, padding=2), nn.ReLU()
        )
        self.read = nn.Linear(channels * WINDOW, 1)

    def forward(self, past: Tensor) -> Tensor:
        return self.read(self.convolve(past[:, None]).flatten(1)).squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        past, future, _ = batch
        loss = nn.functional.huber_loss(self(past), future)
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        past, future, _ = batch
        prediction = self(past)
        self.log("val_huber", nn.functional.huber_loss(prediction, future))
        self.log("val_mae", (prediction - future).abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": self.hparams["decay"]}}


def project(seed: int, data: Any = LoadData, hparams: Any = None, **options: Any) -> Project:
    stop = EarlyStopping("val_mae", patience=3)
    trainer = {"max_epochs": 6, "callbacks": [stop]}
    return Project(Forecaster, partial(data, seed, **options), trainer, hparams or {}, {"time": hour_of})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return explained(*pooled(model, validation(clean)))


CASES = (
    Case(
        "forecaster-mixed-windows",
        "overlapping windows are split at random: the validation score is of interpolation",
        ("split", "data"),
        partial(project, data=LoadDataMixed),
        project,
        "D04",
    ),
    Case(
        "forecaster-target-in-window",
        "the horizon counts from the wrong end: what is to be forecast is the window's last value",
        ("data", "labels", "preprocessing"),
        partial(project, ahead=0),
        project,
        "https://arxiv.org/abs/2207.07048",
    ),
    Case(
        "forecaster-other-scale",
        "training is standardised, validation is brought to 0 to 1",
        ("preprocessing", "split"),
        partial(project, data=LoadDataByWeek),
        project,
        "P03",
    ),
    Case(
        "forecaster-drop-last",
        "validation leaves out its last, hardest, hours",
        ("evaluation", "data"),
        partial(project, data=LoadDataTailed, drop_last=True),
        partial(project, data=LoadDataTailed),
        "E07",
    ),
    Case(
        "forecaster-decay-per-step",
        "a schedule meant for epochs is stepped with every batch: the learning rate is gone after twenty",
        ("schedule",),
        partial(project, hparams={"decay": "step"}),
        project,
        "S02",
    ),
    Case(
        "forecaster-chronological",
        "validation is later than training, not shuffled, and drifts",
        (),
        None,
        project,
        "D04",
    ),
)
