"""Broken projects are dealt into folders."""

import itertools
import random

import pytest

from art_training.errors import UsageError
from art_training.learning.dealing import SEALED, Dealt, deal, project
from art_training.learning.faults import FAULTS


def test_a_folder_gets_the_project_with_one_fault_and_nothing_that_names_it(tmp_path):
    folder = deal(tmp_path / "broken", random.Random(0))
    fault = next(one for one in FAULTS if one.name == Dealt.read(folder).fault)
    written = {file.name: file.read_text() for file in folder.glob("*.py")}
    assert written == project(fault)
    for file in folder.iterdir():
        text = file.read_bytes()
        assert fault.name.encode() not in text
        assert fault.rule.encode() not in text


def test_no_fault_comes_twice_before_all_have_come(tmp_path):
    names = [Dealt.read(deal(tmp_path / "broken", random.Random(7))).fault for _ in range(2 * len(FAULTS))]
    assert len(set(names[: len(FAULTS)])) == len(FAULTS)
    assert all(one != other for one, other in itertools.pairwise(names))


def test_what_is_there_already_is_left_as_it_is(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="is there already and holds something else"):
        deal(folder)
    assert [one.name for one in folder.iterdir()] == ["thesis.tex"]


def test_a_folder_that_nothing_was_dealt_into_is_told(tmp_path):
    with pytest.raises(UsageError, match="no broken project was dealt into"):
        Dealt.read(tmp_path)
    (tmp_path / SEALED).write_bytes(b"peeked")
    with pytest.raises(UsageError, match="was changed"):
        Dealt.read(tmp_path)
