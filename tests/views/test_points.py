"""Curves as they are drawn: what belongs together, and what is left out."""

import math
import time
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art_training.errors import UsageError
from art_training.records import Curve, Outcome, RunStatus, Split
from art_training.stores import Point
from art_training.stores.memory import MemoryStore
from art_training.stores.sampling import sampled
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.testing.records import a_run
from art_training.views.points import Pairing, points_of


@pytest.mark.parametrize(
    ("name", "pairing"),
    [
        ("train/loss", Pairing("loss", "", Split.TRAIN)),
        ("train/loss_epoch", Pairing("loss", "", Split.TRAIN)),
        ("validation/loss", Pairing("loss", "", Split.VALIDATION)),
        ("validation:noisy/accuracy", Pairing("accuracy", "", Split.VALIDATION, "noisy")),
        ("trial 3/validation/loss", Pairing("loss", "trial 3", Split.VALIDATION)),
        ("dropout 0.3/2, seed 1/train/loss", Pairing("loss", "dropout 0.3/2, seed 1", Split.TRAIN)),
        ("lr/0", Pairing("lr")),
        ("fine-tuning/lr/0 *", Pairing("lr", "fine-tuning")),
        ("logged/val_loss", Pairing("logged/loss", "", Split.VALIDATION)),
        ("logged/train_loss_step", Pairing("logged/loss", "", Split.TRAIN)),
        ("logged/train/acc", Pairing("logged/acc", "", Split.TRAIN)),
        ("member 1/logged/acc/val", Pairing("logged/acc", "member 1", Split.VALIDATION)),
        ("logged/validity", Pairing("logged/validity")),
        ("logged/_step", Pairing("logged/_step")),
        ("gradient norm", Pairing("gradient norm")),
        ("train", Pairing("train")),
        ("", Pairing("")),
        ("a/b\n/train/x\ny", Pairing("x\ny", "a/b\n", Split.TRAIN)),
    ],
)
def test_train_and_validation_of_one_quantity_belong_in_one_panel(name, pairing):
    assert Pairing.of(name) == pairing


@given(st.text())
def test_any_name_has_a_panel(name):
    assert Pairing.of(name).panel or not name


def test_curves_come_by_panel_the_loss_first_and_trainings_as_they_are_counted():
    store = MemoryStore()
    names = ["lr/0", "logged/val_loss", "validation/accuracy", "trial 10/train/loss", "trial 2/validation/loss"]
    run = keep_run(store, "A", curves={name: [1.0] for name in [*names, "trial 2/train/loss"]})
    assert [row.name for row in points_of(store, run.id)] == [
        "trial 2/train/loss",
        "trial 2/validation/loss",
        "trial 10/train/loss",
        "validation/accuracy",
        "logged/val_loss",
        "lr/0",
    ]


@pytest.mark.parametrize("made", [lambda path: MemoryStore(), lambda path: SqlStore(path / "art.db")])
def test_a_long_curve_says_that_points_are_left_out_and_a_zoom_shows_them(tmp_path, made):
    store = made(tmp_path)
    values = [math.sin(at / 9) for at in range(5000)]
    values[2500] = math.nan
    run = keep_run(store, "A", curves={"train/loss": values, "validation/loss": [1.0, math.nan, 3.0]})
    train, validation = points_of(store, run.id, limit=100)
    assert (train.points, train.truncated) == (5000, True)
    assert len(train.steps) == len(train.values) == len(train.epochs) <= 100
    assert any(map(math.isnan, train.values))
    assert (validation.points, validation.truncated) == (3, False)
    assert repr(validation.values) == "(1.0, nan, 3.0)"
    (closer,) = points_of(store, run.id, ["train/loss", "none"], limit=100, first=2490, last=2510)
    assert (closer.steps, closer.truncated) == (tuple(range(2490, 2511)), False)
    store.close()


def test_curves_of_an_outcome_alone_are_shown_too():
    store = MemoryStore()
    curve = Curve((1, 2, 3), (1.0, 2.0, 3.0))
    store.write(a_run(status=RunStatus.COMPLETED), Outcome(curves={"train/loss": curve, "other": curve}))
    store.append("run-00000", points=[Point("train/loss", 9, 0, 4.0)])
    other, train = sorted(points_of(store, "run-00000"), key=lambda row: row.name)
    assert (train.steps, other.steps) == ((9,), (1, 2, 3))
    assert [row.name for row in points_of(store, "run-00000", ["other"], first=2)] == ["other"]
    assert points_of(store, "run-00000", ["other"], first=4) == ()
    assert points_of(store, "no such run") == ()


def test_too_small_a_limit_is_refused():
    with pytest.raises(UsageError, match="limit=1"):
        points_of(MemoryStore(), "x", limit=1)


values = st.lists(st.floats(width=32), max_size=120)


@given(values, st.integers(5, 60), st.integers(1, 50), st.integers(0, 100))
def test_what_stands_out_stays_whatever_the_curve(values, limit, every, begin):
    curve = Curve(tuple(begin + every * at for at in range(len(values))), tuple(values))
    found = sampled(curve, limit)
    kept = dict(zip(found.curve.steps, found.curve.values, strict=True))
    assert found.points == len(values)
    assert len(kept) <= limit
    assert all(repr(kept[step]) == repr(values[(step - begin) // every]) for step in kept)
    numbers = [value for value in values if not math.isnan(value)]
    kept_numbers = [value for value in kept.values() if not math.isnan(value)]
    assert (len(numbers) < len(values)) == (len(kept_numbers) < len(kept))
    if numbers:
        assert (min(numbers), max(numbers)) == (min(kept_numbers), max(kept_numbers))
    if values:
        assert (min(kept), max(kept)) == (curve.steps[0], curve.steps[-1])


def test_a_database_keeps_the_same_points_as_memory(tmp_path):
    stores, runs = [MemoryStore(), SqlStore(tmp_path / "art.db")], count()

    @settings(max_examples=50, deadline=None)
    @given(values, st.integers(5, 30))
    def same(values, limit):
        run = a_run(next(runs))
        for store in stores:
            store.write(run)
            store.append(run.id, points=[Point("x", at * at, at, value + 0.0) for at, value in enumerate(values)])
        one, other = (store.sampled(run.id, limit=limit) for store in stores)
        assert repr(one) == repr(other)

    same()
    stores[1].close()


@pytest.mark.slow
def test_twenty_curves_of_ten_thousand_points_are_read_in_a_moment(tmp_path):
    store = SqlStore(tmp_path / "art.db")
    store.write(a_run())
    names = [f"{label}/{split}/loss" for label in range(10) for split in ("train", "validation")]
    for name in names:
        store.append("run-00000", points=[Point(name, at, at // 100, math.sin(at)) for at in range(10_000)])
    taken: list[float] = []
    for _ in range(5):
        began = time.process_time()
        rows = points_of(store, "run-00000")
        taken.append(time.process_time() - began)
    assert len(rows) == 20
    assert all(row.truncated and 800 < len(row.steps) <= 1000 for row in rows)
    assert min(taken) < 0.3  # 0.12 s on an idle machine; what is never to come back is reading all of it
    store.close()
