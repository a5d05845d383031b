"""Losses that do not fit what is learned."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, make_blobs
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art

CODES = ("ART436",)
GENERATOR = np.random.default_rng(0)
DIGITS = load_digits(return_X_y=True)


class Net(L.LightningModule):
    def __init__(self, features=64, loss=F.mse_loss):
        super().__init__()
        self.loss = loss
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(features, 16), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]).squeeze(1), batch[1].float())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Named(Net):
    def training_step(self, batch, index):
        return self.loss(self.net(batch["image"]).flatten(), batch["digit"].float())


@pytest.fixture
def found(judged):
    def ask(model, data):
        return judged(model, art.data(data, batch_size=64), codes=CODES)

    return ask


def tensors(x, y):
    x = torch.tensor(np.asarray(x), dtype=torch.float32)
    return (x - x.mean()) / x.std(), torch.tensor(np.asarray(y))


def test_digits_as_quantities_are_seen(found):
    seen = found(Net, tensors(*DIGITS))["ART436"]
    assert seen.severity == "error"
    assert seen.evidence["classes"] == 10
    assert "by vote" in seen.confirmed_by


def test_pictures_in_named_batches_are_seen_with_other_losses(found):
    x, y = tensors(*DIGITS)
    assert "ART436" in found(lambda: Named(loss=F.smooth_l1_loss), {"image": x.reshape(-1, 1, 8, 8), "digit": y + 1})


def test_groups_without_an_order_are_seen(found):
    x, y = make_blobs(900, 6, centers=8, cluster_std=3.5, random_state=3)
    assert "ART436" in found(lambda: Net(6), tensors(x, y))


def counts():
    rate = GENERATOR.random((1200, 4)) * 3
    yield "counts", (rate, GENERATOR.poisson(rate.sum(1) / 2).clip(0, 9))
    x = GENERATOR.normal(size=(1200, 5))
    yield "grades", (x, np.digitize(x[:, 0] + 0.1 * GENERATOR.normal(size=1200), [-1, -0.3, 0.3, 1]))
    yield "sharp grades", (np.repeat(x[:, :1], 5, 1), np.digitize(x[:, 0], [-1, -0.3, 0.3, 1]))
    yield (
        "hours of a day",
        (
            np.stack([np.sin(hours := np.arange(1200) % 24 / 24 * 2 * np.pi), np.cos(hours)], 1)
            + 0.05 * GENERATOR.normal(size=(1200, 2)),
            np.arange(1200) % 24,
        ),
    )
    yield "two classes", (x, (x[:, 0] > 0).astype(int))
    yield "numbers that cannot be known", (x, GENERATOR.integers(6, size=1200))
    yield "a squared number", (x[:, :2], np.round((x[:, 0] ** 2).clip(0, 5)).astype(int))
    yield "whole numbers of many values", (load_diabetes().data, load_diabetes().target.astype(int))


COUNTS = dict(counts())


@pytest.mark.parametrize("name", COUNTS)
def test_quantities_are_not_accused(found, name):
    x, y = COUNTS[name]
    assert not found(lambda: Net(x.shape[1]), tensors(x, y))


def test_class_numbers_that_are_floats_by_their_type_are_a_warning(found):
    x, y = tensors(*DIGITS)
    assert found(Net, (x, y.float()))["ART436"].severity == "warning"


@pytest.mark.parametrize("name", COUNTS)
def test_quantities_that_are_floats_are_not_accused(found, name):
    x, y = tensors(*COUNTS[name])
    assert not found(lambda: Net(x.shape[1]), (x, y.float()))


class Rounded(Net):
    """Validates by what is right after rounding, which is no loss."""

    def validation_step(self, batch, index):
        self.log("acc", (self.net(batch[0]).squeeze(1).round() == batch[1]).float().mean())


class Squares(Rounded):
    def training_step(self, batch, index):
        return ((self.net(batch[0]).squeeze(1) - batch[1].float()) ** 2).mean()


@pytest.mark.parametrize("model", [Rounded, Squares])
def test_class_numbers_that_only_the_training_step_compares_are_not_judged(model):
    x, y = tensors(*DIGITS)
    data = art.data(
        train=DataLoader(TensorDataset(x, y), 64, shuffle=True), validation=DataLoader(TensorDataset(x, y), 64)
    )
    diagnosis = art.diagnose(model, data, trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=60)
    judged = next(one for one in diagnosis.judged if one.code == "ART436")
    assert (judged.state, "mse_loss of the training step" in judged.reason) == ("not judged", True)
