"""Losses of examples with several labels, and models that keep what belongs to another batch."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits, make_multilabel_classification
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art

CODES = ("ART445", "ART446", "ART329")


def documents(seed=0, labels=2, classes=5):
    x, y = make_multilabel_classification(300, 20, n_classes=classes, n_labels=labels, random_state=seed)
    return TensorDataset(torch.tensor(x, dtype=torch.float32).log1p(), torch.tensor(y))


def digits_two_by_two():
    """Pictures of two digits, which are the labels."""
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    both = F.one_hot(y[:400], 10) | F.one_hot(y[400:800], 10)
    return [{"image": torch.cat([a, b]), "which": which} for a, b, which in zip(x[:400], x[400:800], both, strict=True)]


def data(rows, *, shuffle=True):
    return art.data(train=DataLoader(rows, batch_size=30, shuffle=shuffle))


class Topics(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 5))

    def loss(self, logits, y):
        return F.binary_cross_entropy_with_logits(logits, y.float())

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Competing(Topics):
    def loss(self, logits, y):
        return F.binary_cross_entropy(logits.softmax(dim=1), y.float())


class Apart(Topics):
    def loss(self, logits, y):
        return F.binary_cross_entropy(logits.sigmoid(), y.float())


class First(Topics):
    def loss(self, logits, y):
        return F.cross_entropy(logits, y.argmax(1))


class Soft(Topics):
    """Shares the probability among the labels, as a model of which label is drawn does."""

    def loss(self, logits, y):
        return F.cross_entropy(logits, y.float() / y.sum(1, keepdim=True).clamp(min=1))


class Pictures(Topics):
    last = "sigmoid"

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))

    def training_step(self, batch, index):
        made = nn.Softmax(dim=-1) if self.last == "softmax" else nn.Sigmoid()
        return nn.BCELoss()(made(self.net(batch["image"])), batch["which"].float())


class CompetingPictures(Pictures):
    last = "softmax"


class FirstPicture(Pictures):
    def training_step(self, batch, index):
        return F.nll_loss(F.log_softmax(self.net(batch["image"]), 1), batch["which"].max(1).indices)


@pytest.mark.parametrize(
    ("model", "rows", "code"),
    [
        (Competing, documents, "ART445"),
        (CompetingPictures, digits_two_by_two, "ART445"),
        (First, documents, "ART446"),
        (FirstPicture, digits_two_by_two, "ART446"),
    ],
)
def test_labels_that_compete_and_labels_that_are_lost_are_seen(judged, model, rows, code):
    found = judged(model, data(rows()), codes=CODES)
    assert list(found) == [code]
    assert found[code].confirmed_by
    assert "test_loss_labels.py" in found[code].where


@pytest.mark.parametrize("model", [Topics, Apart, Soft])
def test_several_labels_that_are_learned_are_not_accused(judged, model):
    assert not judged(model, data(documents()), codes=CODES)


def test_one_label_a_row_may_be_an_argmax_or_a_softmax(judged):
    x, y = documents().tensors
    alone = TensorDataset(x, F.one_hot(y.argmax(1), 5))
    assert not judged(First, data(alone), codes=CODES)
    assert not judged(Competing, data(alone), codes=CODES)


class Waves(L.LightningModule):
    """Tells waves apart; `keeps` carries the state of one batch into the next."""

    keeps = False

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 16, batch_first=True)
        self.head = nn.Linear(16, 2)
        self.state = None

    def forward(self, x):
        start = self.state if self.keeps and self.state is not None and self.state.shape[1] == len(x) else None
        states, end = self.gru(x, start)
        self.state = end.detach()
        return self.head(states[:, -1])

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Keeps(Waves):
    keeps = True


class Centred(Topics):
    """Subtracts what it saw last, of a table."""

    def training_step(self, batch, index):
        x, y = batch
        before = getattr(self, "before", x.mean(0))
        self.before = x.mean(0)
        return self.loss(self.net(x - before), y)


def waves():
    generator = torch.Generator().manual_seed(0)
    kind = torch.randint(2, (240,), generator=generator)
    phase = 6.28 * torch.rand(240, 1, generator=generator)
    x = torch.sin((0.4 + 0.4 * kind)[:, None] * torch.arange(20) + phase)
    return TensorDataset(x[..., None] + 0.2 * torch.randn(240, 20, 1, generator=generator), kind)


@pytest.mark.parametrize(("model", "rows"), [(Keeps, waves), (Centred, documents)])
def test_what_is_kept_of_the_batch_before_is_seen(judged, model, rows):
    found = judged(model, data(rows()), codes=CODES)
    assert list(found) == ["ART329"]
    assert "behind another" in found["ART329"].confirmed_by


def test_states_that_begin_anew_or_are_carried_on_in_order_are_not_accused(judged):
    assert not judged(Waves, data(waves()), codes=CODES)
    assert not judged(Keeps, data(waves(), shuffle=False), codes=CODES)
