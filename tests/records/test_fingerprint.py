import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.records import Change, Fingerprint, differences, digest_component

components = st.dictionaries(
    st.text(min_size=1, max_size=5),
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text(max_size=3),
    max_size=5,
)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ({"hparams.lr": 0.001}, {"hparams.lr": 0.01}, "hparams.lr: 0.001 -> 0.01"),
        ({"step": "A"}, {"step": "B"}, "step: 'A' -> 'B'"),
        (
            {"model: DigitsNet.forward": digest_component("a")},
            {"model: DigitsNet.forward": digest_component("b")},
            "model: DigitsNet.forward changed",
        ),
        ({"hparams.x": 3}, {"hparams.x": digest_component("b")}, "hparams.x changed"),
        ({}, {"hparams.x": 3}, "hparams.x is new: 3"),
        ({"hparams.x": 3}, {}, "hparams.x is gone, it was 3"),
        ({"hparams.x": None}, {"hparams.x": 3}, "hparams.x: None -> 3"),
        ({"hparams.x": 3}, {"hparams.x": None}, "hparams.x: 3 -> None"),
        ({}, {"hparams.x": None}, "hparams.x is new: None"),
        ({}, {"hparams.x": "w" * 61}, "hparams.x is new"),
        ({}, {"data": digest_component("a")}, "data is new"),
        ({}, {"model.modifier.f": {"__repr__": "a.f", "__type__": "function"}}, "model.modifier.f is new"),
        ({}, {"consumes.Overfit": "7c1"}, "consumes.Overfit is new"),
        ({"hparams.x": 1}, {"hparams.x": True}, "hparams.x: 1 -> True"),
        ({"hparams.x": 1}, {"hparams.x": 1.0}, "hparams.x: 1 -> 1.0"),
        ({"consumes.Overfit": "7c1"}, {"consumes.Overfit": "9f2"}, "Overfit has another outcome"),
    ],
)
def test_a_change_is_one_sentence(before: dict, after: dict, sentence: str) -> None:
    assert [str(change) for change in Fingerprint(after).changes(Fingerprint(before))] == [sentence]


def test_what_reads_alike_and_is_not_the_same_has_changed() -> None:
    assert str(Change("model", "f", "f")) == "model changed"


def test_not_a_number_is_the_same_as_not_a_number() -> None:
    assert differences({"x": float("nan")}, {"x": float("nan")}) == ()


@given(components, components)
def test_the_digest_differs_exactly_where_a_change_is_told(one: dict, other: dict) -> None:
    a, b = Fingerprint(one), Fingerprint(other)
    assert (a.digest == b.digest) == (a.changes(b) == ())


@given(components)
def test_order_and_a_store_change_nothing(values: dict) -> None:
    turned = dict(reversed(list(values.items())))
    assert Fingerprint(turned).digest == Fingerprint(values).digest
    assert Fingerprint(json.loads(json.dumps(values))).digest == Fingerprint(values).digest


def test_what_is_unknown_is_not_part_of_the_digest() -> None:
    assert Fingerprint({"a": 1}, ("something",)).digest == Fingerprint({"a": 1}).digest


def test_the_digest_is_the_same_in_every_process() -> None:
    code = "from art_training.records import Fingerprint; print(Fingerprint({'b': [1, {'x': 'ü'}], 'a': None}).digest)"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": s}
        ).stdout.strip()
        for s in "01"
    }
    assert said == {Fingerprint({"a": None, "b": [1, {"x": "ü"}]}).digest}
