"""What the step Diagnose lets people see: what enters, what depends on what, and the learning rate to come."""

import csv

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import art_training as art
from art_training.steps import Diagnose
from art_training.steps.glimpsed import DEPENDS, ENTERS, RATES
from art_training.stores.memory import MemoryStore

X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X / 16, dtype=torch.float32)[:300], torch.tensor(Y)[:300]


class Digits(L.LightningModule):
    """Prepares pictures in its forward pass, as many do; its learning rate falls by a cosine."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))

    def mixed(self, x):
        return x

    def forward(self, x):
        return self.net(self.mixed(2 * x.view(-1, 1, 8, 8) - 1))

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", self.training_step(batch, index))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class Mixing(Digits):
    """Subtracts the mean picture of the batch from each."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), Centred(), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(0, keepdim=True)


class Text(L.LightningModule):
    """Predicts the next token of a sequence."""

    causal = True

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 16)
        self.attend = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 12)

    def forward(self, tokens):
        z = self.embed(tokens)
        mask = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).triu(1) if self.causal else None
        return self.head(z + self.attend(z, z, z, attn_mask=mask, need_weights=False)[0])

    def training_step(self, batch, index):
        tokens = batch["tokens"]
        return F.cross_entropy(self(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    def validation_step(self, batch, index):
        self.log("val_loss", self.training_step(batch, index))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Looking(Text):
    causal = False


def pictures():
    return art.data(train=(X[:240], Y[:240]), validation=(X[240:300], Y[240:300]), batch_size=24)


def sentences():
    generator = torch.Generator().manual_seed(0)
    rows = {"tokens": torch.randint(1, 12, (64, 9), generator=generator)}
    return art.data(train=rows, validation=rows, batch_size=16)


def seen(model, data, **options):
    """Readings by name and artifacts by name of a step that looks."""
    setup = art.Setup(model, data, trainer={"max_epochs": 2, "accelerator": "cpu"})
    store = MemoryStore()
    result = art.ArtProject("look", setup, steps=[Diagnose(budget=120, **options)], store=store).run()
    outcome = result["Diagnose"].outcome
    found = {one.name: store.artifacts.fetch(one.digest) for one in outcome.artifacts}
    return {one.name: one.value for one in outcome.readings}, found


@pytest.mark.slow
def test_exactly_what_the_first_layer_is_given_is_kept_as_numbers_and_as_a_picture():
    readings, files = seen(Digits, pictures())
    entering = readings[ENTERS]
    assert entering["layer"] == "net.0"
    assert entering["shape of an example"] == [1, 8, 8]
    assert (entering["smallest"], entering["largest"]) == (-1, 1)  # after what the forward pass makes of 0 to 1
    rows = list(csv.DictReader(files["enters.csv"].read_text().splitlines()))
    first = np.array([float(value) for name, value in rows[0].items() if name != "example"])
    assert any(np.allclose(first, 2 * one.numpy() - 1) for one in X)
    assert files["enters.png"].stat().st_size > 1_000


@pytest.mark.slow
@pytest.mark.parametrize(("model", "others"), [(Digits, False), (Mixing, True)])
def test_gradients_say_whose_input_a_prediction_depends_on(model, others):
    readings, files = seen(model, pictures())
    depends = readings[DEPENDS]
    assert depends["examples: own input"] > 0
    assert (depends["examples: others' inputs, at most"] > 0) is others
    assert files["dependence.png"].stat().st_size > 1_000


@pytest.mark.slow
@pytest.mark.parametrize(("model", "later"), [(Text, False), (Looking, True)])
def test_gradients_say_whether_a_position_sees_later_ones_and_tokens_are_decoded(model, later):
    readings, files = seen(model, sentences(), decode=lambda row: " ".join(f"t{one}" for one in row))
    assert (readings[DEPENDS]["positions: later inputs, at most"] > 0) is later
    rows = list(csv.DictReader(files["enters.csv"].read_text().splitlines()))
    assert rows[0]["decoded"].split() == [f"t{rows[0][str(place)]}" for place in range(8)]


@pytest.mark.slow
def test_the_learning_rate_of_the_whole_training_is_laid_out():
    readings, files = seen(Digits, pictures())
    course = readings[RATES]["CosineAnnealingLR"]
    assert course["steps"] == 20  # two epochs of ten batches
    assert course["highest"] == 0.1
    expected = 0.05 * (1 + np.cos(np.pi * np.arange(20) / 20))
    assert np.allclose([rate for _, rate in course["rates"]], expected)
    assert files["learning-rate.png"].stat().st_size > 1_000
