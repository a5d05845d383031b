import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SETTINGS = "_subdirectory: template\nname: {type: str}\nclasses: {type: int, default: 10}\n"
ANSWERS = "{{ _copier_answers|to_nice_yaml -}}\n"

Git = Callable[..., str]


def in_git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def git() -> Git:
    return in_git


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A template that somebody else has written, as a folder."""
    folder = tmp_path / "theirs"
    (folder / "template").mkdir(parents=True)
    (folder / "copier.yml").write_text(SETTINGS)
    (folder / "template" / "art_project.py.jinja").write_text("NAME = '{{ name }}'\nCLASSES = {{ classes }}\n")
    (folder / "template" / "{{ _copier_conf.answers_file }}.jinja").write_text(ANSWERS)
    return folder


@pytest.fixture
def versioned(theirs: Path) -> Path:
    """The same in a git repository, with a tag."""
    in_git(theirs, "init", "--quiet", "--initial-branch=main")
    in_git(theirs, "add", "--all")
    in_git(theirs, "commit", "--quiet", "--message", "one")
    in_git(theirs, "tag", "v1")
    return theirs
