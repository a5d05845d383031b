import functools
import json
import traceback
from collections.abc import Callable

import pytest
from torch.utils.data import DataLoader, Dataset

from art_training.errors import ProjectError
from art_training.setup.frames import fold, folding, is_users, raised, users_lines


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


class Rows(Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        return self.read(index)

    def read(self, index: int) -> int:
        raise ValueError(f"no row {index}\nand more")


def caught(call: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as info:
        call()
    return info.value


def test_what_was_raised_is_told_with_the_first_function_the_last_and_the_line() -> None:
    told = raised(caught(lambda: json.loads("[1]", parse_int=lambda _: Rows()[2])))
    assert told.startswith("ValueError: no row 2, in ")
    assert "Rows.read at test_frames.py:" in told
    assert "\n" not in told


def test_a_sentence_of_art_gets_the_function_that_it_does_not_name() -> None:
    def fails_with(sentence: str) -> object:
        raise ProjectError(sentence)

    assert raised(ProjectError("one sentence")) == "one sentence"
    told = raised(caught(lambda: fails_with("one sentence")))
    assert told.startswith("one sentence (in ")
    assert "fails_with" in told


def test_leaving_python_without_a_word_has_a_name() -> None:
    assert raised(SystemExit()) == "SystemExit"
    assert raised(KeyError("x" * 400)).endswith("...")


def test_what_another_process_raised_is_told_with_its_line_there() -> None:
    told = raised(caught(lambda: next(iter(DataLoader(Rows(), num_workers=1)))))
    assert told.startswith(
        "in DataLoader worker process 0, ValueError: no row 0, in __getitem__, read at test_frames.py:"
    )
