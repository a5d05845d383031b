"""Search spaces: what they hold, what they refuse, and what they make of a setup."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import art_training as art
from art_training.errors import ProjectError, SetupError
from art_training.setup.identity.values import value_component
from art_training.setup.setup import Setup
from art_training.tuning.space import Space, choice, integer, log_uniform, uniform


def net(width: int = 4, activation: Any = nn.ReLU) -> nn.Module:
    return nn.Sequential(nn.Linear(2, width), activation(), nn.Linear(width, 2))


SETUP = Setup(
    art.from_torch(net, loss=nn.CrossEntropyLoss, lr=0.1),
    art.data(train=(torch.eye(2), torch.tensor([0, 1]))),
    hparams={"width": 4},
    trainer={"max_epochs": 3},
)


def test_a_point_is_laid_over_hyper_parameters_and_settings_of_the_trainer() -> None:
    space = Space({"lr": log_uniform(1e-5, 1e-1), "width": integer(2, 8), "trainer.max_epochs": choice(1, 2)})
    setup = space.apply(SETUP, {"lr": 0.01, "width": 8, "trainer.max_epochs": "2"})
    assert dict(setup.hparams) == {"lr": 0.01, "width": 8}
    assert dict(setup.trainer) == {"max_epochs": 2}  # type: ignore[call-overload]
    assert dict(SETUP.hparams) == {"width": 4}


def test_bounds_of_numpy_are_numbers_like_others() -> None:
    assert integer(np.int64(4), np.int64(8), step=np.int32(2)) == integer(4, 8, step=2)
    assert uniform(np.float32(0.5), np.int8(2)) == uniform(0.5, 2)
    space = Space({"width": integer(np.int64(4), np.int64(8))})  # type: ignore[arg-type]
    assert value_component(space) == value_component(Space({"width": integer(4, 8)}))
    with pytest.raises(ProjectError, match="no whole number"):
        integer(np.float64(4), 8)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [[1, 2], (1, 2), range(1, 3)], ids=repr)
def test_one_list_of_options_is_the_same_as_the_options_one_by_one(given) -> None:
    assert choice(given) == choice(1, 2)


def test_a_list_is_an_option_beside_others_and_in_a_list() -> None:
    assert list(choice([8, 8], [16]).options.values()) == [[8, 8], [16]]
    assert list(choice([[8, 8], [16]]).options.values()) == [[8, 8], [16]]
    assert dict(choice([8, 8], none=None).options) == {"[8, 8]": [8, 8], "none": None}
    assert dict(choice(narrow=[8], wide=[16]).options) == {"narrow": [8], "wide": [16]}


def test_choices_may_be_anything_and_are_called_by_what_they_are() -> None:
    space = Space({"activation": choice(nn.ReLU, nn.Tanh, None, 3, "text")})
    assert list(space.dimensions["activation"].values() or ()) == ["ReLU", "Tanh", "None", "3", "text"]
    assert space.apply(SETUP, {"activation": "Tanh"}).hparams["activation"] is nn.Tanh
    assert space.given({"activation": "None"}) == {"activation": None}
    assert space.shown({"activation": "3"}) == {"activation": 3}
    assert space.shown({"activation": "Tanh"}) == {"activation": "Tanh"}


def test_a_variant_that_is_chosen_is_applied_with_its_modifiers() -> None:
    def halved(module: nn.Module) -> nn.Module:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(0.5)
        return module

    space = Space({"start": choice(plain=art.Variant(), halved=art.Variant(model=halved, hparams={"width": 6}))})
    assert space.hparams == ()
    assert space.apply(SETUP, {"start": "plain"}) is SETUP
    changed = space.apply(SETUP, {"start": "halved"})
    assert changed.hparams["width"] == 6
    assert changed.model is not SETUP.model
    assert space.shown({"start": "halved"}) == {"start": "halved"}


def test_a_condition_leaves_a_dimension_out() -> None:
    space = Space(
        {
            "momentum": uniform(0, 0.99).when("optimizer", "sgd"),
            "nesterov": choice(True, False).when("optimizer", "sgd").when("layers", 2, 3),
            "optimizer": choice("adam", "sgd"),
            "layers": integer(1, 3),
        }
    )
    assert list(space.dimensions) == ["optimizer", "momentum", "layers", "nesterov"]
    assert not space.is_active("momentum", {"optimizer": "adam"})
    assert space.is_active("nesterov", {"optimizer": "sgd", "layers": 3})
    assert not space.is_active("nesterov", {"optimizer": "sgd", "layers": 1})
    assert space.points() is None


def test_what_depends_on_what_is_left_out_is_left_out_too() -> None:
    space = Space(
        {
            "a": choice("x", "y"),
            "b": choice("p", "q").when("a", "x"),
            "c": integer(1, 2).when("b", "q"),
        }
    )
    points = list(space.points() or ())
    assert points == [{"a": "x", "b": "p"}, {"a": "x", "b": "q", "c": 1}, {"a": "x", "b": "q", "c": 2}, {"a": "y"}]
    assert space.first() == points[0]


def test_a_condition_may_name_an_option_by_its_value_or_its_label() -> None:
    options = choice(relu=nn.ReLU, tanh=nn.Tanh)
    for named in (nn.Tanh, "tanh"):
        space = Space({"activation": options, "scale": uniform(0, 1).when("activation", named)})
        assert space.is_active("scale", {"activation": "tanh"})
        assert not space.is_active("scale", {"activation": "relu"})


def test_true_is_not_the_number_one() -> None:
    space = Space({"a": choice(True, 1), "b": uniform(0, 1).when("a", 1)})
    assert space.is_active("b", {"a": "1"})
    assert not space.is_active("b", {"a": "True"})


@given(low=st.integers(-50, 50), steps=st.integers(1, 20), step=st.integers(1, 5))
def test_whole_numbers_reach_both_ends(low: int, steps: int, step: int) -> None:
    values = list(integer(low, low + steps * step, step=step).values())
    assert (values[0], values[-1], len(values)) == (low, low + steps * step, steps + 1)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Space({}), "has no dimension, so there is nothing to search"),
        (lambda: Space([1]), "is not a mapping"),  # type: ignore[arg-type]
        (lambda: Space({"lr": 0.1}), r"space\['lr'\]=0.1 is no dimension"),  # type: ignore[dict-item]
        (lambda: Space({"": uniform(0, 1)}), "space has the name ''"),
        (lambda: uniform(1, 1), "its low must be below its high"),
        (lambda: uniform(2, 1), r"uniform\(2, 1\) holds nothing to search"),
        (lambda: uniform(0, float("inf")), "no finite number"),
        (lambda: log_uniform(0, 1), r"log_uniform\(0, 1\) begins at 0, which has no logarithm"),
        (lambda: log_uniform(-1, 1), "which has no logarithm"),
        (lambda: integer(3, 3), "its low must be below its high"),
        (lambda: integer(0, 8, log=True), "its low must be at least 1"),
        (lambda: integer(1, 8, log=True, step=2), "steps are even or the scale is, not both"),
        (lambda: integer(1, 8, step=2), r"never reaches 8; write integer\(1, 7\)"),
        (lambda: integer(1, 8, step=0), "step=0"),
        (lambda: integer(0.5, 2), "no whole number"),  # type: ignore[arg-type]
        (choice, r"choice\(\) leaves nothing to choose"),
        (
            lambda: choice("adam"),
            r"choice\(adam\) leaves nothing to choose; give two .* choice\(1, 2\), or as one list",
        ),
        (lambda: choice([1]), r"choice\(1\) leaves nothing to choose"),
        (lambda: choice([]), r"choice\(\) leaves nothing to choose"),
        (lambda: choice("1", 1), "two options of a choice read '1'"),
        (lambda: uniform(0, 1).when("a"), "names no value"),
        (lambda: Space({"a": uniform(0, 1).when("b", 1)}), "which is no other dimension; there are: none"),
        (lambda: Space({"a": integer(0, 1).when("a", 1)}), "which is no other dimension"),
        (lambda: Space({"a": uniform(0, 1), "b": uniform(0, 1).when("a", 0.5)}), "that is a real number"),
        (
            lambda: Space({"a": choice("x", "y"), "b": uniform(0, 1).when("a", "z")}),
            "which it never is; it can be: x, y",
        ),
        (
            lambda: Space({"a": integer(0, 1).when("b", 1), "b": integer(0, 1).when("a", 1)}),
            "the conditions of 'a' and 'b' wait for each other",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(ProjectError, match=sentence):
        make()


def test_a_point_of_another_space_is_refused() -> None:
    with pytest.raises(ProjectError, match="is no part of this space any more"):
        Space({"a": choice("x", "y")}).apply(SETUP, {"a": "z"})
    with pytest.raises(ProjectError, match="run the search again"):
        Space({"a": choice("x", "y")}).apply(SETUP, {"b": "x"})


def test_settings_of_a_trainer_that_a_function_makes_cannot_be_searched() -> None:
    setup = SETUP.but(trainer=lambda: None)
    with pytest.raises(SetupError, match=r"trainer\.max_epochs"):
        Space({"trainer.max_epochs": integer(1, 2)}).apply(setup, {"trainer.max_epochs": 1})


def test_what_a_space_holds_can_be_told_in_every_process() -> None:
    space = Space({"lr": log_uniform(1e-5, 1e-1), "a": choice(nn.ReLU, nn.Tanh), "b": integer(1, 2).when("a", nn.ReLU)})
    for dimension in space.dimensions.values():
        _, unknown = value_component(dimension)
        assert not unknown


def test_a_space_is_declared_without_torch_or_the_library_that_searches() -> None:
    code = (
        "import art_training as art, sys; art.space.log_uniform(1e-5, 1e-1); art.space.choice(art.Variant(), 1);"
        "print([name for name in ('torch', 'optuna', 'numpy', 'lightning') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
