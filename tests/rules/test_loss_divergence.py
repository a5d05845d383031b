"""Divergences whose targets are of the other kind."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art


def digits():
    x, y = load_digits(return_X_y=True)
    rows = TensorDataset(torch.tensor(x[:240] / 16, dtype=torch.float32), torch.tensor(y[:240]))
    return art.data(train=DataLoader(rows, batch_size=40, shuffle=True))


class Student(L.LightningModule):
    """Learns from a teacher that does not train, or from smoothed labels."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        self.teacher = nn.Linear(64, 10).requires_grad_(False)

    def training_step(self, batch, index):
        x, y = batch
        return self.loss(self.net(x).log_softmax(1), self.teacher(x), F.one_hot(y, 10) * 0.9 + 0.01)

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), lr=3e-3)


def made(loss):
    return type("Made", (Student,), {"loss": lambda self, o, t, y: loss(o, t, y)})


@pytest.mark.parametrize(
    "loss",
    [
        lambda o, t, y: F.kl_div(o, t.softmax(1), reduction="batchmean", log_target=True),
        lambda o, t, y: nn.KLDivLoss(reduction="batchmean", log_target=True)(o, y),
        lambda o, t, y: F.kl_div(o.unflatten(0, (8, 5)), y.unflatten(0, (8, 5)), reduction="sum", log_target=True),
    ],
)
def test_probabilities_in_place_of_logarithms_are_seen_and_confirmed(loss, judged):
    found = judged(made(loss), digits(), codes="ART417")
    assert found["ART417"].confirmed_by


@pytest.mark.parametrize(
    "loss",
    [
        lambda o, t, y: F.kl_div(o, t.log_softmax(1), reduction="batchmean", log_target=True),
        lambda o, t, y: F.kl_div(o, t.softmax(1), reduction="batchmean"),
        lambda o, t, y: F.kl_div(t.log_softmax(1), o, reduction="batchmean", log_target=True),
        lambda o, t, y: nn.KLDivLoss(reduction="batchmean")(o, y),
    ],
)
def test_a_divergence_that_is_told_what_its_targets_are_is_not_accused(loss, judged):
    assert not judged(made(loss), digits(), codes="ART417")
