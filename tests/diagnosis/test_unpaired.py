"""Predictions that are compared each with every target: refused by a setup, and found by its diagnosis."""

import lightning
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.errors import Unpaired
from art_training.records import Severity


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(10, 1)

    def forward(self, x):
        return self.layer(x).squeeze(1)


class Column(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(10, 1)

    def training_step(self, batch, index):
        return F.mse_loss(self.layer(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class ByHand(Column):
    def training_step(self, batch, index):
        return ((self.layer(batch[0]) - batch[1]) ** 2).mean()


def data(*, column):
    x = torch.randn(96, 10, generator=torch.Generator().manual_seed(0))
    y = x @ torch.linspace(-1, 1, 10)
    rows = TensorDataset(x, y[:, None] if column else y)
    return art.data(
        train=DataLoader(rows, batch_size=16, shuffle=True),
        validation=DataLoader(TensorDataset(x + 1, rows.tensors[1])),
    )


@pytest.mark.filterwarnings("error:Using a target size")
@pytest.mark.parametrize("model", [Column, ByHand])
def test_a_lightning_module_that_compares_a_column_with_a_row_is_refused_before_anything_is_trained(model):
    setup = art.Setup(model, data(column=False), trainer={"max_epochs": 1, "accelerator": "cpu"})
    with pytest.raises(Unpaired, match=r"shape \(16, 1\) and the target \(16,\).*squeeze"):
        print(setup.task)


@pytest.mark.slow
def test_what_a_training_would_refuse_is_a_finding_of_its_diagnosis():
    found = art.diagnose(
        Flat,
        data(column=True),
        loss=lambda prediction, target: ((prediction - target) ** 2).mean(),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
        trainer={"max_epochs": 1, "accelerator": "cpu"},
        budget=120,
    )
    one = next(one for one in found.findings if one.code == "ART420")
    assert (found.status, one.severity) == ("findings", Severity.ERROR)
    assert one.confirmed_by
    assert not found.broken
