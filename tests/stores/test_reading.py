"""Every type that records use can be read, and nothing is converted in silence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import pytest

from art_training.records import Interval, Judgement, Outcome, Provenance, Score
from art_training.stores.reading import Unreadable, decode


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    number: float


@dataclass(frozen=True)
class Record:
    name: str
    at: datetime | None = None
    colour: Colour = Colour.RED
    way: Literal["up", "down"] | None = None
    inner: tuple[Inner, ...] = ()
    steps: tuple[int, ...] = ()
    by_name: Mapping[str, Inner] = field(default_factory=dict)
    free: Any = None
    flag: bool = False


def test_every_kind_of_field_is_read() -> None:
    found = decode(
        Record,
        {
            "name": "x",
            "at": "2026-01-01T00:00:00+00:00",
            "colour": "red",
            "way": "up",
            "inner": [{"number": 1}, {"number": math.inf}],
            "steps": [1, 2],
            "by_name": {"a": {"number": 0.5}},
            "free": {"any": ["thing"]},
            "flag": True,
            "unknown": "ignored",
        },
    )
    assert found == Record(
        "x",
        datetime(2026, 1, 1, tzinfo=UTC),
        Colour.RED,
        "up",
        (Inner(1.0), Inner(math.inf)),
        (1, 2),
        {"a": Inner(0.5)},
        {"any": ["thing"]},
        flag=True,
    )
    assert type(found.inner[0].number) is float
    assert decode(Record, {"name": "x"}) == Record("x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 3}, "name is '3', which is no str"),
        ({"at": "noon"}, "at is 'noon', which is no time"),
        ({"at": 12}, "at is '12', which is no time"),
        ({"colour": "blue"}, "colour is 'blue', which is no 'red'"),
        ({"way": "left"}, "way is 'left', which is no 'up' or 'down'"),
        ({"inner": {}}, "inner is '{}', which is no list"),
        ({"inner": [{"number": 1.0}, {"number": "1"}]}, "inner.1.number is '1', which is no float"),
        ({"inner": [{}]}, "inner.0.number is missing"),
        ({"steps": [1, 2.0]}, "steps.1 is '2.0', which is no int"),
        ({"steps": [True]}, "steps.0 is 'True', which is no int"),
        ({"by_name": {"a": None}}, "by_name.a is 'None', which is no mapping"),
        ({"by_name": []}, "by_name is '[]', which is no mapping"),
        ({"flag": 1}, "flag is '1', which is no bool"),
    ],
)
def test_what_does_not_fit_says_where_and_why(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        decode(Record, {"name": "x", **change})
    assert str(caught.value) == words


def test_a_record_with_a_type_that_cannot_be_kept_is_a_mistake_in_the_code() -> None:
    @dataclass
    class Odd:
        value: int | str

    with pytest.raises(TypeError, match="records do not use the type"):
        decode(Odd, {"value": 1})


@pytest.mark.parametrize("kind", [Outcome, Judgement, Provenance])
def test_every_record_that_is_kept_can_be_read(kind: type) -> None:
    with pytest.raises(Unreadable, match=f"{kind.__name__} is 'None', which is no mapping"):
        decode(kind, None)


def test_an_interval_that_an_earlier_version_should_not_have_written_is_left_out_and_told() -> None:
    told = {"value": -0.5, "interval": {"low": 0.0, "high": -0.4, "level": 0.95, "method": "bootstrap"}, "note": "mean"}
    found = decode(Score, told)
    assert found.interval is None
    assert found.note == "mean; its interval [0.0, -0.4] does not hold it and was left out"
    kept = decode(Score, {**told, "interval": {"low": -0.6, "high": -0.4}})
    assert kept == Score(-0.5, Interval(-0.6, -0.4), note="mean")
