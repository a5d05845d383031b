from typing import Any

import numpy as np
import pytest
from torch import nn

import art_training as art
from art_training.errors import SetupError
from art_training.setup.setup import Setup
from art_training.setup.task import Task, TaskKind


class Net:
    def __init__(self, lr: float = 0.1) -> None:
        self.lr = lr


class Data:
    pass


@pytest.fixture
def setup() -> Setup:
    return Setup(Net, Data, hparams={"lr": 0.1, "layers": 2}, trainer={"max_epochs": 3, "callbacks": ["first"]})


def test_a_setup_is_frozen_with_all_that_was_declared(setup: Setup) -> None:
    with pytest.raises(AttributeError):
        setup.model = Data  # type: ignore[misc]
    with pytest.raises(TypeError):
        setup.hparams["lr"] = 1  # type: ignore[index]


def test_what_its_owner_goes_on_changing_does_not_reach_in() -> None:
    hparams = {"lr": 0.1}
    setup = Setup(Net, Data, hparams=hparams)
    hparams["lr"] = 0.2
    assert setup.hparams == {"lr": 0.1}


def test_but_makes_a_changed_copy_key_by_key(setup: Setup) -> None:
    other = setup.but(hparams={"lr": 0.2}, trainer={"max_epochs": 5}, engine="other", data_version="2")
    assert other.hparams == {"lr": 0.2, "layers": 2}
    assert other.trainer["max_epochs"] == 5
    assert (other.engine, other.data_version) == ("other", "2")
    assert setup.hparams == {"lr": 0.1, "layers": 2}
    assert setup.trainer["max_epochs"] == 3


def test_callbacks_are_added_and_never_to_the_list_that_was_given(setup: Setup) -> None:
    given = setup.trainer["callbacks"]
    assert setup.but(trainer={"callbacks": "second"}).trainer["callbacks"] == ["first", "second"]
    assert setup.but(trainer={"callbacks": ["second", "third"]}).trainer["callbacks"] == ["first", "second", "third"]
    assert given == ["first"]


def test_a_factory_of_a_trainer_replaces_settings_as_a_whole(setup: Setup) -> None:
    def trainer() -> Any: ...

    assert setup.but(trainer=trainer).trainer is trainer
    assert setup.but(trainer=trainer).but(trainer={"max_epochs": 1}).trainer == {"max_epochs": 1}


def test_a_task_can_be_declared_and_stays_declared(setup: Setup) -> None:
    declared = setup.but(task={"kind": "regression"})
    assert declared.declared["kind"] is TaskKind.REGRESSION
    assert declared.but(hparams={"lr": 1}).declared["kind"] is TaskKind.REGRESSION
    assert setup.but(task=Task(TaskKind.CLASSIFICATION, classes=3)).declared["classes"] == 3


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        ({"hparams": {"lr": 0.2}}, ["hparams.lr: 0.1 -> 0.2"]),
        ({"hparams": {"width": 3}}, ["hparams.width is new: 3"]),
        ({"hparams": {"lr": None}}, ["hparams.lr: 0.1 -> None"]),
        ({"trainer": {"max_epochs": 9}}, ["trainer.max_epochs: 3 -> 9"]),
        ({"model": Data}, [f"model: {__name__}.Net -> {__name__}.Data"]),
        ({"data_version": "2"}, ["data_version is new: '2'"]),
        ({"task": {"kind": "regression"}}, ["task.kind is new: 'regression'"]),
        ({"declarations": {"imbalance_expected": True}}, ["declarations.imbalance_expected is new: True"]),
        ({}, []),
    ],
)
def test_the_difference_of_two_setups_is_data(setup: Setup, change: dict[str, Any], sentences: list[str]) -> None:
    assert [str(difference) for difference in setup.but(**change) - setup] == sentences


def test_two_functions_that_read_alike_are_told_apart() -> None:
    def make(width: int) -> Any:
        return lambda: width

    one, other = Setup(make(1), Data), Setup(make(2), Data)
    assert [str(change) for change in one - other] == ["model changed"]
    assert one - one.but(hparams={}) == ()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"model": nn.Linear(2, 2)},
            "model is an instance of Linear, but each step needs a fresh one: write model=Linear",
        ),
        ({"model": None}, "model=None cannot be called; give a class, a factory, or art.from_torch"),
        ({"model": 3}, "model=3 cannot be called"),
        ({"data": None}, "data=None; give a datamodule class"),
        ({"hparams": [1]}, "hparams=[1] is not a mapping; give hparams={'name': value}"),
        ({"declarations": "a"}, "declarations='a' is not a mapping"),
        ({"trainer": [1]}, "trainer=[1] is not a mapping; give trainer={'name': value} or a callable"),
        ({"outputs": "logits"}, "outputs='logits' is not callable; give a function of the batch"),
        ({"task": {"sort": "regression"}}, "a task has no 'sort'"),
    ],
)
def test_a_wrong_declaration_is_refused_with_the_remedy(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SetupError) as raised:
        Setup(**{"model": Net, "data": Data, **arguments})
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_change_of_something_that_a_setup_does_not_have_is_refused(setup: Setup) -> None:
    with pytest.raises(SetupError, match="a setup has no 'hparam'; it has: data, data_version"):
        setup.but(hparam={})
    with pytest.raises(SetupError, match=r"hparams=\[1\] is not a mapping"):
        setup.but(hparams=[1])


def test_a_setup_described_is_plain_data_under_dotted_names() -> None:
    setup = Setup(
        art.from_torch(nn.Linear, loss=nn.MSELoss, lr=0.1),
        art.data((np.zeros((2, 2)), np.zeros(2))),
        hparams={"in_features": 2},
        outputs=lambda batch, returned: (returned, batch),
    )
    described = setup.described()
    assert described["hparams.in_features"] == 2
    assert described["engine"] == "lightning"
    assert {"model.model", "model.loss", "data.sources.train", "outputs"} <= set(described)
