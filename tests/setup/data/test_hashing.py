import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from art_training.setup.data.hashing import Hashes, row_hashes


@given(st.integers(1, 5), st.sampled_from([torch.float32, torch.int64, torch.bool, torch.bfloat16]))
def test_hashes_tell_rows_apart_by_values_and_shape(width, dtype):
    rows = torch.arange(2 * width).reshape(2, width).to(dtype)
    hashes = row_hashes([torch.cat([rows, rows])], 4)
    assert hashes[0] == hashes[2]
    assert row_hashes([rows[:, :, None]], 2)[0] != hashes[0]


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 11)), elements=st.integers(0, 2)))
def test_equal_hashes_are_equal_rows(table):
    for kind in (np.uint8, np.int32, np.float32, np.float64):
        typed = table.astype(kind)
        assert len(np.unique(row_hashes([typed], len(typed)))) == len(np.unique(typed, axis=0))


def test_a_sentence_has_one_hash_however_far_it_is_padded():
    short, long = np.array([[5, 7, 2, 0]]), np.array([[5, 7, 2, 0, 0, 0, 0]])
    assert row_hashes([short], 1)[0] == row_hashes([long], 1)[0]
    assert row_hashes([np.array([[0, 5, 7, 2]])], 1)[0] != row_hashes([short], 1)[0]


def test_the_order_of_entries_and_their_types_count():
    a, b = np.array([[1.0]]), np.array([[2.0]])
    assert row_hashes([a, b], 1)[0] != row_hashes([b, a], 1)[0]
    assert row_hashes([a], 1)[0] != row_hashes([a.astype(np.float32)], 1)[0]


def test_hashes_are_the_same_in_every_process():
    assert row_hashes([["a"], np.array([[1, 2]])], 1).tolist() == [7490126595973894792]


@pytest.mark.parametrize("cut", [2, 5])
def test_of_too_many_rows_the_equal_ones_stay_together(cut):
    values = np.repeat(np.arange(1_000), 3)
    hashes = Hashes(most=len(values) // cut)
    for first in range(0, len(values), 100):
        part = values[first : first + 100]
        hashes.add(first, row_hashes([part], len(part)), None)
    kept = hashes.all()
    assert not kept.whole
    assert len(values) // (cut * 3) < len(kept.inputs) <= len(values) // cut
    assert set(np.unique(kept.inputs, return_counts=True)[1].tolist()) == {3}
    assert (np.unique(values[kept.indices], return_counts=True)[1] == 3).all()
