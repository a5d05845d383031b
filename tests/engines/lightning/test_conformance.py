"""The engine keeps to the contract with modules of its own kinds."""

import lightning as L
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

import art_training as art
from art_training.engines.lightning import LightningEngine
from art_training.testing.engines import EngineContract

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([[1.0], [-2.0], [0.5]]) + 1


class Faulty:
    """Fails in the second epoch as it is told."""

    fault = ""

    def failing(self, loss, batch_idx):
        if self.current_epoch != 1 or batch_idx != 1 or not self.training:
            return loss
        if self.fault == "raise":
            raise RuntimeError("told to raise")
        if self.fault == "interrupt":
            raise KeyboardInterrupt
        return loss * float("nan") if self.fault == "nan" else loss


def plain_module(base):
    class Plain(Faulty, base):
        def __init__(self, fault=""):
            super().__init__()
            self.fault = fault
            self.net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.1), nn.Linear(8, 1))

        def training_step(self, batch, batch_idx):
            x, y = batch
            return self.failing(nn.functional.mse_loss(self.net(x), y), batch_idx)

        def validation_step(self, batch, batch_idx, dataloader_idx=0):
            x, y = batch
            return nn.functional.mse_loss(self.net(x), y)

        test_step = validation_step

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.05)

    return Plain


class Stages(Faulty, art.ArtModule):
    loss_function = nn.functional.mse_loss

    def __init__(self, fault=""):
        super().__init__()
        self.fault = fault
        self.net = nn.Linear(3, 1)

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        told = super().training_step(batch, batch_idx)
        return {**told, "loss": self.failing(told["loss"], batch_idx)}

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.05)


class Suite(EngineContract):
    model = None

    def engine(self, fault=""):
        return LightningEngine()

    def setup_for(self, *, epochs=4, loaders=(None,), fault=""):
        validation = (X + 10, Y) if loaders == (None,) else dict.fromkeys(loaders, (X + 10, Y))
        return art.Setup(
            self.model,
            art.data((X, Y), validation, batch_size=12),
            hparams={"fault": fault} if fault else {},
            trainer={"max_epochs": epochs, "accelerator": "cpu", "enable_progress_bar": False},
        )


@pytest.mark.slow
class TestModulesOfLightning(Suite):
    model = plain_module(L.LightningModule)


@pytest.mark.slow
class TestModulesOfPytorchLightning(Suite):
    model = plain_module(pl.LightningModule)


@pytest.mark.slow
class TestArtModules(Suite):
    model = Stages


class Net(Faulty, nn.Module):
    """A plain module, which counts its own epochs to fail in the second."""

    def __init__(self, fault=""):
        super().__init__()
        self.fault = fault
        self.net = nn.Linear(3, 1)
        self.calls = 0

    def forward(self, x):
        loss = self.net(x)
        if not self.training:
            return loss
        self.calls += 1
        self.current_epoch = (self.calls - 1) // 4
        return self.failing(loss, (self.calls - 1) % 4)


@pytest.mark.slow
class TestModulesFromTorch(Suite):
    model = art.from_torch(Net, loss=nn.MSELoss, optimizer=torch.optim.SGD, lr=0.05)
