"""Losses that weigh the chances of actions with what these earned."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F

import art_training as art

CODES = ("ART444",)
GENERATOR = torch.Generator().manual_seed(0)
STATE, ACTION = torch.randn(256, 6, generator=GENERATOR), torch.randint(4, (256,), generator=GENERATOR)
REWARD = torch.rand(256, generator=GENERATOR)


class Policy(L.LightningModule):
    def __init__(self, sign=1.0, net=None):
        super().__init__()
        self.sign = sign
        self.net = net or nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))

    def training_step(self, batch, index):
        state, action, reward = batch
        chosen = torch.log_softmax(self.net(state), 1).gather(1, action.unsqueeze(1)).squeeze(1)
        return self.sign * (chosen * reward).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Named(Policy):
    """Logged decisions with an advantage, by a distribution."""

    def training_step(self, batch, index):
        chances = Categorical(logits=self.net(batch["state"]))
        earned = batch["reward"] - batch["reward"].mean()
        return self.sign * (chances.log_prob(batch["action"]) * earned).sum() - 0.0 * chances.entropy().mean()


class Costs(Policy):
    def training_step(self, batch, index):
        state, action, cost = batch
        return (torch.log_softmax(self.net(state), 1).gather(1, action.unsqueeze(1)).squeeze(1) * cost).mean()


class Values(Policy):
    """Learns what actions earn."""

    def training_step(self, batch, index):
        state, action, reward = batch
        return F.mse_loss(self.net(state).gather(1, action.unsqueeze(1)).squeeze(1), reward)


@pytest.fixture
def found(judged):
    def ask(model, data):
        return judged(model, art.data(data, batch_size=32), codes=CODES)

    return ask


TUPLE = STATE, ACTION, REWARD
NAMED = {"state": STATE, "action": ACTION, "reward": REWARD}


def test_a_missing_minus_is_seen(found):
    seen = found(Policy, TUPLE)["ART444"]
    assert seen.evidence["called"] == "reward"
    assert "with the other sign" in seen.confirmed_by
    assert "ART444" in found(Named, NAMED)


def test_rewards_that_are_sought_are_not_accused(found):
    assert not found(lambda: Policy(-1.0), TUPLE)
    assert not found(lambda: Named(-1.0), NAMED)


def test_costs_and_values_are_not_accused(found):
    assert not found(Costs, TUPLE)
    assert not found(Values, TUPLE)
