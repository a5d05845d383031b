"""Thinned curves keep what matters: ends, order and what is not finite."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from art_training.records import Curve
from art_training.runner.curves import CurveWriter, thinned
from art_training.stores import Point
from art_training.stores.memory import MemoryStore
from art_training.testing.records import a_run


def curve(values: list[float]) -> Curve:
    return Curve(tuple(range(1, len(values) + 1)), tuple(values), tuple(0 for _ in values))


def test_a_short_curve_is_left_as_it_is() -> None:
    whole = curve([1.0, 2.0, 3.0])
    assert thinned({"a": whole})["a"] == whole


@given(st.integers(1001, 20_000))
def test_a_long_curve_has_a_thousand_points_and_the_same_mean_and_end(count: int) -> None:
    thin = thinned({"a": curve([float(index) for index in range(count)])})["a"]
    assert len(thin.steps) == len(thin.values) == len(thin.epochs) == 1000
    assert thin.steps[-1] == count
    assert list(thin.steps) == sorted(set(thin.steps))
    assert math.isclose(sum(thin.values) / 1000, (count - 1) / 2, rel_tol=0.02)


def test_a_nan_is_not_averaged_away() -> None:
    values = [1.0] * 5000
    values[2500] = math.nan
    assert sum(math.isnan(value) for value in thinned({"a": curve(values)})["a"].values) == 1


def test_a_loss_that_explodes_in_both_directions_does_not_lose_the_outcome() -> None:
    values = [math.inf, -math.inf, 1e308, 1e308] * 1000
    thin = thinned({"a": curve(values)})["a"]
    assert len(thin.values) == 1000
    assert not any(math.isfinite(value) for value in thin.values)


def test_curves_are_taken_over_from_a_run_that_died_before_its_training_began() -> None:
    store = MemoryStore()
    first = a_run(1)
    second, third = (replace(a_run(number), resumed=a_run(number - 1).id) for number in (2, 3))
    for run in (first, second, third):
        store.write(run)
    store.append(first.id, points=[Point("train/loss", step, 0, 1.0 / step) for step in range(1, 9)])
    CurveWriter(store, third.id).inherit(second.id, label="", until=6)
    assert store.curves(third.id)["train/loss"].steps == (1, 2, 3, 4, 5, 6)


def test_curves_of_another_training_of_the_step_are_not_taken_over() -> None:
    store = MemoryStore()
    first, second = a_run(1), a_run(2)
    for run in (first, second):
        store.write(run)
    store.append(first.id, points=[Point(f"{label}/train/loss", 1, 0, 1.0) for label in ("lr 0.1", "lr 0.01")])
    CurveWriter(store, second.id).inherit(first.id, label="lr 0.1", until=6)
    assert set(store.curves(second.id)) == {"lr 0.1/train/loss"}
