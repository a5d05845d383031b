"""Folders of unfinished work, and which of them are abandoned."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from art_training.records import Fingerprint, RunRecord, RunStatus
from art_training.stores.retention import collect
from art_training.stores.sql import SqlStore
from art_training.stores.workspaces import project_folder, step_folder
from art_training.testing.records import a_run


def now() -> datetime:
    """The time of the test, which may come long after this file was read."""
    return datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def written(store: SqlStore, number: int, status: RunStatus, made_of: str) -> tuple[RunRecord, Path]:
    """A run that began `number` hours before now, and the folder in which it wrote ten bytes."""
    run = a_run(number, started=now() - timedelta(hours=number), status=status)
    run = replace(run, fingerprint=Fingerprint({"model": made_of}))
    store.write(run)
    folder = step_folder(project_folder(store, run.project), run.step, run.fingerprint.digest)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "epoch-1.ckpt").write_text("0123456789")
    return run, folder


@pytest.mark.parametrize("status", [RunStatus.KILLED, RunStatus.INTERRUPTED, RunStatus.RUNNING])
def test_the_work_of_a_steps_newest_run_stays_while_it_may_go_on(store: SqlStore, status: RunStatus) -> None:
    _, folder = written(store, 1, status, "today")
    collect(store)
    assert folder.is_dir()


def test_work_is_freed_once_a_newer_run_was_made_of_something_else(store: SqlStore) -> None:
    _, old = written(store, 2, RunStatus.KILLED, "yesterday")
    _, new = written(store, 1, RunStatus.KILLED, "today")
    would = collect(store, dry=True)
    assert old.is_dir()
    done = collect(store)
    assert would.freed == done.freed
    assert [one.bytes for one in done.freed] == [10]
    assert "will not be taken up" in done.freed[0].why
    assert not old.exists()
    assert new.is_dir()
    assert done.kept == 0


def test_the_work_of_a_project_that_runs_now_is_left_alone(store: SqlStore) -> None:
    run, old = written(store, 2, RunStatus.ERRORED, "yesterday")
    with store.lock(run.project), closing(SqlStore(store.path)) as other:
        assert collect(other).freed == ()
    assert old.is_dir()
    collect(store)
    assert not old.exists()
