"""What is seen of the layers of a real training."""

import gc
import math

import pytest
import torch
from torch import Tensor, nn

from art_training.probes import Moment
from art_training.probes.layers import Layers


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.act = nn.ReLU()
        self.squash = nn.Tanh()
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.squash(self.act(self.first(x))))


def train(model: nn.Module, watch: Layers, steps: int, *, lr: float = 0.1, spoil: bool = False) -> None:
    """A training by hand, which tells its moments as an engine does."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))

    def moment(done: int) -> Moment:
        return Moment(model, (optimizer,), step=done, epoch=done // 10)

    watch.beginning(moment(0))
    for done in range(steps):
        watch.entering(moment(done))
        optimizer.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        if spoil:
            next(model.parameters()).grad.fill_(math.inf)
        watch.differentiated(moment(done), optimizer)
        if not spoil:
            optimizer.step()
        watch.stepped(moment(done + 1))
    watch.ended(moment(steps))


def test_gradients_updates_and_outputs_are_told_of_each_layer():
    torch.manual_seed(0)
    model, watch = Body(), Layers()
    before = torch.cat([model.first.weight.flatten(), model.first.bias]).detach().clone()
    train(model, watch, 1)
    told = {(statistic, layer): value for statistic, layer, *_, value in watch.take()}
    after = torch.cat([model.first.weight.flatten(), model.first.bias]).detach()
    grad = torch.cat([model.first.weight.grad.flatten(), model.first.bias.grad])
    assert told["grad_norm", "first"] == pytest.approx(float(grad.norm()))
    assert told["update_ratio", "first"] == pytest.approx(float((after - before).norm() / after.norm()), rel=1e-4)
    assert {layer for statistic, layer in told if statistic == "activation_rms"} == {"first", "act", "squash", "head"}
    assert told["silent_units", "act"] <= 0.5
    assert ("saturated_units", "squash") in told
    assert watch.take() == []


def test_it_looks_ever_more_rarely_and_its_hooks_are_gone_in_between():
    model, watch = Body(), Layers()
    seen = []
    model.first.register_forward_hook(lambda *_: seen.append(len(model.first._forward_hooks)))
    train(model, watch, 100)
    steps = sorted({step for _, _, step, _, _ in watch.take()})
    assert steps[:5] == [1, 2, 3, 5, 8]
    assert steps[-1] > 70
    assert len(steps) < 12
    assert seen.count(2) == len(steps)
    assert len(model.first._forward_hooks) == 1


def test_weights_are_the_same_with_it_and_without():
    trained = []
    for watch in (Layers(), None):
        torch.manual_seed(0)
        model = Body()
        train(model, watch or Layers(), 0 if watch is None else 5)
        if watch is None:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
            for _ in range(5):
                optimizer.zero_grad()
                (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
                optimizer.step()
        trained.append([one.detach().clone() for one in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*trained, strict=True))


def test_silent_units_and_ends_of_a_range_are_seen():
    torch.manual_seed(0)
    model, watch = Body(), Layers()
    with torch.no_grad():
        model.first.bias[:6] = -1e3  # six of eight units are never above 0
        model.first.bias[6:] = 1e3  # and the others are far above 1
    train(model, watch, 1, lr=0.0)
    told = {(statistic, layer): value for statistic, layer, *_, value in watch.take()}
    assert told["silent_units", "act"] == 0.75
    assert told["saturated_units", "squash"] == 0.25
    assert told["update_ratio", "first"] == 0.0


def test_no_gradient_is_told_as_zero_and_frozen_layers_are_not_told():
    class Unused(Body):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Linear(2, 2)
            self.frozen = nn.Linear(2, 2).requires_grad_(False)

    watch = Layers()
    train(Unused(), watch, 1)
    told = {layer: value for statistic, layer, *_, value in watch.take() if statistic == "grad_norm"}
    assert told["spare"] == 0.0
    assert "frozen" not in told


def test_a_step_that_a_scaler_left_out_is_not_told():
    watch = Layers()
    train(Body(), watch, 5, spoil=True)
    assert watch.take() == []


def test_sequences_have_their_units_in_the_last_axis_and_images_in_the_second():
    class Shaped(nn.Module):
        def __init__(self, shape: tuple[int, ...]) -> None:
            super().__init__()
            self.scale = nn.Linear(4, 1)
            self.act = nn.ReLU()
            self.shape = shape

        def forward(self, x: Tensor) -> Tensor:
            units = torch.ones(self.shape)
            units[(slice(None),) * self.axis + (slice(0, 2),)] = -1
            return self.scale(x) + self.act(units * self.scale(x).square().mean()).mean()

    for shape, axis in (((32, 5, 8), 2), ((32, 8, 5, 5), 1)):
        watch, model = Layers(), Shaped(shape)
        model.axis = axis
        train(model, watch, 1)
        told = {statistic: value for statistic, layer, *_, value in watch.take() if layer == "act"}
        assert told["silent_units"] == 0.25


def test_of_a_very_deep_model_some_layers_are_followed():
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(250)), nn.Linear(4, 1))
    watch = Layers()
    train(model, watch, 1)
    layers = {layer for _, layer, *_ in watch.take()}
    assert 50 < len(layers) <= 100
    assert "0" in layers


def test_what_raises_in_a_look_ends_the_watch_and_not_the_training(monkeypatch):
    watch, model = Layers(), Body()
    monkeypatch.setattr("art_training.probes.layers._statistics", lambda *_: 1 / 0)
    train(model, watch, 3)
    assert "ZeroDivisionError" in watch.failure
    assert not model.first._forward_hooks


def test_a_training_that_raises_leaves_no_hooks_behind():
    model = Body()
    watch = Layers()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch.beginning(Moment(model, (optimizer,), step=0, epoch=0))
    watch.entering(Moment(model, (optimizer,), step=0, epoch=0))
    assert model.first._forward_hooks
    del watch
    gc.collect()
    assert not model.first._forward_hooks


def test_compiled_models_are_not_hooked():
    model, watch = Body(), Layers()
    model.head.compile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch.beginning(Moment(model, (optimizer,), step=0, epoch=0))
    watch.entering(Moment(model, (optimizer,), step=0, epoch=0))
    assert not model.first._forward_hooks
