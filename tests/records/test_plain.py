import dataclasses
import functools
import json
from collections import OrderedDict
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from art_training.records import Metric, Split, plain, show
from art_training.records.plain import is_marked


class Number(Enum):
    ONE = 1


class Word(StrEnum):
    YES = "yes"


class Breaks:
    def __repr__(self) -> str:
        raise RuntimeError("no")


data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(data)
def test_anything_becomes_data_that_json_keeps(value: Any) -> None:
    kept = plain(value)
    text = json.dumps(kept)
    assert json.dumps(json.loads(text)) == text
    assert json.dumps(plain(kept)) == text


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (True, True),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (torch.tensor(3), 3),
        (torch.tensor(0.5), 0.5),
        ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
        ({3: 4}, {"3": 4}),
        (Number.ONE, 1),
        (Word.YES, "yes"),
        (Path("a") / "b", "a/b"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (range(3), [0, 1, 2]),
        (Metric("loss", Split.TRAIN), {"name": "loss", "split": "train", "loader": None}),
    ],
)
def test_relatives_of_plain_data_become_plain(value: Any, kept: Any) -> None:
    assert plain(value) == kept
    assert type(plain(value)) is type(kept)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (nn.ReLU, "torch.nn.modules.activation.ReLU"),
        (len, "builtins.len"),
        (1j, "1j"),
        (b"x", "b'x'"),
        (Breaks(), "<tests.records.test_plain.Breaks whose repr raises RuntimeError>"),
    ],
)
def test_what_is_not_plain_is_kept_as_its_repr_and_marked(value: Any, text: str) -> None:
    assert is_marked(plain(value))
    assert show(plain(value)) == text


def test_a_mark_tells_an_object_from_a_text_that_reads_like_it() -> None:
    assert plain(nn.ReLU) != plain("torch.nn.modules.activation.ReLU")
    assert show("adam") == "'adam'"
    assert show(plain({"a": [int, {"b": len}], "c": 1})) == "{'a': [builtins.int, {'b': builtins.len}], 'c': 1}"


@pytest.mark.parametrize(
    "value", [object(), lambda: 1, functools.partial(print), iter([]), (n for n in "a"), Breaks().__init__]
)
def test_no_repr_holds_an_address(value: Any) -> None:
    assert "0x" not in show(plain(value))


def test_a_long_repr_is_cut() -> None:
    assert len(show(plain(b"x" * 100_000))) == 10_000


def test_what_holds_itself_becomes_plain_all_the_same() -> None:
    knot: list[Any] = []
    knot.append(knot)
    assert json.dumps(plain(knot))


def test_a_dataclass_becomes_its_fields() -> None:
    @dataclasses.dataclass
    class Point:
        x: int
        y: Any

    assert plain(Point(1, Point(2, None))) == {"x": 1, "y": {"x": 2, "y": None}}
    assert is_marked(plain(Point))
