"""Losses that a step computes and does not return."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import art_training as art

X, Y = load_digits(return_X_y=True)
INK = torch.tensor(X.sum(1), dtype=torch.float32) / 50 - 6
ROWS = TensorDataset(torch.tensor(X[:256], dtype=torch.float32) / 16, torch.tensor(Y[:256]), INK[:256])


class Two(L.LightningModule):
    """A body with two heads, of which both learn."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 32), nn.ReLU())
        self.digit, self.ink = nn.Linear(32, 10), nn.Linear(32, 1)

    def losses(self, batch):
        x, y, ink = batch
        hidden = self.body(x)
        return F.cross_entropy(self.digit(hidden), y), F.mse_loss(self.ink(hidden).squeeze(1), ink)

    def training_step(self, batch, index):
        digit, ink = self.losses(batch)
        self.log_dict({"train/digit": digit, "train/ink": ink})
        return digit + ink

    def validation_step(self, batch, index):
        self.log("loss", sum(self.losses(batch)))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


class Forgets(Two):
    def training_step(self, batch, index):
        digit, ink = self.losses(batch)
        self.log("train/ink", ink)
        return {"loss": digit}


class TakesFirst(Two):
    """Both are in one tensor, of which one is taken."""

    def training_step(self, batch, index):
        return torch.stack(self.losses(batch))[0]


class ByHand(Two):
    """A reconstruction whose loss is written by hand, and only logged."""

    def __init__(self):
        super().__init__()
        self.decoder = nn.Sequential(nn.Linear(32, 64), nn.Sigmoid())

    def training_step(self, batch, index):
        error = (self.decoder(self.body(batch[0])) - batch[0]) ** 2
        self.log("reconstruction", error.mean())
        return sum(self.losses(batch))


class LogsByName(Two):
    def training_step(self, batch, index):
        digit, ink = self.losses(batch)
        self.log_dict(dictionary={"train/digit": digit})
        self.log(value=ink, name="train/ink")
        return digit


class WeightOfZero(Two):
    def training_step(self, batch, index):
        digit, ink = self.losses(batch)
        return digit + 0.0 * ink


class InTurns(Two):
    def training_step(self, batch, index):
        return self.losses(batch)[index % 2]


class ByChance(Two):
    def training_step(self, batch, index):
        return self.losses(batch)[int(torch.rand(()) < 0.5)]


class Watched(Two):
    """A second measure of an output that learns, and a head that is watched on purpose."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(32, 1)

    def training_step(self, batch, index):
        x, _, ink = batch
        hidden = self.body(x)
        self.log("mae", F.l1_loss(self.ink(hidden).squeeze(1), ink))
        with torch.no_grad():
            self.log("spare", F.mse_loss(self.spare(hidden).squeeze(1), ink))
        return sum(self.losses(batch))


class ZeroHeads(Two):
    """Nothing reaches the body before the heads have moved."""

    def __init__(self):
        super().__init__()
        for one in (self.digit, self.ink):
            nn.init.zeros_(one.weight)


class Later(Two):
    def training_step(self, batch, index):
        digit, ink = self.losses(batch)
        return digit + ink if self.current_epoch >= 5 else digit


def data():
    return art.data(ROWS, ROWS, batch_size=32)


@pytest.mark.parametrize(
    ("model", "modules", "logged"),
    [
        (Forgets, "ink", "train/ink"),
        (LogsByName, "ink", "train/ink"),
        (TakesFirst, "ink", ""),
        (ByHand, "decoder.0", ""),
    ],
)
def test_a_loss_that_is_not_returned_is_seen(judged, model, modules, logged):
    seen = judged(model, data(), codes="ART429")["ART429"]
    assert seen.severity == "error"
    assert modules in seen.message
    assert seen.evidence["logged"] == logged or not logged
    assert "added to the loss" in seen.confirmed_by


@pytest.mark.parametrize("model", [Two, WeightOfZero, InTurns, ByChance, Watched, ZeroHeads])
def test_losses_that_count_at_times_or_are_watched_are_not_accused(judged, model):
    assert not judged(model, data(), codes="ART429")


def test_a_loss_that_may_join_in_later_is_information(judged):
    assert judged(Later, data(), codes="ART429")["ART429"].severity == "info"


def test_a_head_that_is_declared_unused_settles_it(judged):
    assert not judged(Forgets, data(), codes="ART429", unused=["ink"])


def test_several_optimisers_are_not_judged(judged):
    class Manual(Forgets):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, index):
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(super().training_step(batch, index)["loss"])
            optimizer.step()

    assert not judged(Manual, data(), codes="ART429")
