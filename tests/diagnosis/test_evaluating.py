"""Metrics of a validation that computes no loss are judged by what the step of training compares."""

import random

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, Sampler, SequentialSampler, TensorDataset

import art_training as art

pytestmark = pytest.mark.filterwarnings("ignore:The `srun` command")


def digits(batch_size=33):
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    train, validation = TensorDataset(x[:300], y[:300]), TensorDataset(x[300:500], y[300:500])
    return DataLoader(train, batch_size=50, shuffle=True), DataLoader(validation, batch_size=batch_size)


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    x, y = torch.tensor(x / 0.0476, dtype=torch.float32), torch.tensor((y - 152) / 77, dtype=torch.float32)
    return DataLoader(TensorDataset(x[:300], y[:300]), 20, shuffle=True), DataLoader(TensorDataset(x[300:], y[300:]), 5)


def found(model, data):
    result = art.diagnose(model, data, trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=120)
    assert not result.broken
    return [one for one in result.findings if one.severity.value != "info" and one.category == "metrics"]


class Ten(L.LightningModule):
    """Validation keeps what it needs and computes no loss."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
        self.kept = []

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.kept.append((self.net(batch[0]).argmax(1) == batch[1]).float())

    def on_validation_epoch_end(self):
        self.log("acc", torch.cat(self.kept).mean())
        self.kept.clear()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class MeanOfMeans(Ten):
    def on_validation_epoch_end(self):
        self.log("acc", float(np.mean([one.mean().item() for one in self.kept])))
        self.kept.clear()


class Five(Ten):
    """Tells digits from 5 on by one logit; sklearn ranks."""

    def training_step(self, batch, index):
        return F.binary_cross_entropy_with_logits(self.net(batch[0])[:, 0], (batch[1] > 4).float())

    def score(self, logit):
        return logit.sigmoid()

    def validation_step(self, batch, index):
        self.kept.append((batch[1] > 4, self.score(self.net(batch[0])[:, 0])))

    def on_validation_epoch_end(self):
        targets, scores = (torch.cat(one).numpy() for one in zip(*self.kept, strict=True))
        self.log("auc", float(roc_auc_score(targets, scores)))
        self.kept.clear()


class RanksDecisions(Five):
    def score(self, logit):
        return (logit > 0).float()


class Progress(L.LightningModule):
    """The loss is written by hand."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
        self.squares = []

    def training_step(self, batch, index):
        return (self.net(batch[0]) - batch[1]).pow(2).mean()

    def validation_step(self, batch, index):
        self.squares.append((self.net(batch[0]) - batch[1]).pow(2))

    def on_validation_epoch_end(self):
        self.log("rmse", torch.cat(self.squares).mean().sqrt())
        self.squares.clear()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class RootOfEachBatch(Progress):
    def on_validation_epoch_end(self):
        self.log("rmse", torch.stack([one.mean().sqrt() for one in self.squares]).mean())
        self.squares.clear()


@pytest.mark.parametrize(
    ("wrong", "right", "data", "code"),
    [
        (MeanOfMeans, Ten, digits, "ART710"),
        (RootOfEachBatch, Progress, diabetes, "ART710"),
        (RanksDecisions, Five, digits, "ART712"),
    ],
)
def test_a_validation_without_a_loss_is_judged_by_what_training_compares(wrong, right, data, code):
    (one,) = found(wrong, data())
    assert one.code == code
    assert one.confirmed_by
    assert not found(right, data())


class Shuffled(Sampler):
    """Draws from the machine, by a generator that has no state."""

    def __init__(self, rows):
        self.rows, self.generator = rows, random.SystemRandom()

    def __len__(self):
        return self.rows

    def __iter__(self):
        return iter(self.generator.sample(range(self.rows), self.rows))


def test_a_generator_without_a_state_and_a_batch_sampler_of_torch_are_taken_as_they_are():
    train, validation = (one.dataset for one in digits())
    batches = BatchSampler(SequentialSampler(validation), 33, drop_last=False)
    data = DataLoader(train, 50, sampler=Shuffled(len(train))), DataLoader(validation, batch_sampler=batches)
    result = art.diagnose(Ten, data, trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=120)
    assert not result.broken
    assert [one.code for one in result.findings if one.severity.value != "info"] == ["ART810"]
