"""Rules on NaN and infinity: each fault in two kinds of clothes is seen with its place, and what resembles it is not accused."""

import warnings

import lightning as L
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art

TRAINER = {"max_epochs": 2, "accelerator": "cpu"}


def digits(change=lambda x: x):
    x, y = load_digits(return_X_y=True)
    x, y = change(torch.tensor(x / 16, dtype=torch.float32)[:400]), torch.tensor(y)[:400]
    return (
        DataLoader(TensorDataset(x[:320], y[:320]), batch_size=32, shuffle=True),
        DataLoader(TensorDataset(x[320:], y[320:]), batch_size=40),
    )


def diabetes(change=lambda x: x):
    x, y = load_diabetes(return_X_y=True)
    x, y = (
        change(torch.tensor(x * 20, dtype=torch.float32)),
        torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32),
    )
    return (
        DataLoader([{"x": a, "y": b} for a, b in zip(x[:352], y[:352], strict=True)], batch_size=32, shuffle=True),
        DataLoader([{"x": a, "y": b} for a, b in zip(x[352:], y[352:], strict=True)], batch_size=30),
    )


def codes(model, data=None, *, starting="ART9", severe=True, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnosis = art.diagnose(model, data or digits(), **{"trainer": TRAINER, "budget": 120, **options})
    reasons = [one.reason for one in diagnosis.judged if one.state == "not judged" and one.code.startswith(starting)]
    assert not [one for one in reasons if "raised" in one], reasons
    found = [*diagnosis.findings, *(one for many in diagnosis.symptoms.values() for one in many)]
    return {one.code: one for one in found if one.code.startswith(starting) and (not severe or one.severity != "info")}


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def loss(self, batch):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Regression(Net):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))

    def loss(self, batch):
        return F.mse_loss(self.net(batch["x"])[:, 0], batch["y"])


class LogOfZero(Net):
    def loss(self, batch):
        hidden = self.net[:2](batch[0])
        return F.cross_entropy(self.net[2](hidden), batch[1]) - 0.01 * torch.log(hidden).mean()


class DividesByZero(Regression):
    def loss(self, batch):
        error = self.net(batch["x"])[:, 0] - batch["y"]
        return ((error - error) / (error - error)).mean() + error.square().mean()


class RootOfZero(Net):
    """The loss is finite and the derivative of the root is not."""

    def loss(self, batch):
        z = self.net(batch[0])
        return F.cross_entropy(z, batch[1]) + (z - z.detach()).square().sum(1).sqrt().mean()


class NormOfZero(Regression):
    """Manual optimisation; only the gradient shows it."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        hidden = self.net[:2](batch["x"])
        penalty = torch.sqrt((hidden * 0).square().sum(1)).mean()
        self.manual_backward(self.loss(batch) + penalty)
        optimizer.step()


class Half(Net):
    """Large activations in half precision."""

    def loss(self, batch):
        hidden = (self.net[:2](batch[0]).half() * 3000).float()
        scaled = (hidden.half() * 50).float()
        return F.cross_entropy(self.net[2](scaled), batch[1])


class Diverging(Regression):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e6)


class Masked(Net):
    """Masks of -inf are no fault."""

    def loss(self, batch):
        scores = self.net(batch[0])
        hidden = scores.masked_fill(torch.arange(10) > 9, float("-inf"))
        weights = torch.softmax(hidden.masked_fill(torch.eye(10)[batch[1]] < -1, -torch.inf), dim=1)
        return F.nll_loss(torch.log(weights + 1e-9), batch[1])


class SafeRoot(Net):
    def loss(self, batch):
        z = self.net(batch[0])
        return F.cross_entropy(z, batch[1]) + ((z - z.detach()).square().sum(1) + 1e-12).sqrt().mean()


class KnowsOfMissing(Net):
    def loss(self, batch):
        return F.cross_entropy(self.net(torch.nan_to_num(batch[0])), batch[1])


def with_missing(x):
    x = x.clone()
    x[7::40, 3] = torch.nan
    return x


@pytest.mark.parametrize(
    ("model", "data", "operation"),
    [(LogOfZero, digits, "log"), (DividesByZero, diabetes, "div"), (RootOfZero, digits, "sqrt")],
)
def test_the_operation_and_its_line_are_told(model, data, operation):
    found = codes(model, data())["ART910"]
    assert operation in found.message
    assert found.where.rpartition(":")[0] == __file__


def test_a_gradient_that_is_no_number_is_seen_in_the_training_of_a_step_that_optimises_by_itself():
    found = codes(NormOfZero, diabetes())
    assert {"ART910", "ART912"} & set(found), found


def test_an_overflow_of_half_precision_is_confirmed_in_single_precision():
    found = codes(Half)["ART910"]
    assert "half precision" in found.message
    assert "in single precision" in found.confirmed_by


def test_a_loss_that_grows_out_of_all_numbers_is_told_with_its_batch():
    found = codes(Diverging, diabetes())["ART911"]
    assert "optimiser steps" in found.message


@pytest.mark.parametrize(("model", "data"), [(Net, digits), (Regression, diabetes)])
def test_rows_with_missing_numbers_are_counted_and_the_experiment_confirms(model, data):
    found = codes(model, data(with_missing))["ART915"]
    assert found.evidence["train"] == 8 if data is digits else 9
    assert "with one NaN planted" in found.confirmed_by or model is Regression


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Net, digits()),
        (Regression, diabetes()),
        (Masked, digits()),
        (SafeRoot, digits()),
        (KnowsOfMissing, digits(with_missing)),
    ],
)
def test_what_resembles_it_is_not_accused(model, data):
    assert not codes(model, data)
