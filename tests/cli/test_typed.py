import os
import sys
from pathlib import Path

import pytest

from art_training.cli.typed import as_typed, respelled


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A script that stands for the one that runs."""
    script = tmp_path / "my env" / "bin" / "art"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    return script


def test_the_name_is_enough_where_the_shell_finds_this_very_program(own, tmp_path, monkeypatch):
    link = tmp_path / "links" / "art"
    link.parent.mkdir()
    link.symlink_to(own)
    for folder in (own.parent, link.parent):
        monkeypatch.setenv("PATH", str(folder))
        assert as_typed(tmp_path) == "art"


def test_another_installation_on_the_path_is_not_meant(own, tmp_path, monkeypatch):
    other = tmp_path / "other" / "art"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert as_typed(tmp_path / "demo") == "'../my env/bin/art'"


def test_a_folder_far_away_gets_the_whole_path(own, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert as_typed(Path("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3")) == f"'{own}'"


def test_without_a_script_python_is_called(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [os.devnull])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert as_typed(tmp_path) == f"{tmp_path}/python -m art_training"


def test_commands_of_a_sentence_are_spelled_anew():
    assert respelled("type `art run`, not art; `artful`", "../bin/art") == "type `../bin/art run`, not art; `artful`"
