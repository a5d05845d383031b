import math
from contextlib import closing
from dataclasses import replace

import pytest

from art_training.dashboard.parts.curves import Look
from art_training.dashboard.parts.reading import Reading
from art_training.errors import ProjectError
from art_training.records import Judgement, RunStatus, StepProgress
from art_training.stores import Point
from art_training.stores.progress import keep_progress
from art_training.stores.sql import SqlStore
from art_training.testing.history import BEGINNING, keep_run, verdict
from art_training.views.health import health_of
from art_training.views.history import LogTail


@pytest.fixture
def store(tmp_path):
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def test_what_has_ended_is_read_once_and_judged_again_it_is_read_again(store):
    record = keep_run(store, "A", curves={"train/loss": [2.0, 1.0]}, verdicts=[verdict("a")])
    reading = Reading(record.id)
    first = reading.read(store, Look())
    assert reading.read(store, Look()).view is first.view
    again = store.judgements(record.id)[0]
    store.judge(record.id, Judgement((verdict("b"),), again.at, again.state))
    assert [row.check for row in reading.read(store, Look()).view.checks] == ["b"]


def test_a_run_that_trains_is_read_until_it_has_ended(store):
    record = keep_run(store, "A", status=RunStatus.RUNNING)
    reading = Reading(record.id)
    assert reading.read(store, Look()).points == ()
    store.append(record.id, points=[Point("logged/grad_norm/head", 0, 0, 1.0)], lines=["a line"])
    found = reading.read(store, Look())
    assert found.log == LogTail(0, ("a line",))
    assert [row.layer for row in found.health.layers] == ["head"]
    store.write(replace(record, status=RunStatus.ERRORED, ended=BEGINNING, error="it broke"))
    assert reading.read(store, Look()).view.record.error == "it broke"


class Counting(SqlStore):
    """Notes what is read of curves and logs."""

    curves_read: list[str]
    lines_read = 0

    def sampled(self, run, names=None, **within):
        self.curves_read += self.courses(run) if names is None else names
        return super().sampled(run, names, **within)

    def log(self, run, *, after=0):
        lines = super().log(run, after=after)
        self.lines_read += len(lines)
        return lines


def test_of_a_run_that_trains_only_what_is_new_is_read(tmp_path):
    layers = {f"{name}/{n}": [1.0] * 50 for n in range(20) for name in ("logged/grad_norm", "layers/grad_norm")}
    with closing(Counting(tmp_path / "art.db")) as store:
        run = keep_run(
            store, "A", status=RunStatus.RUNNING, curves=layers | {"train/loss": [1.0] * 50}, lines=["x"] * 5000
        ).id
        keep_progress(store, "toy", run, StepProgress("A", "fit"), BEGINNING)
        store.curves_read = []
        reading = Reading(run)
        first = reading.read(store, Look())
        assert (first.log.first, len(first.log.lines), store.lines_read) == (4000, 1000, 1000)
        assert sorted(store.curves_read) == sorted([*layers, "train/loss"])

        store.curves_read, store.lines_read = [], 0
        store.append(run, points=[Point("train/loss", 50, 0, 2.0)], lines=["new"])
        found = reading.read(store, Look())
        assert (store.curves_read, store.lines_read) == (["train/loss"], 1)
        assert found.health is first.health
        assert (found.log.first, found.log.lines[-2:], len(found.log.lines)) == (4001, ("x", "new"), 1000)

        store.curves_read = []
        store.append(run, points=[Point("layers/grad_norm/3", 50, 0, math.nan)])
        found = reading.read(store, Look())
        assert store.curves_read == ["layers/grad_norm/3"]
        assert found.health.layers[0].layer == "3"
        assert repr(found.health) == repr(health_of(store, run))


def test_a_run_is_read_with_the_one_that_it_can_be_compared_with(store):
    before = keep_run(store, "A", minute=0)
    keep_run(store, "A", minute=1, status=RunStatus.INTERRUPTED)
    after = keep_run(store, "A", minute=2)
    assert Reading(after.id).read(store, Look()).before == before.id
    assert Reading(before.id).read(store, Look()).before == ""


def test_a_run_that_there_is_not_is_told(store):
    with pytest.raises(ProjectError, match=r"there is no run 'x' in this store"):
        Reading("x").read(store, Look())
