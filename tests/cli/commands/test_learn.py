"""`art learn`: which tutorials there are, and copies of them."""

import os
import subprocess
import sys

import nbformat
import pytest

from art_training.cli.tutorials import tutorials


def test_the_tutorials_are_listed_with_title_and_minutes(art):
    answer = art("learn")
    assert answer.code == 0
    lines = answer.out.splitlines()
    for name, one in tutorials().items():
        assert any(line.startswith(f"{name} ") and line.endswith(f" {one.minutes}") for line in lines), name


def test_a_copy_is_a_notebook_and_how_to_open_it_is_said(art, tmp_path):
    answer = art("learn", "digits", "my lessons")
    assert answer.code == 0
    nbformat.validate(nbformat.read(tmp_path / "my lessons" / "digits.ipynb", as_version=4))
    assert "cd 'my lessons'" in answer.out
    assert "jupyter lab digits.ipynb" in answer.out


def test_a_copy_is_a_script_where_that_is_wanted(art, tmp_path):
    answer = art("learn", "transformer", "--script")
    assert answer.code == 0
    assert answer.out.endswith("Run it:\n\n    python transformer.py\n")
    compile((tmp_path / "transformer.py").read_text(), "transformer.py", "exec")


def test_what_is_there_stays_as_it_is(art, tmp_path):
    (tmp_path / "digits.ipynb").write_text("mine")
    answer = art("learn", "digits")
    assert answer.code == 2
    assert answer.err == "Error: digits.ipynb is there already, and stays as it is; name another folder\n"
    assert (tmp_path / "digits.ipynb").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_told(art, tmp_path):
    (tmp_path / "lessons").write_text("mine")
    answer = art("learn", "digits", "lessons")
    assert answer.code == 2
    assert answer.err.startswith("Error: lessons is there already")


def test_a_tutorial_that_there_is_not_is_one_sentence(art):
    answer = art("learn", "qqqqq")
    assert answer.code == 2
    assert answer.err == "Error: no tutorial is called 'qqqqq'; `art learn` lists them\n"


@pytest.mark.slow
def test_a_script_runs_as_it_is(art, tmp_path):
    art("learn", "regression", "--script")
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "TQDM_DISABLE": "1"}
    done = subprocess.run(
        [sys.executable, "regression.py"],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Regularised" in done.stdout
    assert "None" not in done.stdout.splitlines()
