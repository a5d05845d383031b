import math
from contextlib import closing

import pytest

from art_training.dashboard.parts.curves import Look
from art_training.dashboard.parts.growing import Growing
from art_training.records import RunStatus
from art_training.stores import Point
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.views import points_of, view_of


@pytest.fixture
def store(tmp_path):
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


@pytest.fixture
def run(store):
    return keep_run(store, "Overfit", status=RunStatus.RUNNING).id


def _write(store, run, name, begin, end, value=float):  # noqa: PLR0917  As a sentence.
    store.append(run, points=[Point(name, step, 0, value(step)) for step in range(begin, end)])


def _read(growing, store):
    return growing.read(store, view_of(store, store.run(growing.run)).curves)


def test_what_is_read_piece_by_piece_is_what_is_read_at_once(store, run):
    growing = Growing(run)
    for begin, end in ((0, 3), (3, 4), (4, 100), (100, 400)):
        _write(store, run, "train/loss", begin, end)
        _write(store, run, "validation/loss", begin // 10, end // 10)
        assert _read(growing, store) == points_of(store, run)


def test_a_curve_that_begins_later_and_at_the_first_step_is_seen(store, run):
    growing = Growing(run)
    _write(store, run, "trial 0/train/loss", 0, 50)
    _read(growing, store)
    _write(store, run, "trial 1/train/loss", 0, 2)
    assert [row.name for row in _read(growing, store)] == ["trial 0/train/loss", "trial 1/train/loss"]


def test_a_point_that_is_replaced_is_read_again(store, run):
    growing = Growing(run)
    _write(store, run, "train/loss", 0, 5)
    _read(growing, store)
    store.append(run, points=[Point("train/loss", 1, 0, 99.0)])
    assert _read(growing, store)[0].values[1] == 99.0


def test_a_run_that_diverges_keeps_its_gap(store, run):
    growing = Growing(run)
    _write(store, run, "train/loss", 0, 5)
    _read(growing, store)
    _write(store, run, "train/loss", 5, 8, lambda _: math.nan)
    assert [math.isnan(value) for value in _read(growing, store)[0].values] == [False] * 5 + [True] * 3


def test_a_long_curve_stays_small_enough_to_be_drawn_and_has_its_spike(store, run):
    growing = Growing(run)
    for begin in range(0, 6000, 500):
        _write(store, run, "train/loss", begin, begin + 500, lambda step: 1e6 if step == 777 else 1.0)
        (row,) = _read(growing, store)
        assert len(row.steps) <= 1200
        assert row.points == begin + 500
        assert row.steps[-1] == begin + 499
        assert list(row.steps) == sorted(set(row.steps))
    assert 777 in row.steps
    assert row.truncated


def test_who_looks_closer_sees_every_point_and_those_that_come(store, run):
    growing = Growing(run)
    _write(store, run, "train/loss", 0, 5000)
    _read(growing, store)
    assert growing.closer(store, Look()) == {}
    look = Look(log=True, first=4900, last=5100)
    assert growing.closer(store, look)["", "train/loss"].steps == tuple(range(4900, 5000))
    _write(store, run, "train/loss", 5000, 5010)
    _read(growing, store)
    assert growing.closer(store, look)["", "train/loss"].steps == tuple(range(4900, 5010))
