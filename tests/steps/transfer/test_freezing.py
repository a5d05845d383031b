"""Which parameters are frozen, and how fast the others train."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import art_training as art
from art_training.errors import ProjectError, SetupError
from art_training.steps.transfer.freezing import (
    Names,
    as_patterns,
    check_freeze,
    frozen_buffers,
    frozen_names,
    rates,
    thawing,
)

NET = Names(
    (
        "model.backbone.0.weight",
        "model.backbone.0.bias",
        "model.backbone.1.weight",
        "model.backbone.1.bias",
        "model.head.weight",
        "model.head.bias",
    ),
    prefix="model.",
)
BACKBONE = NET.of_engine[:4]


@pytest.mark.parametrize(
    "freeze",
    [
        "backbone",
        "model.backbone",
        ["backbone.0", "backbone.1"],
        "backbone.*",
        "model.backbone.*",
        ["backbone.0.*", "backbone.1.*"],
        {"modules": ["backbone"]},
        {"modules": ["backbone.0", "backbone.1"]},
        art.all_but_last(1),
        art.all_but_last(),
    ],
)
def test_every_way_to_name_a_backbone_freezes_it(freeze) -> None:
    assert frozen_names(freeze, NET) == BACKBONE


def test_all_but_the_last_two_layers() -> None:
    assert frozen_names(art.all_but_last(2), NET) == NET.of_engine[:2]


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        ("bakbone.*", r"freeze='bakbone\.\*' matches none of the model's 6 parameters; there are, .*backbone"),
        (["backbone.*", "stem.*"], r"freeze='stem\.\*' matches none"),
        ({"modules": ["backbon"]}, "freeze='backbon' matches none .*: .*backbone"),
        ("bakbone", "freeze='bakbone' matches none of the model's 6 parameters; .*backbone"),
        ("back", "freeze='back' matches none"),
        (["backbone", "head"], "matches all 6 parameters"),
        ("*", r"freeze='\*' matches all 6 parameters.*leave out what is new, such as head\.bias, or give all_but_last"),
        (["backbone.*", "head.*"], "matches all 6 parameters"),
        (art.all_but_last(3), r"all_but_last\(3\) freezes nothing: the model has 3 layers"),
    ],
)
def test_what_matches_nothing_or_everything_is_refused(freeze, message: str) -> None:
    with pytest.raises(SetupError, match=message):
        frozen_names(freeze, NET)


@pytest.mark.parametrize("freeze", ["", [], (), [""], {}, {"modules": []}, {"layers": ["backbone"]}, None, 3])
def test_what_names_nothing_is_refused_at_once(freeze) -> None:
    with pytest.raises(ProjectError, match=r"names nothing|must name modules"):
        check_freeze(freeze, "TransferLearning")


@pytest.mark.parametrize("layers", [0, -1, 1.0, True])
def test_all_but_the_last_none_is_refused(layers) -> None:
    with pytest.raises(ProjectError, match="leaves nothing to train"):
        art.all_but_last(layers)


def test_statistics_of_wholly_frozen_modules_are_frozen_too_and_no_others() -> None:
    entries = ["step", *BACKBONE, "model.backbone.1.running_mean", *NET.of_engine[4:], "model.head.scale"]
    assert frozen_buffers(entries, NET.of_engine, BACKBONE) == ("model.backbone.1.running_mean",)
    but_one = [name for name in BACKBONE if name != "model.backbone.1.bias"]
    assert frozen_buffers(entries, NET.of_engine, but_one) == ()


def test_a_batch_norm_without_parameters_is_frozen_with_the_module_around_it() -> None:
    entries = [*BACKBONE, "model.backbone.9.running_mean", *NET.of_engine[4:]]
    assert frozen_buffers(entries, NET.of_engine, BACKBONE) == ("model.backbone.9.running_mean",)


def test_rates_fall_from_layer_to_layer_towards_the_input() -> None:
    found = rates(NET, 0.1, 0.5)
    assert found["model.head.weight"] == pytest.approx(0.1)
    assert found["model.backbone.1.bias"] == pytest.approx(0.05)
    assert found["model.backbone.0.weight"] == pytest.approx(0.025)
    assert as_patterns(NET, found) == pytest.approx(
        {"model.backbone.0.*": 0.025, "model.backbone.1.*": 0.05, "model.head.*": 0.1}
    )


def test_the_first_pattern_that_matches_has_the_rate() -> None:
    found = rates(NET, 0.1, {"head.*": 1.0, "*": 0.5, "backbone.0.*": 0.01})
    assert found["model.head.bias"] == pytest.approx(0.1)
    assert found["model.backbone.0.weight"] == pytest.approx(0.05)


def test_equal_rates_are_one_pattern() -> None:
    assert as_patterns(NET, rates(NET, 0.1, 1.0)) == {"*": 0.1}


def test_a_layer_inside_another_keeps_its_own_rate() -> None:
    nested = Names(("a.weight", "a.b.weight"))
    assert as_patterns(nested, rates(nested, 1.0, 0.5)) == {"a.weight": 0.5, "a.b.*": 1.0}


def test_a_rate_for_nothing_is_refused() -> None:
    with pytest.raises(SetupError, match=r"layer_rates has 'stem\.\*', which matches none"):
        rates(NET, 0.1, {"stem.*": 0.5})


def test_layers_thaw_from_the_last_to_the_first() -> None:
    still, thaw = thawing(NET, BACKBONE, epochs=5)
    assert still == NET.of_engine[:2]
    assert thaw == {1: NET.of_engine[:2]}


@given(layers=st.integers(1, 12), epochs=st.integers(1, 12))
def test_everything_is_thawed_by_the_last_epoch_and_each_layer_once(layers: int, epochs: int) -> None:
    names = Names((*(f"{index}.weight" for index in range(layers)), "head.weight"))
    frozen = names.of_engine[:-1]
    still, thaw = thawing(names, frozen, epochs)
    assert sorted(name for group in thaw.values() for name in group) == sorted(still)
    assert all(0 < epoch < epochs for epoch in thaw)
    order = [int(name.partition(".")[0]) for epoch in sorted(thaw) for name in thaw[epoch]]
    assert order == sorted(order, reverse=True)
