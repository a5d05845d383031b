"""Whoever shows a store notices what another process writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from art_training.stores.sql import SqlStore
from art_training.testing.records import BEGINNING, a_run

WRITER = Path(__file__).with_name("writing.py")


@pytest.mark.slow
@pytest.mark.parametrize("read_only", [False, True])
def test_each_write_of_another_process_is_noticed(tmp_path, read_only):
    path = tmp_path / "art.db"
    SqlStore(path).close()
    store = SqlStore(path, read_only=read_only)
    command = [sys.executable, str(WRITER), str(path), "0", "3"]
    noticed = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        before = store.revision()
        for _ in process.stdout:
            now = store.revision()
            noticed, before = noticed + (now != before), now
    assert process.returncode == 0
    assert noticed >= 3  # it may write faster than what it says is read, but each run waits for its disk
    after = store.revision()
    assert (store.count(), store.revision()) == (3, after)
    store.close()


def test_a_store_that_was_closed_and_opened_again_has_another_revision(tmp_path):
    store = SqlStore(tmp_path / "art.db")
    before = store.revision()
    store.close()
    assert store.revision() != before  # of another connection, which cannot say what was written between
    store.close()


def test_a_forked_process_asks_for_itself(tmp_path):
    store = SqlStore(tmp_path / "art.db")
    store.write(a_run())
    before = store.revision()
    child = os.fork()
    if child == 0:
        own = store.revision()
        store.beat("run-00000", BEGINNING)
        os._exit(0 if before != own != store.revision() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.revision() != before
    store.close()


def test_asking_for_the_revision_keeps_nothing_open(tmp_path):
    store = SqlStore(tmp_path / "art.db")
    store.write(a_run())
    store.revision()
    assert (tmp_path / "art.db-wal").exists()
    store.close()
    assert not (tmp_path / "art.db-wal").exists()  # it goes with the last connection
