"""Fields, conditions and cells."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.errors import UsageError
from art_training.stores import Field, Where
from art_training.stores.fields import cell, is_number

CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
FIELDS = st.builds(Field, st.sampled_from(["parameter", "score"]), st.text("abz._/-:", min_size=1))


@given(FIELDS)
def test_a_field_reads_as_it_was_written(field: Field) -> None:
    assert Field.parse(str(field)) == field


@pytest.mark.parametrize("text", ["", "nothing", "parameter:", "score:", "run:id", "hparams.lr"])
def test_what_is_no_field_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"there are: id, step|needs a name"):
        Field.parse(text)


@given(FIELDS, st.sampled_from(["=", "!=", "missing", "present"]), CELLS)
def test_a_condition_reads_as_it_was_written(field: Field, operator, value) -> None:
    where = Where(field, operator, None if operator in {"missing", "present"} else value)
    assert repr(Where.parse(str(where))) == repr(where)


def test_values_in_conditions_are_numbers_where_they_read_so() -> None:
    assert Where.parse("parameter:hparams.lr <= 0.01").value == 0.01
    assert Where.parse("parameter:optimizer = adam").value == "adam"
    assert Where.parse('parameter:width = "16"').value == "16"
    assert Where.parse("parameter:nesterov = true").value is True
    assert Where.parse("score:validation/loss missing").operator == "missing"


@pytest.mark.parametrize("text", ["", "seconds", "seconds 3", "kind < true", "score:a contains 3 b"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Where.parse(text)


@given(CELLS)
def test_every_value_is_the_same_as_itself_and_only_numbers_have_an_order(value) -> None:
    field = Field("parameter", "x")
    assert Where(field, "=", value).holds(True, value)
    assert not Where(field, "!=", value).holds(True, value)
    below = Where(field, "<", 0.5).holds(True, value)
    assert below == (is_number(value) and value < 0.5)


def test_a_cell_is_plain_and_short() -> None:
    """Two long texts that begin alike stay two."""
    assert [cell(value) for value in (1, 2.5, True, None, "adam")] == [1, 2.5, True, None, "adam"]
    assert math.isnan(float(cell(math.nan) or 0))
    assert cell([1, "a"]) == "[1, 'a']"
    long, other = cell("x" * 999), cell("x" * 998 + "y")
    assert len(str(long)) < 260
    assert str(long)[:200] == str(other)[:200]
    assert long != other
