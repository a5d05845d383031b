"""What a model begins with: planted in several clothes and seen; zeros that are meant are not accused."""

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
    tensors = torch.tensor(x / 16, dtype=torch.float32)[:200], torch.tensor(y)[:200]
    return art.data(train=DataLoader(TensorDataset(*tensors), batch_size=32, shuffle=True))


class Net(L.LightningModule):
    """A classifier of digits whose beginning tests exchange."""

    def __init__(self):
        super().__init__()
        self.before()
        self.net = self.build()
        self.made()

    def before(self):
        pass

    def build(self):
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def made(self):
        pass

    def step(self, batch):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def training_step(self, batch, index):
        return self.step(batch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Wide(Net):
    def build(self):
        return nn.Sequential(
            nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)
        )


class Pictures(Net):
    def build(self):
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10)
        )


class Manual(Net):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.step(batch))
        optimizer.step()

    def validation_step(self, batch, index):
        return self.step(batch)


class Normed(Net):
    def build(self):
        return nn.Sequential(
            nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 10)
        )


def of(base=Net, **members):
    return type("Made", (base,), members)


def weights(function):
    """What does the same to the weights of every layer."""

    def made(self):
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                function(module)

    return made


def zeros(module):
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)


def xavier(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_normal_(module.weight, gain=1.5)


def accused(found):
    return {code for code, one in found.items() if one.severity is not Severity.INFO}


@pytest.fixture
def begun(judged):
    def found(model):
        every = judged(model, digits(), codes="ART3")
        return {code: one for code, one in every.items() if one.category == "initialization"}

    return found


@pytest.mark.parametrize(
    "model",
    [
        of(made=weights(zeros)),
        of(made=weights(lambda one: nn.init.zeros_(one.weight))),
        of(base=Wide, made=weights(lambda one: nn.init.constant_(one.weight, 0.05))),
        of(base=Pictures, made=lambda self: nn.init.zeros_(self.net[1].weight)),
    ],
)
def test_units_that_are_one_are_seen_and_confirmed_by_beginning_anew(begun, model):
    found = begun(model)["ART330"]
    assert found.severity is Severity.ERROR
    assert "where they begin as torch begins them" in found.confirmed_by


def test_constants_of_a_hidden_layer_are_a_warning_at_least(begun):
    assert "ART330" in accused(begun(of(made=lambda self: nn.init.constant_(self.net[0].weight, 0.1))))


def test_units_that_are_one_are_seen_under_manual_optimisation(begun):
    def constant(one):
        nn.init.constant_(one.weight, 0.05)
        nn.init.zeros_(one.bias)

    assert "ART330" in accused(begun(of(base=Manual, made=weights(constant))))


@pytest.mark.parametrize(
    "model",
    [
        of(base=Wide, made=weights(lambda one: nn.init.normal_(one.weight, std=2.0))),
        of(base=Wide, made=weights(lambda one: nn.init.normal_(one.weight, std=1e-4))),
        of(made=weights(lambda one: nn.init.normal_(one.weight, std=1.0))),
    ],
)
def test_weights_that_begin_far_off_are_seen_and_confirmed(begun, model):
    found = begun(model)["ART331"]
    assert found.severity is Severity.ERROR
    assert found.confirmed_by


class Declared(Net):
    """Has an initialisation of its own, which nobody calls."""

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)


class Layer(nn.Module):
    calls = False

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 32)
        if self.calls:
            self.init_weights()

    def init_weights(self):
        nn.init.kaiming_normal_(self.linear.weight)

    def forward(self, x):
        return self.linear(x)


def with_layer(kind):
    return lambda self: nn.Sequential(kind(), nn.ReLU(), nn.Linear(32, 10))


@pytest.mark.parametrize(
    "model",
    [of(before=lambda self: self.apply(xavier)), Declared, of(build=with_layer(Layer))],
)
def test_an_initialisation_that_left_no_trace_is_seen(begun, model):
    found = begun(model)["ART332"]
    assert found.severity is Severity.WARNING
    assert "test_initialization.py" in found.where
    assert found.confirmed_by


LOADED = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).state_dict()


def loaded_last(self):
    self.apply(xavier)
    self.net.load_state_dict(LOADED)


def low_rank(self):
    """An adapter whose second half begins with zeros, beside a layer that does not train."""
    self.net[0].requires_grad_(False)
    self.down, self.up = nn.Linear(64, 4, bias=False), nn.Linear(4, 32, bias=False)
    nn.init.zeros_(self.up.weight)


def adapted(self, batch):
    x = batch[0]
    return F.cross_entropy(self.net[2]((self.net[0](x) + self.up(self.down(x))).relu()), batch[1])


def gates(self):
    """Each input begins half open."""
    self.gate = nn.Parameter(torch.zeros(64, 2))


def rewarded(self, batch):
    """A loss below zero, as that of a policy with its entropy."""
    return F.cross_entropy(self.net(2 * self.gate.softmax(-1)[:, 0] * batch[0]), batch[1]) - 5


@pytest.mark.parametrize(
    "model",
    [
        Net,
        Wide,
        Pictures,
        Manual,
        of(made=gates, step=rewarded),
        Normed,
        of(made=lambda self: zeros(self.net[2])),
        of(made=lambda self: nn.init.normal_(self.net[2].weight, std=1e-3)),
        of(made=low_rank, step=adapted),
        of(made=lambda self: self.apply(xavier)),
        of(made=loaded_last),
        of(build=with_layer(type("Calling", (Layer,), {"calls": True}))),
        of(base=Wide, made=weights(lambda one: nn.init.orthogonal_(one.weight, gain=2**0.5))),
        of(base=Wide, made=weights(lambda one: nn.init.normal_(one.weight, std=0.02))),
        of(base=Normed, made=weights(lambda one: nn.init.normal_(one.weight, std=0.01))),
    ],
)
def test_beginnings_that_are_meant_are_not_accused(begun, model):
    assert not accused(begun(model))
