"""Which store is meant."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from art_training.errors import StoreError, UsageError
from art_training.stores.memory import MemoryStore
from art_training.stores.sql import SqlStore
from art_training.stores.where import database_file, looking, open_store
from art_training.testing.history import keep_run


def location(where: object, folder: Path, **options: bool) -> str:
    with closing(open_store(where, project_folder=folder, **options)) as store:  # type: ignore[arg-type]
        return store.location


def test_without_a_word_it_lies_beside_the_project(tmp_path: Path) -> None:
    assert location(None, tmp_path / "p") == str(tmp_path / "p" / ".art" / "art.db")
    assert (tmp_path / "p" / ".art" / "art.db").exists()


def test_a_relative_project_folder_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    location(None, Path("a/b"))
    location("given.db", Path("a/b"))
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db")} == {
        "a/b/.art/art.db",
        "a/b/given.db",
    }
    assert database_file(Path("a/b")) == Path("a/b/.art/art.db")


def test_the_environment_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ART_STORE", str(tmp_path / "elsewhere.db"))
    assert location(None, tmp_path / "p") == str(tmp_path / "elsewhere.db")
    assert location(tmp_path / "given.db", tmp_path) == str(tmp_path / "given.db")


@pytest.mark.parametrize("where", ["memory", "memory:", "memory://"])
def test_it_may_live_in_memory(where: str, tmp_path: Path) -> None:
    assert location(where, tmp_path) == "memory://"


def test_a_store_is_given_back_as_it_is(tmp_path: Path) -> None:
    store = MemoryStore()
    assert open_store(store, project_folder=tmp_path) is store


def test_paths_may_be_urls_relative_or_in_the_home_folder(tmp_path: Path) -> None:
    assert location(f"sqlite:///{tmp_path}/a.db", tmp_path) == f"{tmp_path}/a.db"
    assert location("sqlite:///b.db", tmp_path) == f"{tmp_path}/b.db"
    assert location("sub/c.db", tmp_path) == f"{tmp_path}/sub/c.db"
    assert location("~/d.db", tmp_path) == str(tmp_path / "home" / "d.db")
    assert location("with space?mode=ro#é%20.db", tmp_path) == f"{tmp_path}/with space?mode=ro#é%20.db"
    assert (tmp_path / "with space?mode=ro#é%20.db").exists()


def test_a_path_of_the_environment_begins_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("ART_STORE", "e.db")
    assert location(None, tmp_path / "project") == f"{tmp_path}/here/e.db"
    assert location("given.db", tmp_path) == f"{tmp_path}/given.db"


def test_other_databases_are_refused_for_now(tmp_path: Path) -> None:
    for where in ("postgresql://x/y", "sqlite://", "sqlite+pysqlite:///x"):
        with pytest.raises(UsageError, match=rf"'{re.escape(where)}' cannot be opened: .*; give a path"):
            open_store(where, project_folder=tmp_path)


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store at"):
        open_store(None, project_folder=tmp_path / "p", read_only=True)
    assert not (tmp_path / "p").exists()


def test_artifacts_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ART_ARTIFACTS", str(tmp_path / "big-disk"))
    (tmp_path / "x").write_bytes(b"x")
    with closing(open_store(None, project_folder=tmp_path)) as store:
        digest = store.artifacts.put(tmp_path / "x", name="x").digest
        assert store.artifacts.fetch(digest).is_relative_to(tmp_path / "big-disk")
    with closing(SqlStore(tmp_path / "other.db", artifacts=tmp_path / "big-disk")) as other:
        assert not other.artifacts.has(digest)  # Stores that share a place do not free each other's files.


def test_whoever_only_looks_leaves_nothing_behind(tmp_path: Path) -> None:
    with looking():
        empty = open_store(None, project_folder=tmp_path)
        assert empty.location == str(tmp_path / ".art" / "art.db")
        assert empty.projects() == []
        empty.close()
    assert not (tmp_path / ".art").exists()
    open_store(None, project_folder=tmp_path).close()
    with (
        looking(),
        closing(open_store(None, project_folder=tmp_path)) as store,
        pytest.raises(StoreError, match="reading"),
    ):
        keep_run(store, "A")


@pytest.mark.parametrize(
    ("wanted", "file"),
    [
        (None, "project/.art/art.db"),
        ("elsewhere.db", "here/elsewhere.db"),
        ("sqlite:///elsewhere.db", "here/elsewhere.db"),
        ("memory", None),
        ("postgres://host/name", None),
    ],
)
def test_the_file_is_known_without_opening_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str | None, file: str | None
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    if wanted is None:
        monkeypatch.delenv("ART_STORE", raising=False)
    else:
        monkeypatch.setenv("ART_STORE", wanted)
    assert database_file(tmp_path / "project") == (None if file is None else tmp_path / file)
    assert not (tmp_path / "project").exists()
