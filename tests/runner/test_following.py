from datetime import UTC, datetime

import pytest

from art_training.records import StepProgress
from art_training.runner.following import Following
from art_training.stores.memory import MemoryStore
from art_training.stores.progress import kept_progress
from art_training.stores.sql import SqlStore


def told(store) -> tuple[str, float | None]:
    found = kept_progress(store, "toy", "run")
    assert (datetime.now(UTC) - found.at).total_seconds() < 60
    return found.phase, found.fraction


def test_a_phase_is_remembered_when_it_begins_and_then_every_second(monkeypatch):
    store, now = MemoryStore(), 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    following = Following(store, "toy", "run")
    for fraction in (0.0, 0.1, 0.2):
        following.follow(StepProgress("A", "fit", fraction=fraction))
    assert told(store) == ("fit", 0.0)
    now = 101.0
    following.follow(StepProgress("A", "fit", fraction=0.3))
    assert told(store) == ("fit", 0.3)
    following.follow(StepProgress("A", "evaluate validation"))
    assert told(store) == ("evaluate validation", None)
    assert kept_progress(store, "toy", "other") is None


def test_a_store_that_cannot_be_written_does_not_end_the_run(tmp_path):
    store = SqlStore(tmp_path / "art.db", busy_seconds=0.05)
    with store._database.write("NORMAL"):
        Following(SqlStore(tmp_path / "art.db", busy_seconds=0.05), "toy", "run").follow(StepProgress("A", "fit"))
    assert kept_progress(store, "toy", "run") is None
    store.close()


@pytest.mark.parametrize("fraction", [0.5, None])
def test_what_is_told_is_read_as_it_was(tmp_path, fraction):
    store = SqlStore(tmp_path / "art.db")
    Following(store, "toy", "run").follow(StepProgress("A", "fit", 2, 5, 3, 8, fraction, 7.5, {"train/loss": 0.1}))
    found = kept_progress(store, "toy", "run")
    assert (found.epoch, found.epochs, found.batch, found.batches) == (2, 5, 3, 8)
    assert (found.fraction, found.seconds_left) == (fraction, 7.5)
    store.close()
