import shutil
from pathlib import Path

import pytest

from art_training.templates.repository import begin_repository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "leaves"
    made.mkdir()
    (made / "file").write_text("text")
    return made


def test_there_is_a_first_commit_by_whoever_git_knows(folder: Path, git, monkeypatch: pytest.MonkeyPatch) -> None:
    git(folder, "config", "--global", "user.name", "Ada")
    git(folder, "config", "--global", "user.email", "ada@example.org")
    assert begin_repository(folder, "Begin") == "It is a git repository with a first commit."
    assert git(folder, "log", "--format=%an <%ae> %s").strip() == "Ada <ada@example.org> Begin"
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "branch", "--show-current").strip() == "main"


def test_without_an_identity_the_commit_is_by_nobody_and_nothing_is_configured(folder: Path, git) -> None:
    told = begin_repository(folder, "Begin")
    assert told.endswith("by nobody, for git knows no user.name and user.email; `git config --global` sets them.")
    assert git(folder, "log", "--format=%an").strip() == "art new"
    assert "user" not in (folder / ".git" / "config").read_text()


def test_inside_another_repository_nothing_is_done(folder: Path, git) -> None:
    git(folder.parent, "init", "--quiet")
    assert "where nothing was committed" in begin_repository(folder, "Begin")
    assert not (folder / ".git").exists()


def test_without_git_the_project_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert begin_repository(folder, "Begin") == "There is no git repository: git is not installed."


def test_a_commit_that_git_refuses_is_told_in_its_words(folder: Path, git) -> None:
    hooks = folder.parent / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    git(folder, "config", "--global", "core.hooksPath", str(hooks))
    assert begin_repository(folder, "Begin") == "It is a git repository without a commit: git says 'not today'."
    shutil.rmtree(hooks)
