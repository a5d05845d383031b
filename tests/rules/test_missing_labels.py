"""Labels that are missing, and what a step, a dataset or a list of classes makes of them."""

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

import art_training as art

ROWS = 240


class Examples(Dataset):
    """Points of three classes, of which a quarter was never labelled."""

    def __init__(self, mark=-1, several=False):
        draws = np.random.default_rng(0)
        self.x = draws.normal(size=(ROWS, 6)).astype(np.float32)
        scores = self.x @ draws.normal(size=(6, 3)).astype(np.float32)
        labels = (scores > 0).astype(np.float32) if several else scores.argmax(1).astype(np.float32)
        missing = draws.random(labels.shape) < 0.25
        self.given = np.where(missing, mark, labels).astype(np.float32 if several or np.isnan(mark) else np.int64)

    def __len__(self):
        return ROWS

    def __getitem__(self, i):
        return self.x[i], self.given[i]


class Filled(Examples):
    """Keeps what is missing as NaN, and gives a class for it."""

    def __init__(self, fill=0, kept=False):
        super().__init__(np.nan)
        self.rows = np.flatnonzero(np.isfinite(self.given)) if kept else np.arange(ROWS)
        self.x, self.given, self.fill = self.x[self.rows], self.given[self.rows], fill

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.x[i], int(np.nan_to_num(self.given[i], nan=self.fill))


class Named(Examples):
    def __init__(self, names):
        super().__init__(3)
        self.names, self.given = names, np.minimum(self.given, len(names) - 1)


class Net(L.LightningModule):
    classes = 3

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, self.classes))

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]), batch[1])

    def loss(self, z, y):
        return F.cross_entropy(z, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


def losing(loss, **members):
    return type("Made", (Net,), {"loss": lambda self, z, y: loss(z, y), **members})


def by_hand(z, y):
    wanted = F.one_hot(y.clamp(min=0), 3).float()
    return -(wanted * z.log_softmax(1)).sum(1).mean()


def labels_of_numbers(z, y):
    return F.binary_cross_entropy_with_logits(z, torch.nan_to_num(y).clamp(min=0))


def masked(z, y):
    known = y.isfinite() & (y >= 0)
    each = F.binary_cross_entropy_with_logits(z, torch.where(known, y, 0.0), reduction="none")
    return (each * known).sum() / known.sum()


def pseudo(z, y):
    """What nobody labelled is learned as what the model finds likeliest."""
    return F.cross_entropy(z, torch.where(y < 0, z.argmax(1), y))


def splits(data):
    return art.data(data, batch_size=40)


@pytest.mark.parametrize(
    ("model", "data", "learned"),
    [
        (losing(lambda z, y: F.cross_entropy(z, y.clamp(min=0))), Examples(), 0),
        (losing(lambda z, y: F.cross_entropy(z, y % 3)), Examples(), 2),
        (losing(lambda z, y: F.nll_loss(z.log_softmax(1), torch.where(y < 0, 1, y))), Examples(-9), 1),
        (losing(by_hand), Examples(), 0),
        (losing(labels_of_numbers), Examples(several=True), 0),
        (losing(labels_of_numbers), Examples(np.nan, several=True), 0),
        (Net, Filled(), 0),
        (Net, Filled(fill=2), 2),
    ],
    ids=[
        "clamped",
        "modulo",
        "another class",
        "by hand",
        "several labels",
        "several NaN",
        "dataset",
        "dataset, last class",
    ],
)
def test_missing_labels_that_are_learned_as_a_class_are_seen(judged, model, data, learned):
    seen = judged(model, splits(data), codes="ART168")["ART168"]
    assert seen.severity == "warning"
    assert seen.evidence["class"] == learned
    assert seen.confirmed_by
    assert not judged(model, splits(data), codes="ART168", label_noise=True)


@pytest.mark.parametrize("name", ["nan", "", "None", None])
def test_a_class_whose_name_says_that_there_is_none_is_seen(judged, name):
    model = losing(F.cross_entropy, classes=4)
    assert "ART168" in judged(model, splits(Named(["ant", "bee", "cat", name])), codes="ART168")
    assert not judged(model, splits(Named(["ant", "bee", "cat", "dog"])), codes="ART168")


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (losing(lambda z, y: F.cross_entropy(z, y, ignore_index=-1)), Examples()),
        (losing(lambda z, y: F.cross_entropy(z[y >= 0], y[y >= 0])), Examples()),
        (losing(pseudo), Examples()),
        (losing(masked), Examples(several=True)),
        (losing(masked), Examples(np.nan, several=True)),
        (Net, Filled(kept=True)),
        (losing(lambda z, y: F.mse_loss(z, F.one_hot(y + 1, 4).float()[:, 1:] - 1)), Examples()),
    ],
    ids=["ignored", "dropped", "its own", "several, masked", "NaN, masked", "rows dropped", "numbers below zero"],
)
def test_labels_that_are_left_out_are_not_accused(judged, model, data):
    assert not judged(model, splits(data), codes="ART168")
