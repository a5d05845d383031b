import functools
import json
import traceback

import pytest

from art_training.errors import ProjectError
from art_training.setup.frames import fold, folding, is_users, users_lines


def fails(*_: object) -> None:
    raise ZeroDivisionError("the user's own")


def test_a_folded_mistake_keeps_the_users_lines_and_nothing_else() -> None:
    def mistaken() -> None:
        try:
            json.loads("1", object_hook=None, parse_int=fails)  # frames of Python itself stand between
        except ZeroDivisionError as error:
            raise ProjectError("one sentence") from error

    with pytest.raises(ProjectError) as raised:
        folding(mistaken)()
    fold(raised.value)
    for error in (raised.value, raised.value.__cause__):
        assert error is not None
        assert all(is_users(frame.filename) for frame in traceback.extract_tb(error.__traceback__))
    assert {"mistaken", "fails"} <= {line.function for line in users_lines(raised.value)}


def test_a_function_that_folds_shows_neither_itself_nor_its_wrapper() -> None:
    @folding
    @functools.wraps(fails)
    def called() -> None:
        fails()

    with pytest.raises(ZeroDivisionError) as raised:
        called()
    names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert names == ["test_a_function_that_folds_shows_neither_itself_nor_its_wrapper", "called", "fails"]


def test_a_line_is_told_with_its_place_and_its_text() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        fails()
    assert str(users_lines(raised.value)[-1]).startswith("test_frames.py:")
    assert str(users_lines(raised.value)[-1]).endswith('`raise ZeroDivisionError("the user\'s own")`')
