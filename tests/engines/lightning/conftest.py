"""Small modules and data for the Lightning engine."""

from types import ModuleType

import lightning.pytorch
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from art_training.engines.lightning import LightningEngine


def rows(count: int = 96, seed: int = 0) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 4, generator=generator)
    return TensorDataset(x, (x.sum(1) > 0).long())


class Points(lightning.pytorch.LightningDataModule):
    """70 rows to train with, 26 to validate with, 24 to test with; the batches leave a short last one."""

    def setup(self, stage: str) -> None:
        data = rows()
        self.parts = {"train": TensorDataset(*data[:70]), "val": TensorDataset(*data[70:]), "test": rows(24, seed=1)}

    def train_dataloader(self):
        return DataLoader(self.parts["train"], batch_size=16, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts["val"], batch_size=16)

    def test_dataloader(self):
        return DataLoader(self.parts["test"], batch_size=16)


class Net(lightning.pytorch.LightningModule):
    """Two layers with dropout and batch norm; logs its validation loss."""

    def __init__(self, lr: float = 0.1, width: int = 8) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 2)
        )

    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


@pytest.fixture
def engine() -> LightningEngine:
    return LightningEngine()


@pytest.fixture
def points() -> type[Points]:
    return Points


@pytest.fixture
def net() -> type[Net]:
    return Net


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def package(request: pytest.FixtureRequest) -> ModuleType:
    return pytest.importorskip(request.param)


@pytest.fixture
def ignore():
    """A watch that looks away."""
    return lambda position: None
