"""Records survive being written as text."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art_training.errors import StoreError
from art_training.records import (
    Fingerprint,
    Judgement,
    Outcome,
    Provenance,
    Reading,
    RunStatus,
    Score,
    StepState,
    plain,
)
from art_training.stores.codec import (
    copied,
    digest,
    dumps,
    encode,
    join_run,
    loads,
    split_run,
    state_without_judgement,
    storable,
    time_of,
    time_text,
)
from art_training.stores.reading import Unreadable, decode
from art_training.testing.records import ODD, a_judgement, a_run, an_outcome

text = st.text(st.characters(codec=None, categories=None), max_size=20)
plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(plain_data, st.floats(), text)
def test_any_plain_data_is_read_as_it_was_written(data: object, value: float, words: str) -> None:
    outcome = Outcome(scores={words: Score(value, note=words)}, readings=(Reading(words, data),), summary=words)
    assert repr(decode(Outcome, loads(encode(outcome, "it")))) == repr(outcome)


@settings(deadline=None)
@given(plain_data, text)
def test_a_run_taken_apart_is_put_together_again(data: object, words: str) -> None:
    run = a_run(
        parameters={words: data},
        fingerprint=Fingerprint({words: plain(data)}, (words,)),
        provenance=Provenance(versions={words: words}, git_diff=words, hardware={words: data}),
        error=words,
    )
    small, parts = split_run(run)
    assert repr(replace(run, **join_run(loads(dumps(small)), parts))) == repr(run)


def test_the_text_is_one_line_of_ascii() -> None:
    written = encode(an_outcome(accuracy=math.nan), "it")
    assert written.isascii()
    assert "\n" not in written


def test_fields_of_a_later_version_are_ignored() -> None:
    stored = loads(encode(a_judgement(), "it"))
    stored["mood"] = "good"
    stored["verdicts"][0]["colour"] = "red"
    assert decode(Judgement, stored) == a_judgement()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"scores": {"a": {"value": "high"}}}, "scores.a.value is 'high'"),
        ({"scores": []}, "scores is"),
        ([], "Outcome is"),
    ],
)
def test_what_is_no_record_says_where_it_is_wrong(data: object, words: str) -> None:
    with pytest.raises(Unreadable, match=words.replace(".", r"\.")):
        decode(Outcome, data)


def test_what_is_not_json_says_so() -> None:
    with pytest.raises(Unreadable, match="not JSON"):
        loads('{"scores": ')


@pytest.mark.parametrize("part", ["fingerprint", "parameters", "versions"])
def test_a_damaged_part_of_a_run_says_so(part: str) -> None:
    small, parts = split_run(a_run())
    with pytest.raises(Unreadable):
        join_run(loads(dumps(small)), {**parts, part: '"x'})
    with pytest.raises(Unreadable):
        join_run({}, parts)


def test_every_status_has_a_state() -> None:
    assert {state_without_judgement(status) for status in RunStatus} <= set(StepState)


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones()))
def test_times_sort_as_their_texts_do(at: datetime) -> None:
    assert time_of(time_text(at)) == at.astimezone(UTC)
    later = at.astimezone(UTC) + timedelta(microseconds=1) if at.year < 9000 else at
    assert time_text(later) >= time_text(at)


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(Unreadable):
        time_of("yesterday")
    with pytest.raises(StoreError, match="no time zone"):
        copied(a_run(ended=datetime(2026, 1, 1)), StepState.RUNNING)  # noqa: DTZ001  That is the point.


def test_half_a_character_becomes_its_escape() -> None:
    assert storable("a\udcffb") == "a\\udcffb"
    assert storable(ODD) == ODD
    assert digest("\udcff") != digest("\udcfe")
