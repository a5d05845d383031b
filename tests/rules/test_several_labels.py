"""Tasks in which a row may have several labels."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import art_training as art

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(400, 8, generator=GENERATOR)
Y = (X[:, :5] + 0.5 * torch.randn(400, 5, generator=GENERATOR) > 0.5).float()


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 5))

    def loss(self, batch):
        return F.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1])

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Named(Net):
    def loss(self, batch):
        return F.binary_cross_entropy(self.net(batch["x"]).sigmoid(), batch["tags"])


def found(model, train, validation, **declared):
    diagnosis = art.diagnose(
        model,
        art.data(train, validation, batch_size=64),
        trainer={"max_epochs": 1, "accelerator": "cpu"},
        budget=120,
        **declared,
    )
    return [one for one in diagnosis.findings + sum(diagnosis.symptoms.values(), ()) if one.code == "ART166"]


def filled(y, value, column=3):
    y = y.clone()
    y[:, column] = value
    return y


@pytest.mark.parametrize("value", [0, 1])
def test_a_column_that_training_lost_is_seen(value):
    (seen,) = found(Net, (X[:300], filled(Y[:300], value)), (X[300:], Y[300:]))
    assert seen.severity == "error"
    assert seen.evidence["label"] == 3
    assert "divided at random" in seen.confirmed_by


def test_a_column_that_both_splits_lost_is_seen_in_named_batches():
    y = filled(Y, 0)
    (seen,) = found(Named, {"x": X[:300], "tags": y[:300]}, {"x": X[300:], "tags": y[300:]})
    assert seen.severity == "warning"
    assert not found(Net, (X[:300], y[:300]), (X[300:], y[300:]), reserved_classes=[3])


def test_labels_and_rare_labels_are_not_accused():
    assert not found(Net, (X[:300], Y[:300]), (X[300:], Y[300:]))
    rare = filled(filled(Y, 0), 0, column=1)
    rare[:2, 1] = 1
    rare[350, 3] = 1
    assert not found(Net, (X[:300], rare[:300]), (X[300:], rare[300:]))
