"""Targets on their way into the loss: cut, held within limits, and in another order; what is meant draws no alarm."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.records import Severity

CODES = ("ART427", "ART428")


def diabetes(scale=1.0):
    x, y = load_diabetes(return_X_y=True)
    x, y = torch.tensor(x * 20, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    y = scale * (y - y.mean()) / y.std()
    return art.data(train=DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True))


def digits():
    x, y = load_digits(return_X_y=True)
    rows = TensorDataset(torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y))
    return art.data(train=DataLoader(rows, batch_size=32, shuffle=True))


class Regression(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))

    def told(self, y):
        return y

    def training_step(self, batch, index):
        return F.mse_loss(self.net(batch[0]).squeeze(1), self.told(batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


class Truncates(Regression):
    def told(self, y):
        return y.long().float()


class Rounds(Regression):
    """A module as its loss, on a column, optimised by itself."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.criterion = nn.SmoothL1Loss()

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.criterion(self.net(batch[0]), torch.round(batch[1])[:, None]))
        optimizer.step()

    def validation_step(self, batch, index):
        self.log("error", self.criterion(self.net(batch[0]).squeeze(1), batch[1]))


class Caps(Regression):
    def told(self, y):
        return y.clamp(-0.5, 0.5)


class Grades(Regression):
    def told(self, y):
        return torch.bucketize(y, torch.tensor([-1.0, 0.0, 1.0])).float()


class HighOrLow(Regression):
    def training_step(self, batch, index):
        return F.binary_cross_entropy_with_logits(self.net(batch[0]).squeeze(1), (batch[1] > 0).float())


class Logarithm(Regression):
    def told(self, y):
        return torch.log1p(y - y.min())


@pytest.mark.parametrize("model", [Truncates, Rounds])
def test_targets_that_are_cut_in_the_step_are_seen(judged, model):
    found = judged(model, diabetes(), codes=CODES)
    assert set(found) == {"ART427"}
    assert found["ART427"].severity is Severity.ERROR
    assert "to whole numbers" in found["ART427"].message
    assert found["ART427"].confirmed_by


@pytest.mark.parametrize("model", [Caps, Grades])
def test_limits_and_steps_are_told_and_no_alarm(judged, model):
    assert judged(model, diabetes(), codes=CODES)["ART427"].severity is Severity.INFO


def test_a_fraction_that_is_next_to_nothing_of_a_target_is_no_alarm(judged):
    found = judged(Truncates, diabetes(scale=10.0), codes=CODES)
    assert {one.severity for one in found.values()} <= {Severity.INFO}


@pytest.mark.parametrize("model", [Regression, HighOrLow, Logarithm])
def test_targets_that_arrive_or_are_meant_to_be_classes_are_not_accused(judged, model):
    assert not judged(model, diabetes(), codes=CODES)


class Digits(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))

    def loss(self, x, y):
        return F.cross_entropy(self.net(x), y)

    def training_step(self, batch, index):
        return self.loss(*batch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


class MixesInputs(Digits):
    def loss(self, x, y):
        return F.cross_entropy(self.net(x[torch.randperm(len(x))]), y)


class SortsTargets(Digits):
    def loss(self, x, y):
        return nn.NLLLoss()(self.net(x).log_softmax(1), y.sort().values)


class ByHand(Regression):
    """Rows turned round in what is predicted."""

    def training_step(self, batch, index):
        return F.l1_loss(self.net(batch[0].flip(0)).squeeze(1), batch[1])


class MixesBoth(Digits):
    def loss(self, x, y):
        order = torch.randperm(len(x))
        return F.cross_entropy(self.net(x[order]), y[order])


class BringsBack(Digits):
    """Sorted for the pass, and back for the loss."""

    def loss(self, x, y):
        order = x.sum(1).argsort()
        return F.cross_entropy(self.net(x[order])[order.argsort()], y)


class Mixup(Digits):
    def loss(self, x, y):
        order, share = torch.randperm(len(x)), 0.7
        logits = self.net(share * x + (1 - share) * x[order])
        return share * F.cross_entropy(logits, y) + (1 - share) * F.cross_entropy(logits, y[order])


class TwoLabels(Digits):
    """A little of another example's label in the place of smoothing."""

    def loss(self, x, y):
        logits = self.net(x)
        return 0.9 * F.cross_entropy(logits, y) + 0.1 * F.cross_entropy(logits, y[torch.randperm(len(y))])


class Agrees(Digits):
    """Which of the other views is the same picture: targets are places in the batch."""

    def loss(self, x, y):
        one, other = (F.normalize(self.net(x + 0.1 * torch.randn_like(x))) for _ in range(2))
        return F.cross_entropy(one @ other.T / 0.1, torch.arange(len(x)))


@pytest.mark.parametrize(("model", "data"), [(MixesInputs, digits), (SortsTargets, digits), (ByHand, diabetes)])
def test_predictions_that_meet_other_targets_are_seen(judged, model, data):
    found = judged(model, data(), codes=CODES)
    assert set(found) == {"ART428"}
    assert found["ART428"].severity is Severity.ERROR
    assert "of 8 pairs" in found["ART428"].message
    assert found["ART428"].confirmed_by


@pytest.mark.parametrize("model", [Digits, MixesBoth, BringsBack, Mixup, TwoLabels, Agrees])
def test_pairs_that_belong_together_are_not_accused(judged, model):
    assert not judged(model, digits(), codes=CODES)
