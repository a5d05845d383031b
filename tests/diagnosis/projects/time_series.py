"""Hours of demand ahead, as quantiles, by a recurrent network: windows, a split by time, pinball loss, clipping."""

from functools import partial

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics import MeanAbsoluteError

HOURS = 24


def demand(length=1200, seed=11):
    """Two cycles, a slow trend and noise whose size follows the level."""
    rng = np.random.default_rng(seed)
    time = np.arange(length)
    level = 50 + 10 * np.sin(2 * np.pi * time / HOURS) + 5 * np.sin(2 * np.pi * time / (7 * HOURS))
    level = level + np.convolve(rng.normal(0, 1, length), 0.9 ** np.arange(30), "same")
    return (level + 0.03 * level * rng.normal(size=length)).astype(np.float32)


class WindowDataset(Dataset):
    """Windows of the past with the hour of the day, and what follows them."""

    def __init__(self, values, hours, history, horizon, stride=1):
        self.values, self.hours = torch.from_numpy(values), torch.from_numpy(hours)
        self.history, self.horizon = history, horizon
        self.starts = range(0, len(values) - history - horizon + 1, stride)

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, index):
        start = self.starts[index]
        middle, end = start + self.history, start + self.history + self.horizon
        angle = 2 * np.pi * self.hours[start:middle] / HOURS
        past = torch.stack([self.values[start:middle], angle.sin(), angle.cos()], -1)
        return past, self.values[middle:end]


class DemandDataModule(L.LightningDataModule):
    def __init__(self, history=36, horizon=6, batch_size=64):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage=None):
        values, hours = demand(), np.arange(1200, dtype=np.float32) % HOURS
        ends = int(0.7 * len(values)), int(0.85 * len(values))
        mean, std = values[: ends[0]].mean(), values[: ends[0]].std()
        values = (values - mean) / std
        window = self.hparams.history, self.hparams.horizon
        self.train = WindowDataset(values[: ends[0]], hours[: ends[0]], *window)
        self.val = WindowDataset(values[ends[0] : ends[1]], hours[ends[0] : ends[1]], *window)
        self.test = WindowDataset(values[ends[1] :], hours[ends[1] :], *window)

    def train_dataloader(self):
        return DataLoader(self.train, self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, self.hparams.batch_size)

    def test_dataloader(self):
        return DataLoader(self.test, self.hparams.batch_size)


class QuantileLoss(nn.Module):
    """The pinball loss of predictions (batch, horizon, quantiles) against targets (batch, horizon)."""

    def __init__(self, quantiles):
        super().__init__()
        self.register_buffer("quantiles", torch.tensor(quantiles))

    def forward(self, prediction, target):
        error = target.unsqueeze(-1) - prediction
        return torch.maximum(self.quantiles * error, (self.quantiles - 1) * error).mean()


class Forecaster(L.LightningModule):
    def __init__(self, hidden=32, horizon=6, quantiles=(0.1, 0.5, 0.9), lr=3e-3):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.LSTM(3, hidden, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, horizon * len(quantiles)))
        self.loss_fn = QuantileLoss(quantiles)
        self.val_mae, self.test_mae = MeanAbsoluteError(), MeanAbsoluteError()

    def forward(self, past):
        _, (state, _) = self.encoder(past)
        out = self.head(self.norm(state[-1]))
        return out.view(len(past), self.hparams.horizon, len(self.hparams.quantiles))

    def training_step(self, batch, batch_idx):
        past, future = batch
        loss = self.loss_fn(self(past), future)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        past, future = batch
        prediction = self(past)
        self.log("val_loss", self.loss_fn(prediction, future), prog_bar=True)
        self.val_mae(prediction[..., len(self.hparams.quantiles) // 2].contiguous(), future)
        self.log("val_mae", self.val_mae)

    def test_step(self, batch, batch_idx):
        past, future = batch
        self.test_mae(self(past)[..., len(self.hparams.quantiles) // 2].contiguous(), future)
        self.log("test_mae", self.test_mae)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=4)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss", "interval": "epoch", "frequency": 1},
        }


SETUP = {
    "model": Forecaster,
    "data": DemandDataModule,
    "hparams": {"hidden": 32, "horizon": 6},
    "trainer": {
        "max_epochs": 50,
        "accelerator": "cpu",
        "gradient_clip_val": 0.5,
        "callbacks": [partial(EarlyStopping, "val_loss", patience=10, min_delta=1e-4)],
    },
}
