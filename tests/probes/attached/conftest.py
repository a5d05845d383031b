"""A training by hand, which tells its moments as an engine does."""

import pytest
import torch
from torch import Tensor, nn

from art_training.probes import Moment, Monitor


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        self.head = nn.Linear(8, 1)

    def prepare(self, x: Tensor) -> Tensor:
        return (x - 1) / 2

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.prepare(x)))


def _train(model: nn.Module, watch: Monitor, steps: int, *, batch: Tensor | None = None) -> None:
    """So many steps on one batch, (n, 4), with a validation at their end."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0)) if batch is None else batch
    y = x.sum(1, keepdim=True)

    def moment(done: int) -> Moment:
        return Moment(model, (optimizer,), step=done, epoch=0, batch=(x, y))

    watch.beginning(moment(0))
    for done in range(steps):
        watch.entering(moment(done))
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        watch.differentiated(moment(done), optimizer)
        optimizer.step()
        watch.stepped(moment(done + 1))
    watch.validating(moment(steps))
    watch.predicting(moment(steps))
    with torch.no_grad():
        model(x)
    watch.validated(moment(steps))
    watch.ended(moment(steps))


def _hooks(model: nn.Module) -> int:
    """How many hooks are left on a model and its parts."""
    return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in model.modules())


@pytest.fixture
def net():
    """Makes a small model."""
    return Net


@pytest.fixture
def train():
    """Trains a model under a watch."""
    return _train


@pytest.fixture
def hooks():
    """Counts the hooks that are left."""
    return _hooks
