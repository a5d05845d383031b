import pytest
import torch
from torch import nn

from art_training.setup.called import Called
from art_training.setup.modified import ModifiedModel
from art_training.setup.torch_model import from_torch


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Linear(2, 2)
        self.enc = nn.Linear(2, 2)


PLAIN = from_torch(Net, loss=nn.MSELoss, optimizer=torch.optim.SGD, lr=0.1)


@pytest.mark.parametrize("model", [PLAIN, ModifiedModel(PLAIN, (lambda module: module,))])
def test_the_parts_of_a_plain_module_are_called_as_its_user_calls_them(model):
    called = Called.of(model)
    assert called.shown("model.enc.weight") == "enc.weight"
    assert called.shown("loss.weight") == "loss.weight"
    assert called.means(["enc"], "model.enc.weight")
    assert called.means(["e*.weight"], "model.enc.weight")
    assert called.means(["model"], "model.model.weight")
    assert not called.means(["model"], "model.enc.weight")


def test_a_model_that_no_engine_puts_into_another_one_is_called_as_it_is():
    called = Called.of(Net)
    assert called.shown("model.weight") == "model.weight"
    assert called.means(["model"], "model.weight")
    assert not called.means(["weight"], "model.weight")
    assert called.told("model.weight moves") == "model.weight moves"


def test_names_that_stand_for_nothing_are_told_apart():
    assert Called.of(PLAIN).meaningless(["enc", "encoder", "model.enc"], ["model.enc.weight", "model.model.bias"]) == [
        "encoder",
        "model.enc",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("of model.enc, model.0.weight and model.enc.0", "of enc, 0.weight and enc.0"),
        ("declare frozen=['model.enc']", "declare frozen=['enc']"),
        ("of model.model.weight", "of model.weight"),
        ("call model.eval() before", "call model.eval() before"),
        ("the model.", "the model."),
        ("model", "model"),
        ("src/model.py:12", "src/model.py:12"),
        ("model.py:12", "model.py:12"),
        ("self.model.enc", "self.model.enc"),
    ],
)
def test_a_sentence_names_parts_as_the_user_does(text, told):
    assert Called.of(PLAIN).told(text) == told


def test_numbers_with_their_names_are_told_in_the_users_names_too():
    assert Called.of(PLAIN).told({"model.enc": 1.5, "layers": ("model.enc", 2), "none": None}) == {
        "enc": 1.5,
        "layers": ["enc", 2],
        "none": None,
    }
