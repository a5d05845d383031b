import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from art_training.steps.exploration.sample import RowSample


def sampled(count, rows, *, batch=10, seed=0, values=10**6):
    sample = RowSample(rows=rows, values=values, seed=seed)
    for first in range(0, count, batch):
        part = np.arange(first, min(count, first + batch))
        sample.add({"x": np.stack([part, part], 1), "y": part}, len(part))
    return sample.taken()


@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 13))
def test_a_sample_holds_what_its_indices_say(count, rows, batch):
    taken = sampled(count, rows, batch=batch)
    assert len(taken) == min(count, rows)
    assert taken.seen == count
    assert (np.diff(taken.indices) > 0).all()
    assert (taken.columns["x"][:, 0] == taken.indices).all()
    assert (taken.columns["y"] == taken.indices).all()


def test_every_row_has_the_same_chance():
    times = np.zeros(50)
    for seed in range(400):
        times[sampled(50, 10, seed=seed, batch=7).indices] += 1
    assert abs(times / 400 - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 400)


def test_wide_rows_are_fewer():
    assert len(sampled(50, 40, values=30)) == 10


def test_rows_of_varying_shape_stay_as_they_are():
    sample = RowSample(rows=5, values=100, seed=0)
    sample.add({"ids": np.ones((2, 3), int)}, 2)
    sample.add({"ids": np.ones((1, 2), int)}, 1)
    assert [row.tolist() for row in sample.taken().columns["ids"]] == [[1, 1, 1], [1, 1, 1], [1, 1]]


def test_nothing_gives_nothing():
    assert len(RowSample(rows=5, values=5, seed=0).taken()) == 0
