"""Statistics of modules without parameters go with the part of the model that they stand in."""

import pytest

from art_training.engines.stillness import stays

PLAIN = ["0.weight", "1.running_mean", "2.weight", "3.running_mean", "4.weight"]
PARTS = ["body.0.weight", "body.1.running_mean", "head.0.running_mean", "head.1.weight"]


def frozen(*names: str, among: list[str]) -> dict[str, bool]:
    return {name: name in names for name in among if name.endswith("weight")}


def test_a_module_without_parameters_goes_with_the_layer_before_it() -> None:
    first = frozen("0.weight", among=PLAIN)
    assert [stays(module, PLAIN, first) for module in ("1", "3")] == [True, False]
    both = frozen("0.weight", "2.weight", among=PLAIN)
    assert [stays(module, PLAIN, both) for module in ("1", "3")] == [True, True]
    assert [stays(module, PLAIN, frozen("2.weight", among=PLAIN)) for module in ("1", "3")] == [False, True]


def test_the_module_around_it_comes_first() -> None:
    body = frozen("body.0.weight", among=PARTS)
    assert [stays(module, PARTS, body) for module in ("body.1", "head.0")] == [True, False]
    head = frozen("head.1.weight", among=PARTS)
    assert [stays(module, PARTS, head) for module in ("body.1", "head.0")] == [False, True]


@pytest.mark.parametrize("first", [True, False])
def test_one_with_nothing_before_it_goes_with_the_layer_behind(first: bool) -> None:
    assert (
        stays("norm", ["norm.running_mean", "a.weight", "b.weight"], {"a.weight": first, "b.weight": not first})
        is first
    )


def test_a_layer_of_which_a_part_trains_does_not_stay() -> None:
    entries = ["0.weight", "0.bias", "0.scale", "1.running_mean", "2.weight"]
    some = {"0.weight": True, "0.bias": False, "2.weight": False}
    assert not stays("0", entries, some)
    assert not stays("1", entries, some)


def test_without_parameters_nothing_is_frozen() -> None:
    assert not stays("norm", ["norm.running_mean"], {})
    assert not stays("", ["scale", "0.weight", "1.weight"], {"0.weight": True, "1.weight": False})
