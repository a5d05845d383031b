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


def test_rows_of_varying_shape_are_as_few_as_their_numbers_ask_for():
    sample, generator = RowSample(rows=500, values=10_000, seed=0), np.random.default_rng(0)
    sizes = generator.integers(100, 900, 400)
    for first in range(0, 400, 20):
        column = np.empty(20, object)
        for at in range(20):
            column[at] = np.zeros((1 if not first else sizes[first + at],))  # the first rows are small
        sample.add({"x": column}, 20)
    taken = sample.taken()
    held = sum(row.size for row in taken.columns["x"])
    assert 8_000 < held <= 10_000


def test_a_row_larger_than_the_bound_is_still_a_sample():
    assert len(sampled(50, 40, values=1)) == 1


def test_long_texts_are_fewer():
    sample = RowSample(rows=100, values=100, seed=0)
    sample.add({"text": np.array(["a" * 72] * 50, object)}, 50)
    assert len(sample.taken()) == 10
