"""Faults that are dealt: each is one edit, and ART finds it."""

import json
import os
import subprocess
import sys

import pytest

from art_training.learning.dealing import lines_of, project
from art_training.learning.faults import FAULTS
from art_training.rules import rule_called
from art_training.rules.rule import CATEGORIES


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_is_one_edit_that_compiles(fault):
    healthy, broken = project(), project(fault)
    assert healthy[fault.file].count(fault.right) == 1
    assert {name for name in healthy if healthy[name] != broken[name]} == {fault.file}
    compile(broken[fault.file], fault.file, "exec")
    before, after = healthy[fault.file].splitlines(), broken[fault.file].splitlines()
    changed = lines_of(fault)
    assert before[: changed.start - 1] == after[: changed.start - 1]
    assert before[changed.start - 1] != after[changed.start - 1]
    assert after[changed.stop - 1 :] == before[len(before) - len(after) + changed.stop - 1 :]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_is_told_in_words_that_exist(fault):
    assert set(fault.categories) <= set(CATEGORIES)
    assert rule_called(fault.rule) is not None
    assert fault.why.endswith(".")
    assert fault.symptom.endswith(".")


def test_names_are_unique():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def diagnosed(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)
    answer = subprocess.run(
        [sys.executable, "-m", "art_training", "diagnose", "--format", "json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found = [one for one in json.loads(answer.stdout)["findings"] if one["severity"] != "info"]
    return answer.returncode, {(one["rule"], one["category"]) for one in found}


@pytest.mark.slow
def test_a_diagnosis_says_nothing_of_the_healthy_project(tmp_path):
    assert diagnosed(tmp_path, project()) == (0, set())


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_diagnosis_finds_each(tmp_path, fault):
    code, found = diagnosed(tmp_path, project(fault))
    assert code == 1
    assert fault.rule in {rule for rule, _ in found}
    assert fault.categories[0] in {category for _, category in found}
