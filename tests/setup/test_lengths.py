"""Settings of a Trainer under which nothing is trained."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import art_training as art
from art_training.errors import SetupError
from art_training.setup.lengths import require_training
from art_training.steps import Overfit, Tune
from art_training.stores.memory import MemoryStore

MODEL = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1)
DATA = art.data(train=(torch.eye(2), torch.tensor([0, 1])), validation=(torch.eye(2), torch.tensor([0, 1])))


@pytest.mark.parametrize(
    ("trainer", "told"),
    [
        ({"max_epochs": 0}, "trainer has max_epochs=0, so that nothing is trained; give 1 or more, or -1 for no limit"),
        ({"max_epochs": -3}, "trainer has max_epochs=-3, which is no number of epochs; give 1 or more, or -1"),
        ({"max_steps": 0}, "trainer has max_steps=0, so that nothing is trained"),
        ({"max_steps": -5}, "trainer has max_steps=-5, which is no number of optimiser steps"),
        ({"max_epochs": np.int64(0)}, "trainer has max_epochs=.*0.*so that nothing is trained"),
        (
            {"max_time": "00:00:00:00"},
            "trainer has max_time='00:00:00:00', so that nothing is trained; give a time such as",
        ),
        ({"max_time": {"seconds": 0}}, "trainer has max_time={'seconds': 0}, so that nothing is trained"),
        ({"max_time": timedelta(0)}, "trainer has max_time=datetime.timedelta\\(0\\), so that nothing is trained"),
        ({"max_time": {"minutes": -1}}, "trainer has max_time={'minutes': -1}, so that nothing is trained"),
        ({"limit_train_batches": 0.0}, "trainer has limit_train_batches=0.0, so that nothing is trained"),
    ],
)
@pytest.mark.parametrize(
    ("declare", "who"),
    [
        (lambda trainer: art.Setup(MODEL, DATA, trainer=trainer), ""),
        (lambda trainer: art.Setup(MODEL, DATA).but(trainer=trainer), ""),
        (lambda trainer: Overfit(trainer=trainer), "step 'Overfit': "),
        (lambda trainer: art.Variant(trainer=trainer), ""),
    ],
    ids=["a setup", "a changed setup", "a step", "a variant"],
)
def test_settings_that_train_nothing_are_refused_where_they_are_declared(
    declare: Callable[[Mapping[str, Any]], object], who: str, trainer: dict[str, Any], told: str
) -> None:
    with pytest.raises(SetupError, match=f"^{re.escape(who)}{told}") as raised:
        declare(trainer)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "trainer",
    [
        {"max_epochs": 1},
        {"max_epochs": -1, "max_steps": 5},
        {"max_epochs": None, "max_steps": -1},
        {"max_epochs": "thirty"},  # no number: the engine knows the kind of each setting
        {"max_time": "00:00:00:01"},
        {"max_time": {"hours": 1}},
        {"max_time": None},
        {"max_time": "soon"},  # no time: the engine says so
        {"max_time": {"fortnights": 0}},
        {"limit_train_batches": 0.1, "limit_val_batches": 0},
        {},
    ],
)
def test_settings_that_train_are_left_alone(trainer: dict[str, Any]) -> None:
    require_training(trainer)


def test_a_search_over_lengths_is_refused_for_one_that_trains_nothing() -> None:
    step = Tune({"trainer.max_epochs": art.space.integer(0, 3)}, trials=1)
    project = art.ArtProject("p", art.Setup(MODEL, DATA), steps=[step], store=MemoryStore())
    with pytest.raises(SetupError, match="step 'Tune': trainer has max_epochs=0, so that nothing is trained"):
        project.plan()
