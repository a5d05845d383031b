"""`art learn --broken`, as one types it."""

import pytest

from art_training.learning.dealing import Dealt, fault_called, lines_of
from art_training.rules.rule import CATEGORIES


@pytest.fixture
def dealt(art, tmp_path, monkeypatch):
    answer = art("learn", "--broken", "lesson")
    assert answer.code == 0
    assert "cd lesson" in answer.out
    monkeypatch.chdir(tmp_path / "lesson")
    return fault_called(Dealt.read(tmp_path / "lesson").fault)


def test_a_right_answer_is_told_with_the_fault_and_its_rule(art, dealt):
    answer = art("learn", "--answer", dealt.categories[0], "--where", f"{dealt.file}:{lines_of(dealt).start}")
    assert answer.code == 0
    assert answer.out.startswith(f"Right, at the first try: {dealt.categories[0]}.")
    assert f"art explain {dealt.rule}" in " ".join(answer.out.split())


def test_a_wrong_one_draws_a_hint_and_no_more(art, dealt):
    wrong = next(one for one in CATEGORIES if one not in dealt.categories)
    answer = art("learn", "--answer", wrong)
    assert answer.code == 1
    assert answer.out.startswith(f"Not {wrong}.")
    assert dealt.rule not in answer.out


def test_giving_up_tells_it_and_another_can_be_dealt_in_the_same_folder(art, dealt, tmp_path):
    assert " ".join(dealt.why.split()) in " ".join(art("learn", "--give-up").out.split())
    again = art("learn", "--broken")
    assert again.code == 0
    assert "cd " not in again.out
    assert Dealt.read(tmp_path / "lesson").fault != dealt.name


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--answer", "loss"], "no broken project was dealt into"),
        (["--where", "model.py:3"], "goes with --answer"),
        (["--broken", "--give-up"], "exclude each other"),
    ],
)
def test_wrong_use_is_one_sentence(art, arguments, sentence):
    answer = art("learn", *arguments)
    assert answer.code == 2
    assert sentence in answer.err
    assert answer.err.count("\n") == 1
