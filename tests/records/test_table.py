import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.records.table import _fitted, text_table

HEAD = ("step", "verdict", "checks", "time")
ROW = ("OverfitOneBatch", "passed", "✓ no NaN or infinity: 2 scores and 5 curves, all finite, " * 3, "0.8 s")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_table_is_as_wide_as_the_terminal_and_loses_nothing(monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = text_table(HEAD, [ROW, ("Overfit", "failed", "short", "")]).splitlines()
    assert columns - 12 < max(map(len, lines)) <= columns
    assert " ".join(lines).count("infinity:") == 3
    assert lines[2].endswith("0.8 s")


def test_a_table_that_has_room_is_no_wider_than_what_it_holds(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert text_table(("a", "b"), [("x", "some words")]) == "a  b\n-  ----------\nx  some words"


@given(widths=st.lists(st.integers(0, 300), min_size=1, max_size=6), room=st.integers(1, 300))
def test_only_columns_that_are_too_wide_give_way(widths: list[int], room: int) -> None:
    fitted = _fitted(widths, room)
    assert all(min(width, 16) <= cut <= width for cut, width in zip(fitted, widths, strict=True))
    assert sum(fitted) + 2 * (len(widths) - 1) <= room or max(fitted) <= 16
