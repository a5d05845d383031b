"""Answers are marked."""

import pytest

from art_training.errors import UsageError
from art_training.learning.dealing import Dealt, deal, fault_called, lines_of
from art_training.learning.marking import given_up, mark
from art_training.rules.rule import CATEGORIES


@pytest.fixture
def folder(tmp_path):
    return deal(tmp_path / "broken")


@pytest.fixture
def fault(folder):
    return fault_called(Dealt.read(folder).fault)


def test_the_right_category_is_right_and_so_is_the_place_near_it(folder, fault):
    first = lines_of(fault).start
    assert mark(folder, fault.categories[0]).right
    found = mark(folder, fault.categories[-1], f"{fault.file}:{first + 1}")
    assert (found.right, found.place, found.tries, found.hint) == (True, True, 2, "")


def test_the_right_category_at_a_wrong_place_is_not_yet_right(folder, fault):
    found = mark(folder, fault.categories[0], f"{fault.file}:{lines_of(fault).stop + 30}")
    assert found.category
    assert not found.right
    other = next(name for name in ("model.py", "data.py") if name != fault.file)
    assert not mark(folder, fault.categories[0], f"{other}:{lines_of(fault).start}").right


def test_hints_say_more_with_each_wrong_answer(folder, fault):
    wrong = next(one for one in CATEGORIES if one not in fault.categories)
    hints = [mark(folder, wrong).hint for _ in range(3)]
    assert hints[0] == fault.symptom
    assert hints[1].startswith(f"It is in {fault.file}.")
    assert f"line {lines_of(fault).start} of {fault.file}" in hints[2]


def test_giving_up_tells_which_it_was(folder, fault):
    assert given_up(folder) == fault


@pytest.mark.parametrize(
    ("category", "where", "said"),
    [
        ("los", "", r"no category is called 'los' \(did you mean 'loss'\?\)"),
        ("loss", "model.py", "--where model.py is no place; write the file and the line"),
        ("loss", "model.py:x", "is no place"),
    ],
)
def test_an_answer_that_is_none_is_told_and_not_counted(folder, category, where, said):
    with pytest.raises(UsageError, match=said):
        mark(folder, category, where)
    assert Dealt.read(folder).tries == 0
