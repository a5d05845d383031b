from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.dashboard.parts.asked import LOOKS, Asked
from art_training.errors import UsageError
from art_training.views.table import MOST_ROWS

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
lists = st.lists(texts, unique=True, max_size=3).map(tuple)
askeds = st.builds(
    Asked,
    project=texts,
    step=texts,
    look=st.sampled_from(LOOKS),
    search=texts,
    state=lists,
    where=lists,
    sort=texts,
    up=st.sampled_from(["", "yes"]),
    group=texts,
    page=st.integers(1, 10_000),
    rows=st.integers(1, MOST_ROWS),
    column=lists,
    x=texts,
    y=texts,
    color=texts,
    axis=lists,
    run=lists,
)


@given(askeds)
def test_an_address_asks_for_what_it_was_made_of(asked: Asked) -> None:
    pairs = parse_qsl(urlsplit(asked.address).query, keep_blank_values=True)
    assert Asked.read(pairs) == asked


@given(st.lists(st.tuples(st.sampled_from([*Asked.__dataclass_fields__, "name", "else"]), texts)))
def test_any_address_asks_for_something_or_is_refused_in_a_sentence(pairs: list[tuple[str, str]]) -> None:
    asked = Asked.read(pairs)
    with suppress(UsageError):
        asked.query()


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000 + "1", "9" * 16, "٣" * 5000, "-1", "0", ""])
def test_a_number_that_no_page_has_is_left_aside(digits: str) -> None:
    assert Asked.read([("name", "toy"), ("page", digits), ("rows", digits)]) == Asked("toy")


def test_what_is_as_at_the_beginning_is_not_in_the_address() -> None:
    assert Asked("digits").address == "/step?project=digits"
    assert Asked.read([("name", "digits")]) == Asked("digits")
    assert Asked.read([("project", "a"), ("page", "-3"), ("rows", "9999"), ("look", "cake")]) == Asked(
        "a", rows=MOST_ROWS
    )


def test_other_runs_begin_at_the_first_page_and_other_columns_stay_where_one_is() -> None:
    asked = Asked("digits", page=4)
    assert asked.but(search="adam").page == 1
    assert asked.but(column=("seconds",)).page == 4
    assert asked.with_picked("a", picked=True).with_picked("b", picked=True).with_picked("a", picked=False).run == (
        "b",
    )


def test_a_heading_sorts_down_then_up_then_not_at_all() -> None:
    asked = Asked("digits")
    down = asked.sorted_by("seconds")
    up = down.sorted_by("seconds")
    assert [(one.sort, one.up) for one in (down, up, up.sorted_by("seconds"))] == [
        ("seconds", ""),
        ("seconds", "yes"),
        ("", ""),
    ]
    assert asked.sorted_by("started") == Asked("digits", sort="started", up="yes")


def test_a_state_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="'done' is no state of a run; there are: passed, "):
        Asked("digits", state=("done",)).query()
