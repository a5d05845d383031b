"""Text out of a store, made harmless to read."""

from hypothesis import given
from hypothesis import strategies as st

from art_training.views.visible import name, spelled, visible


@given(st.text(st.characters(codec=None)))
def test_what_is_shown_can_be_written_and_holds_nothing_unseen(text):
    shown = visible(text)
    shown.encode()
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\x00\x1b\x9b")


def test_direction_marks_are_spelled_out():
    assert visible("abc\u202edef") == "abc\\u202edef"


def test_letters_of_all_scripts_stay():
    for text in ("Zażółć gęślą jaźń", "学习率", "דיוק", "τ = 0.5", "a\tb\nc"):
        assert visible(text) == text


def test_very_long_text_is_cut_and_says_so_but_what_is_copied_is_whole():
    assert len(visible("x" * 100_000)) < 4100
    assert "96,000 more characters" in visible("x" * 100_000)
    assert len(spelled("x" * 100_000)) == 100_000


def test_a_name_is_one_line_that_fits_a_heading():
    assert name("a\nb  c") == "a b c"
    assert len(name("x" * 5000)) == 120
    assert name(" ") == "(no name)"
