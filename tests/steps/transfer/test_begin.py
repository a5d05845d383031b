"""Fresh models of later steps begin with the weights of a transfer."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

from art_training.errors import Misfit, SetupError
from art_training.setup.identity.values import value_component
from art_training.steps.transfer.begin import Begin
from art_training.steps.transfer.pretrained import fit
from art_training.stores.artifacts import file_digest


def net(outputs: int, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, outputs))


def test_what_is_handed_on_begins_with_the_weights_and_is_told_by_their_digest_alone(tmp_path: Path) -> None:
    state, fresh = net(10, seed=1).state_dict(), {f"model.{name}": one for name, one in net(5).state_dict().items()}
    begins: list[Begin] = []
    for folder in ("here", "there"):
        path = tmp_path / folder / "weights.pt"
        path.parent.mkdir()
        torch.save(state, path)
        names = fit(state, fresh, "it").loaded
        begins.append(Begin(path, file_digest(path)[0], names))
    assert value_component(begins[0]) == value_component(begins[1])
    module = begins[0](net(5, seed=7))
    assert torch.equal(module[0].weight, state["0.weight"])
    assert torch.equal(module[2].weight, net(5, seed=7)[2].weight)


def test_a_file_that_was_changed_or_a_model_that_was_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(net(5).state_dict(), path)
    begin = Begin(path, file_digest(path)[0], {"model.0.weight": "0.weight"})
    with pytest.raises(SetupError, match="has not all of the 1 weights"):
        begin(nn.Linear(4, 2))
    torch.save(net(5, seed=3).state_dict(), path)
    with pytest.raises(SetupError, match="are gone or were changed since TransferLearning used them"):
        begin(net(5))


class Late(pl.LightningModule):
    """Makes its layers in its hooks, each time that they are called."""

    def setup(self, stage: str) -> None:
        self.body = nn.Linear(4, 3)

    def configure_model(self) -> None:
        self.head = nn.LazyLinear(2)


@pytest.fixture
def begin(tmp_path: Path) -> Any:
    state = {"body.weight": torch.ones(3, 4), "head.weight": torch.full((2, 3), 2.0), "head.bias": torch.zeros(2)}
    torch.save(state, tmp_path / "weights.pt")
    return lambda names: Begin(tmp_path / "weights.pt", file_digest(tmp_path / "weights.pt")[0], names)


def test_layers_that_a_hook_makes_are_given_their_weights_when_it_has(begin: Any) -> None:
    module = begin({name: name for name in ("body.weight", "head.weight", "head.bias")})(Late())
    module.setup("fit")
    assert module.body.weight.eq(1).all()
    module.configure_model()
    assert module.head.weight.eq(2).all()  # whose size is that of the weights


def test_what_has_been_trained_since_keeps_its_weights_when_a_hook_is_called_again(begin: Any) -> None:
    class Once(Late):
        def setup(self, stage: str) -> None:
            if not hasattr(self, "body"):
                super().setup(stage)

    for kind, kept in ((Once, 5.0), (Late, 1.0)):
        module = begin({"body.weight": "body.weight"})(kind())
        module.setup("fit")
        module.configure_model()
        with torch.no_grad():
            module.body.weight.fill_(5.0)
        module.setup("test")
        assert module.body.weight.eq(kept).all()


def test_a_model_that_has_not_made_them_after_its_last_hook_is_refused(begin: Any) -> None:
    module = begin({"model.tail.weight": "head.weight"})(Late())
    module.setup("fit")
    with pytest.raises(SetupError, match="Late has not all of the 1 weights that TransferLearning began with"):
        module.configure_model()


def test_weights_of_another_shape_are_refused_in_a_sentence(begin: Any) -> None:
    told = r"do not fit Sequential as it is made now: 0\.weight is of shape \(3, 5\) and began with \(3, 4\); make it with the"
    with pytest.raises(Misfit, match=told):
        begin({"0.weight": "body.weight"})(nn.Sequential(nn.Linear(5, 3)))
