"""Gradients of several batches in one step of an optimiser."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import art_training as art

X, Y = load_digits(return_X_y=True)
DIGITS = TensorDataset(torch.tensor(X[:256], dtype=torch.float32) / 8 - 0.6, torch.tensor(Y[:256]))
X, Y = load_diabetes(return_X_y=True)
DIABETES = TensorDataset(
    torch.tensor(X[:256], dtype=torch.float32) * 20, torch.tensor((Y[:256, None] - 150) / 77, dtype=torch.float32)
)


class Adds(L.LightningModule):
    """Steps after every so many batches, on gradients that are added up."""

    def __init__(self, rate=0.5, every=8, divisor=1.0, sizes=(64, 32, 10), kind=torch.optim.SGD):
        super().__init__()
        self.automatic_optimization = False
        self.rate, self.every, self.divisor, self.kind = rate, every, divisor, kind
        self.net = nn.Sequential(nn.Linear(*sizes[:2]), nn.ReLU(), nn.Linear(*sizes[1:]))

    def loss(self, batch):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def before_step(self):
        """What is done to gradients before the optimiser steps."""

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        self.manual_backward(self.loss(batch) / self.divisor)
        if (index + 1) % self.every == 0:
            self.before_step()
            optimizer.step()
            optimizer.zero_grad()

    def validation_step(self, batch, index):
        self.log("loss", self.loss(batch))

    def configure_optimizers(self):
        return self.kind(self.parameters(), self.rate)


class Regression(Adds):
    def __init__(self, **options):
        super().__init__(sizes=(10, 32, 1), **options)

    def loss(self, batch):
        return F.mse_loss(self.net(batch[0]), batch[1])


class Averages(Adds):
    def before_step(self):
        for one in self.parameters():
            one.grad /= self.every


class Cuts(Adds):
    def before_step(self):
        nn.utils.clip_grad_norm_(self.parameters(), 0.1)


class Alternates(Adds):
    """Two losses a batch, as of a critic that sees what is real and what is made."""

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.loss(batch))
        self.manual_backward(self.loss([batch[0].flip(1), batch[1]]))
        optimizer.step()


class Parts(Adds):
    """Takes each batch apart, for the memory's sake, and steps after the last part."""

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad(set_to_none=True)
        for part in zip(batch[0].chunk(self.every), batch[1].chunk(self.every), strict=True):
            self.manual_backward(self.loss(part) / self.divisor)
        optimizer.step()


def splits(rows=DIGITS, size=8):
    return art.data(rows, rows, batch_size=size)


@pytest.mark.parametrize(
    ("model", "rows"),
    [(lambda: Adds(rate=1.0, every=16), DIGITS), (lambda: Regression(rate=0.3, every=8), DIABETES)],
    ids=["classes", "numbers"],
)
def test_a_sum_that_overshoots_where_the_mean_learns_is_seen(judged, model, rows):
    seen = judged(model, splits(rows), codes="ART526")["ART526"]
    assert seen.severity == "error"
    assert seen.evidence["divided"] < 0.97 * seen.evidence["first"]
    assert "divided by" in seen.confirmed_by


def test_a_sum_over_the_parts_of_a_batch_is_seen(judged):
    seen = judged(lambda: Parts(rate=1.0, every=16), splits(size=64), codes="ART526")["ART526"]
    assert seen.severity == "error"
    assert seen.evidence["batches"] == 16
    assert not judged(lambda: Parts(rate=1.0, every=16, divisor=16.0), splits(size=64), codes="ART526")


def test_a_sum_that_learns_is_a_choice_of_the_rate(judged):
    seen = judged(lambda: Adds(rate=0.02, every=4), splits(), codes="ART526")["ART526"]
    assert seen.severity == "info"
    assert "a choice of the learning rate" in seen.message


@pytest.mark.parametrize(
    "model",
    [
        lambda: Adds(rate=0.5, divisor=8.0),
        lambda: Adds(rate=0.5, every=1),
        lambda: Adds(rate=1e-3, kind=torch.optim.Adam),
        lambda: Averages(rate=0.5),
        lambda: Cuts(rate=0.5),
        lambda: Alternates(rate=0.5),
    ],
    ids=["divided", "each batch", "Adam", "averaged", "cut", "two losses"],
)
def test_other_accumulations_are_not_accused(judged, model):
    assert not judged(model, splits(), codes="ART526")
