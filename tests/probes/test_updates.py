"""How much of what steps mean to add arrives in weights of half precision."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from art_training.probes.monitor import Moment
from art_training.probes.updates import Updates
from art_training.records import Severity
from art_training.rules import Laboratory
from art_training.rules.optimizer_updates import updates_lost


class Stochastic(torch.optim.Optimizer):
    """Gradient descent that rounds up or down by chance, so that nothing is lost on average."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for one in group["params"]:
                bits = (one.float() - group["lr"] * one.grad.float()).view(torch.int32)
                if one.dtype is torch.bfloat16:
                    bits = (bits + torch.randint(0, 1 << 16, bits.shape, dtype=torch.int32)) & -65536
                one.copy_(bits.view(torch.float32))


def watched(make, dtype, steps=12):
    """What is seen of a classifier of digits, and the rule's finding if there is one."""
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=dtype), torch.tensor(y)
    module = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(dtype)
    optimizer, watch = make(module.parameters()), Updates()
    watch.beginning(Moment(module, [optimizer], 0, 0))
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(module(x).float(), y).backward()
        optimizer.step()
    watch.ended(Moment(module, [optimizer], steps, 0))
    assert not watch.failure, watch.failure
    laboratory = Laboratory()
    laboratory.lay_down(watch)
    return watch, [*updates_lost.judge(laboratory)]


def kept(watch):
    return sum(one.done for one in watch.parameters.values()) / sum(one.meant for one in watch.parameters.values())


def test_steps_of_which_less_than_half_arrives_are_told():
    watch, found = watched(lambda p: torch.optim.AdamW(p, 1e-4), torch.bfloat16)
    assert 0.1 < kept(watch) < 0.5
    assert found[0].severity is Severity.WARNING
    assert "rounded away" in found[0].confirmed_by


def test_steps_of_which_next_to_none_arrives_are_an_error():
    _, found = watched(lambda p: torch.optim.AdamW(p, 1e-5), torch.bfloat16)
    assert found[0].severity is None
    assert "in single precision" in found[0].confirmed_by


@pytest.mark.parametrize(
    "make",
    [lambda p: torch.optim.AdamW(p, 3e-3), lambda p: torch.optim.SGD(p, 0.1, 0.9), lambda p: Stochastic(p, 1e-3)],
)
def test_steps_that_arrive_are_no_finding(make):
    watch, found = watched(make, torch.bfloat16)
    assert kept(watch) > 0.7
    assert not found


def test_weights_of_single_precision_are_not_tried():
    watch, found = watched(lambda p: torch.optim.AdamW(p, 1e-4), torch.float32)
    assert not any(one.meant for one in watch.parameters.values())
    assert not found
