"""Learning rates that a model's own code sets."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import art_training as art

X = torch.tensor(load_digits().data, dtype=torch.float32) / 16
Y = torch.tensor(load_digits().target)


class ByHand(L.LightningModule):
    """Sets the rate before each batch, to a factor of the step and the epoch."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def on_train_batch_start(self, batch, batch_idx):
        for group in self.optimizers().param_groups:
            group["lr"] = 0.01 * self.factor(self.global_step, self.current_epoch)

    def training_step(self, batch, index):
        images, labels = batch
        return F.cross_entropy(self.net(images), labels)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


class AfterBatches(ByHand):
    """Multiplies the rate after each batch."""

    def on_train_batch_start(self, batch, batch_idx):
        pass

    def on_train_batch_end(self, outputs, batch, batch_idx):
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] *= self.factor


class InStep(ByHand):
    """As documentation shows a warm-up."""

    def on_train_batch_start(self, batch, batch_idx):
        pass

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * min(1.0, (self.trainer.global_step + 1) / self.factor)
        optimizer.step(closure=optimizer_closure)


def found(model):
    data = art.data((X[:1280], Y[:1280]), batch_size=64)
    diagnosis = art.diagnose(model, data, trainer={"max_epochs": 4, "accelerator": "cpu"}, budget=120)
    return next((one for one in diagnosis.findings if one.code == "ART548"), None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: ByHand(lambda step, epoch: min(1.0, step / 5000)), "is raised by 2e-06"),
        (lambda: InStep(4000), "is raised by 2.5e-06"),
        (lambda: ByHand(lambda step, epoch: 0.1**step), "to below 0.0001 of it"),
        (lambda: AfterBatches(0.5), "to below 0.0001 of it"),
        (lambda: ByHand(lambda step, epoch: 1 - step / 10), "is negative"),
    ],
    ids=["long warm-up", "long warm-up in the step", "decay of epochs by steps", "halved", "negative"],
)
def test_a_rate_that_goes_astray(model, said):
    seen = found(model)
    assert seen.severity == "error"
    assert said in seen.message
    assert "was read at each of" in seen.confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        lambda: ByHand(lambda step, epoch: min(1.0, (step + 1) / 8)),
        lambda: ByHand(lambda step, epoch: 0.5**epoch),
        lambda: AfterBatches(0.99),
        lambda: InStep(10),
        lambda: ByHand(lambda step, epoch: 1.0),
    ],
    ids=["warm-up", "decay", "slow decay", "warm-up in the step", "constant"],
)
def test_a_rate_that_is_set_as_meant(model):
    assert found(model) is None
