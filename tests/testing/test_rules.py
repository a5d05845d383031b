"""The suite for rules, on one that ART ships."""

from collections.abc import Iterable

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.rules import rule_called
from art_training.testing.rules import RuleContract


def _setup(*layers: nn.Module) -> art.Setup:
    x = torch.randn(48, 4, generator=torch.Generator().manual_seed(0))
    rows = TensorDataset(x, (x[:, 0] > 0).long())

    def made() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 2), *layers)

    net = art.from_torch(made, loss=F.cross_entropy, optimizer=torch.optim.SGD, lr=0.1)
    return art.Setup(net, art.data(DataLoader(rows, batch_size=16)), trainer={"max_epochs": 1, "accelerator": "cpu"})


@pytest.mark.slow
class TestSoftmaxBeforeCrossEntropy(RuleContract):
    rule = rule_called("ART402")

    def faulty(self) -> Iterable[art.Setup]:
        yield _setup(nn.Softmax(dim=1))

    def clean(self) -> Iterable[art.Setup]:
        yield _setup()
