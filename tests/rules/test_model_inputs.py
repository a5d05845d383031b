"""Inputs that a model takes and does not use."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import art_training as art

CODES = ("ART328",)
GENERATOR = torch.Generator().manual_seed(0)
X, META = torch.randn(128, 12, generator=GENERATOR), torch.randn(128, 3, generator=GENERATOR)
Y = (X[:, 0] > 0).long()


class TwoInputs(nn.Module):
    def __init__(self, used="both"):
        super().__init__()
        self.used = used
        self.body, self.side = nn.Sequential(nn.Linear(12, 8), nn.ReLU()), nn.Linear(3, 8)
        self.head = nn.Linear(16, 2)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x, meta):
        h = self.body(x)
        if self.used == "one":
            return self.head(torch.cat([h, h], 1))
        side = self.side(meta)
        if self.used == "dropped":
            return self.head(torch.cat([h, h], 1))
        if self.used == "gated":
            side = self.gate * side
        return self.head(torch.cat([h, side], 1))


class Net(L.LightningModule):
    def __init__(self, used="both", weight=0.0):
        super().__init__()
        self.net, self.auxiliary, self.weight = TwoInputs(used), nn.Linear(3, 2), weight

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch["x"], meta=batch["meta"]), batch["y"])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Tuple(Net):
    def forward(self, x, meta, y):
        return self.net(x, meta)

    def training_step(self, batch, index):
        return F.cross_entropy(self(*batch), batch[2])


class Auxiliary(Net):
    """Its second loss is switched off by a weight."""

    def training_step(self, batch, index):
        main = F.cross_entropy(self.net(batch["x"], batch["x"][:, :3]), batch["y"])
        return main + self.weight * F.cross_entropy(self.auxiliary(batch["meta"]), batch["y"])


class ByHand(Net):
    """The same with a loss of its own."""

    def training_step(self, batch, index):
        main = F.cross_entropy(self.net(batch["x"], batch["x"][:, :3]), batch["y"])
        return main + self.weight * (self.auxiliary(batch["meta"])[:, 0] - batch["y"]).square().mean()


class Unpassed(Net):
    """Nobody is given the other entry."""

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch["x"], batch["x"][:, :3]), batch["y"])


@pytest.fixture
def found(judged):
    def ask(model, data):
        return judged(model, art.data(data, batch_size=32), codes=CODES)

    return ask


NAMED = {"x": X, "meta": META, "y": Y}


@pytest.mark.parametrize("used", ["one", "dropped"])
def test_an_input_that_is_not_used_is_seen(found, used):
    seen = found(lambda: Net(used), NAMED)["ART328"]
    assert seen.evidence["entry"] == "meta"
    assert "changes the loss by 0" in seen.confirmed_by


def test_an_input_of_a_tuple_that_is_not_used_is_seen(found):
    seen = found(lambda: Tuple("one"), (X, META, Y))["ART328"]
    assert seen.evidence == {**seen.evidence, "entry": "1", "module": "TwoInputs"}
    assert "test_model_inputs.py" in seen.where


@pytest.mark.parametrize("used", ["both", "gated"])
def test_inputs_that_are_used_are_not_accused(found, used):
    assert not found(lambda: Net(used), NAMED)
    assert not found(lambda: Tuple(used), (X, META, Y))


def test_what_a_weight_switches_off_is_not_accused(found):
    assert not found(Auxiliary, NAMED)
    assert not found(ByHand, NAMED)


def test_entries_that_nobody_is_given_are_not_accused(found):
    assert not found(Unpassed, NAMED)


def test_inputs_that_are_all_alike_are_not_accused(found):
    assert not found(lambda: Net("one"), {**NAMED, "meta": torch.ones(128, 3)})
