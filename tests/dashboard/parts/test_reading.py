from contextlib import closing
from dataclasses import replace

import pytest

from art_training.dashboard.parts.curves import Look
from art_training.dashboard.parts.reading import Reading
from art_training.errors import ProjectError
from art_training.records import Judgement, RunStatus
from art_training.stores import Point
from art_training.stores.sql import SqlStore
from art_training.testing.history import BEGINNING, keep_run, verdict


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
    assert found.lines == ("a line",)
    assert [row.layer for row in found.health.layers] == ["head"]
    store.write(replace(record, status=RunStatus.ERRORED, ended=BEGINNING, error="it broke"))
    assert reading.read(store, Look()).view.record.error == "it broke"


def test_a_run_is_read_with_the_one_that_it_can_be_compared_with(store):
    before = keep_run(store, "A", minute=0)
    keep_run(store, "A", minute=1, status=RunStatus.INTERRUPTED)
    after = keep_run(store, "A", minute=2)
    assert Reading(after.id).read(store, Look()).before == before.id
    assert Reading(before.id).read(store, Look()).before == ""


def test_a_run_that_there_is_not_is_told(store):
    with pytest.raises(ProjectError, match=r"there is no run 'x' in this store"):
        Reading("x").read(store, Look())
