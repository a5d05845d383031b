"""Softmaxes along the examples, where classes are along another axis."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.records import Severity


def digits():
    x, y = load_digits(return_X_y=True)
    rows = TensorDataset(torch.tensor(x[:320] / 16, dtype=torch.float32), torch.tensor(y[:320]))
    return art.data(train=DataLoader(rows, batch_size=32, shuffle=True))


def scenes():
    """Images with a bright square; targets are its pixels."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(48, 1, 8, 8, generator=generator) * 0.3, torch.zeros(48, 8, 8, dtype=torch.long)
    for image, mask, (row, column) in zip(x, y, torch.randint(0, 5, (48, 2), generator=generator), strict=True):
        image[0, row : row + 3, column : column + 3] += 1
        mask[row : row + 3, column : column + 3] = 1
    return art.data(train=DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True))


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = self.build()

    def build(self):
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Pixels(Net):
    def build(self):
        return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1))


def made(loss, base=Net):
    return type("Made", (base,), {"loss": lambda self, outputs, y: loss(outputs, y)})


def brier(probabilities, y):
    return (probabilities - F.one_hot(y, 10)).square().sum(1).mean()


def dice(probabilities, mask):
    return 1 - 2 * (probabilities * mask).sum() / (probabilities.sum() + mask.sum() + 1)


def accused(found):
    return {code for code, one in found.items() if one.severity is not Severity.INFO}


@pytest.mark.parametrize(
    ("code", "model", "data"),
    [
        ("ART416", made(lambda o, y: F.cross_entropy(o, y) + brier(o.softmax(0), y)), digits),
        ("ART416", made(lambda o, y: F.cross_entropy(o, y) + brier(o.log_softmax(dim=0).exp(), y)), digits),
        ("ART416", made(lambda o, y: dice(torch.softmax(o, 0)[:, 1], y), Pixels), scenes),
        ("ART416", made(lambda o, y: dice(nn.Softmax(dim=-4)(o)[:, 1], y) + F.cross_entropy(o, y), Pixels), scenes),
        ("ART414", made(lambda o, y: F.nll_loss((o.softmax(0) + 1e-9).log(), y)), digits),
        ("ART414", made(lambda o, y: F.nll_loss(o.log_softmax(0), y), Pixels), scenes),
    ],
)
def test_a_softmax_along_the_examples_is_seen_and_confirmed(code, model, data, judged):
    found = judged(model, data())
    assert code in accused(found)
    assert found[code].confirmed_by


class OfTime(Net):
    """Scores of each step, pooled with weights along the time."""

    def build(self):
        return nn.Linear(8, 10)

    def training_step(self, batch, index):
        scores = self.net(batch[0].unflatten(1, (8, 8)))
        pooled = (scores * scores.softmax(1)).sum(1)
        steps = F.cross_entropy(scores.flatten(0, 1), batch[1].repeat_interleave(8))
        return F.cross_entropy(pooled, batch[1]) + steps


class Contrastive(Net):
    def training_step(self, batch, index):
        one, other = self.net(batch[0]), self.net(batch[0] + 0.1 * torch.randn_like(batch[0]))
        table, places = one @ other.T, torch.arange(len(one))
        both = table.softmax(0) * table.softmax(1)
        return F.cross_entropy(table, places) + F.cross_entropy(table.T, places) - both.diagonal().log().mean()


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (made(lambda o, y: F.cross_entropy(o, y) + brier(o.softmax(1), y)), digits),
        (made(lambda o, y: F.nll_loss((o.softmax(1) + 1e-9).log(), y)), digits),
        (made(lambda o, y: F.cross_entropy(o, y) + dice(o.softmax(1)[:, 1], y), Pixels), scenes),
        (made(lambda o, y: (F.cross_entropy(o, y, reduction="none").softmax(0).detach()
                            * F.cross_entropy(o, y, reduction="none")).sum()), digits),
        (OfTime, digits),
        (Contrastive, digits),
    ],
)  # fmt: skip
def test_a_softmax_along_its_classes_or_along_time_is_not_accused(model, data, judged):
    assert not accused(judged(model, data())) & {"ART414", "ART416"}
