import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from art_training.cli.failing import run
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_toy_project


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def a_quiet_world(monkeypatch, tmp_path):
    """Eighty columns, one time zone, an empty working directory, and no trace of imported project files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("ART_STORE", "ART_ARTIFACTS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def art(capsys) -> Callable[..., Answer]:
    """The command line in this process."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture
def toy(tmp_path) -> Path:
    """A folder with the store of a project that has run, and without its file."""
    store = SqlStore(tmp_path / ".art" / "art.db")
    keep_toy_project(store)
    store.close()
    return tmp_path
