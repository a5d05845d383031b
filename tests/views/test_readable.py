import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.records import plain
from art_training.views.readable import readable

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("adam", "adam"),
        (0.30490006193497915, "0.3049"),
        (20000000, "20000000"),
        (None, "None"),
        ({}, ""),
        ([], ""),
        ({"lr": 0.1, "callbacks": {}, "note": ""}, "lr=0.1"),
        ({"loss": plain(object), "sizes": [1, 2]}, "loss=builtins.object, sizes=[1, 2]"),
        (plain(object), "builtins.object"),
        ([{"a": 1}, "b"], "(a=1), b"),
        (list(range(12)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 2 more"),
        ({"each": [{"a": 1}] * 64}, "each=[64 entries]"),
        ({"train": {"0": {"rows": 3}, "rows": 4}, "test": {}}, "train: rows=4\ntrain 0: rows=3"),
    ],
)
def test_plain_data_is_said_without_the_signs_of_python(value, text):
    assert readable(value) == text


def test_declared_numbers_keep_their_digits():
    assert readable(0.00012345, exact=True) == "0.00012345"


@given(PLAIN)
def test_any_plain_data_can_be_read(value):
    assert isinstance(readable(value), str)
