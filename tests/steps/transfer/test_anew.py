"""What an earlier transfer handed on is taken back, all of it or what is named, and nothing else of the setup."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import art_training as art
from art_training.engines.lightning import LightningEngine
from art_training.setup.setup import Setup
from art_training.setup.variant import Variant
from art_training.steps.transfer.anew import anew, from_scratch
from art_training.steps.transfer.begin import Begin
from art_training.stores.artifacts import file_digest


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def doubled(module: Any) -> Any:
    """A modifier of the user's own, which stays."""
    with torch.no_grad():
        module.body.bias.fill_(7.0)
    return module


def setup() -> Setup:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=0.1)
    return art.Setup(model=model, data=art.data((torch.randn(8, 4), torch.arange(8) % 2), batch_size=4))


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    torch.manual_seed(99)
    given = Net().state_dict()
    path = tmp_path / "weights.pt"
    torch.save(given, path)
    return Begin(path, file_digest(path)[0], {f"model.{name}": name for name in given})


def weights(of: Setup) -> Any:
    return LightningEngine().fresh_weights(of, seed=3)


def differing(one: Any, other: Any) -> set[str]:
    return {name for name in one if not torch.equal(one[name], other[name])}


def test_a_setup_to_which_nothing_was_handed_on_is_itself() -> None:
    plain, modified = setup(), Variant(model=doubled).apply(setup())
    for one in (plain, modified):
        assert from_scratch(one) is one
        assert anew(one, ["model.head.weight"]) is one


def test_from_scratch_is_the_setups_own_fresh_model_whatever_was_handed_on(begin: Begin) -> None:
    handed = Variant(model=begin).apply(setup())
    assert differing(weights(handed), weights(setup())) == set(weights(setup()))
    assert not differing(weights(from_scratch(handed)), weights(setup()))
    twice = Variant(model=begin).apply(Variant(model=doubled).apply(handed))
    assert not differing(weights(from_scratch(twice)), weights(Variant(model=doubled).apply(setup())))


def test_what_is_named_is_drawn_anew_and_the_rest_begins_as_before(begin: Begin) -> None:
    handed = Variant(model=begin).apply(setup())
    head = {"model.head.weight", "model.head.bias"}
    found = weights(anew(handed, head))
    assert differing(found, weights(handed)) == head
    assert differing(found, weights(setup())) == {"model.body.weight", "model.body.bias"}
    assert set(begin.names) == set(found)  # the one that others begin with has lost nothing
    assert anew(handed, ["model.tail.weight"]) is handed
