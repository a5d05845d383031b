"""What a running step has done: as it tells itself, and by its points where it did not."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import torch
from torch import nn

import art_training as art
from art_training.checks import Check
from art_training.project import ArtProject
from art_training.records import Outcome, ProcessId, RunStatus, StepProgress
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.stores import Point, RunQuery
from art_training.stores.memory import MemoryStore
from art_training.stores.progress import keep_progress
from art_training.stores.sql import SqlStore
from art_training.testing.history import BEGINNING, keep_run, verdict
from art_training.views.progress import progress_of

NOW = BEGINNING + timedelta(minutes=10, seconds=20)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def running(store, **changes):
    record = keep_run(store, "Overfit", minute=10, status=RunStatus.RUNNING, heartbeat=NOW, **changes)
    return store.run(record.id)


def told(**values) -> StepProgress:
    return StepProgress("Overfit", values.pop("phase", "fit"), **values)


def test_nothing_is_said_of_a_run_that_does_not_run(store):
    ended = keep_run(store, "Overfit")
    assert progress_of(store, ended) is None
    assert progress_of(store, running(store), NOW + timedelta(hours=1)) is None  # its heart fell silent


def test_a_step_that_told_nothing_has_only_a_clock(store):
    found = progress_of(store, running(store), NOW)
    assert (found.seconds, found.told, found.phase) == (20.0, NOW, "")
    assert (found.epoch, found.epochs, found.fraction) == (None, None, None)
    assert (found.expected_seconds, found.seconds_left, found.phase_seconds_left) == (None, None, None)


def test_what_the_run_told_last_is_shown_and_the_time_left_shrinks(store):
    record = running(store)
    at = NOW - timedelta(seconds=3)
    progress = told(epoch=2, epochs=10, batch=5, batches=8, fraction=0.25, seconds_left=30.0)
    keep_progress(store, "toy", record.id, progress, at)
    found = progress_of(store, record, NOW)
    assert (found.phase, found.epoch, found.epochs, found.batch, found.batches) == ("fit", 2, 10, 5, 8)
    assert (found.fraction, found.phase_seconds_left, found.seconds_left) == (0.25, 27.0, None)
    assert progress_of(store, record, NOW + timedelta(seconds=40)).phase_seconds_left is None


def test_what_another_run_told_is_not_shown(store):
    keep_progress(store, "toy", "another", told(fraction=0.5), NOW)
    assert progress_of(store, running(store), NOW).fraction is None
    store.remember("progress:toy", {"run": 7})
    assert progress_of(store, running(store), NOW).fraction is None


def test_the_time_left_is_what_it_took_before_and_no_less_than_its_phase_takes(store):
    keep_run(store, "Overfit", seconds=50.0, verdicts=[verdict("a")])
    record = running(store)
    assert progress_of(store, record, NOW).seconds_left == 30.0
    keep_progress(store, "toy", record.id, told(seconds_left=100.0), NOW)
    assert progress_of(store, record, NOW).seconds_left == 100.0
    found = progress_of(store, record, NOW + timedelta(seconds=31))
    assert (found.expected_seconds, found.seconds_left, found.phase_seconds_left) == (50.0, None, 69.0)


def test_a_run_that_went_on_counts_the_time_before(store):
    keep_run(store, "Overfit", seconds=50.0, verdicts=[verdict("a")])
    record = replace(running(store), seconds_before=25.0)
    found = progress_of(store, record, NOW)
    assert (found.seconds, found.seconds_left) == (45.0, 5.0)


@pytest.mark.parametrize(
    ("parameters", "epochs", "fraction"),
    [
        ({"trainer.max_epochs": 20}, 20, 0.2),
        ({"trainer.max_epochs": 20, "step.epochs": 8}, 8, 0.5),
        ({"trainer.max_epochs": 20, "step.max_steps": 100}, 20, 0.5),
        ({"trainer.max_epochs": -1}, None, None),
        ({"trainer.max_epochs": "many"}, None, None),
        ({"trainer.max_epochs": 2}, 2, 1.0),
        ({}, None, None),
    ],
)
def test_without_a_word_points_tell_the_share_of_the_declared_limits(store, parameters, epochs, fraction):
    record = running(store, parameters=parameters)
    points = [Point("train/loss", step, step // 12, 1.0) for step in range(1, 51)]
    store.append(record.id, points=[*points, Point("lr/0", 900, 80, 0.1)])
    found = progress_of(store, record, NOW)
    assert (found.epoch, found.epochs, found.fraction) == (4, epochs, fraction)


def test_points_of_several_trainings_do_not_tell_which_is_the_newest(store):
    record = running(store, parameters={"trainer.max_epochs": 20})
    store.append(record.id, points=[Point(f"trial {n}/train/loss", 9, n, 1.0) for n in range(2)])
    assert progress_of(store, record, NOW).fraction is None


@dataclass(frozen=True)
class Slow(Step):
    """Says how far it is, and waits until it was seen."""

    def run(self, bench: Bench) -> Outcome:
        bench.say("think", 0.5)
        SAID.set()
        assert SEEN.wait(20)
        return Outcome()

    def default_checks(self, task: object, metrics: Sequence[str]) -> Sequence[Check]:
        return ()


SAID, SEEN = threading.Event(), threading.Event()


def test_what_a_real_run_does_is_seen_through_another_connection(tmp_path):
    setup = Setup(
        art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1),
        art.data(train=(torch.eye(2), torch.tensor([0, 1]))),
    )
    project = ArtProject("toy", setup, steps=[Slow()], store=tmp_path / "art.db")
    thread = threading.Thread(target=project.run)
    thread.start()
    try:
        assert SAID.wait(20)
        store = SqlStore(tmp_path / "art.db", read_only=True)
        (summary,) = store.runs(RunQuery(step="Slow"))
        record = store.run(summary.id)
        found = progress_of(store, record)
    finally:
        SEEN.set()
        thread.join()
    assert ProcessId.parse(record.process).alive()
    assert record.process.split("|")[1] == str(os.getpid())
    assert (found.phase, found.fraction) == ("think", 0.5)
    assert 0 <= found.seconds < 20
    assert datetime.now(UTC) - found.told < timedelta(seconds=20)
    assert progress_of(store, store.run(record.id)) is None
    store.close()
    project.store.close()
