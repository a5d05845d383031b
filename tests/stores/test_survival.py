"""What was committed is there, however a process ended and however many wrote."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from art_training.records import StepState
from art_training.stores.sql import SqlStore

WRITING = Path(__file__).with_name("writing.py")


def start(where: Path, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITING), str(where), str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def committed(process: subprocess.Popen[str]) -> Sequence[list[str]]:
    said, complained = process.communicate()
    assert not complained, complained
    return [line.split() for line in said.splitlines() if " " in line]


def check(where: Path, said: Sequence[list[str]]) -> None:
    with closing(SqlStore(where)) as store:
        for what, run in said:
            if what == "run":
                assert store.run(run) is not None
            elif what == "points":
                assert len(store.curves(run)["loss"].steps) == 50
                assert store.log(run) == ["a", "b"]
            elif what == "outcome":
                assert store.outcome(run) is not None
            else:
                record = store.run(run)
                assert record is not None
                assert record.state is StepState.PASSED
        for summary in store.runs():
            assert len(store.curves(summary.id).get("loss", store).steps if store.curves(summary.id) else ()) in {0, 50}
    with closing(sqlite3.connect(where)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_a_process_killed_at_a_random_moment_loses_nothing_that_it_committed(tmp_path: Path) -> None:
    chance = random.Random(4)
    said: list[list[str]] = []
    total = 0
    for attempt in range(10):
        # In every third attempt the kill may come while the store is being made.
        where = tmp_path / f"{attempt // 3}" / "art.db"
        if attempt % 3 == 0:
            said = []
        process = start(where, attempt * 10_000, 10_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.1 if attempt % 3 == 0 else 0.5))
        process.kill()
        new = committed(process)
        said += new
        total += len(new)
        check(where, said)
    assert total > 20


@pytest.mark.slow
def test_eight_processes_may_write_at_once(tmp_path: Path) -> None:
    where = tmp_path / "art.db"  # Nobody has made it: all eight want to.
    processes = [start(where, number * 1000, 12) for number in range(8)]
    said = [line for process in processes for line in committed(process)]
    assert len(said) == 8 * 12 * 4
    check(where, said)
    with closing(SqlStore(where)) as store:
        assert store.count() == 8 * 12
