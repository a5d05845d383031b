"""A tensor in one line."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from art_training.probes.attached.text import numbers, told, told_all


def test_type_shape_range_and_middle():
    line = told(torch.tensor([[0.0, 1.0], [2.0, 5.0]]))
    assert line == "float32 (2, 2), 0 to 5, mean 2, deviation 1.871, no NaN"


def test_whole_numbers_truth_and_emptiness():
    assert told(torch.tensor([3, 1])) == "int64 (2,), 1 to 3, mean 2, deviation 1, no NaN"
    assert told(torch.tensor([True, False, True, True])) == "bool (4,), 75 % true"
    assert told(torch.zeros(0, 3)) == "float32 (0, 3), empty"


def test_what_is_not_finite_is_told_by_its_share_and_left_out_of_the_rest():
    line = told(torch.tensor([1.0, math.nan, 3.0, math.inf]))
    assert line == "float32 (4,), 1 to 3, mean 2, deviation 1, 25 % NaN, 25 % infinite"
    assert told(torch.tensor([math.nan, math.nan])) == "float32 (2,), 100 % NaN"


def test_others_are_told_as_far_as_they_can_be():
    assert told(torch.eye(3).to_sparse()) == "float32 (3, 3), sparse_coo"
    assert told(torch.tensor([3 + 4j])).startswith("complex64 (1,), size 5 to 5")
    assert told(torch.ones(2, dtype=torch.bfloat16)).startswith("bfloat16 (2,), 1 to 1")
    assert told(torch.tensor(7.0)).startswith("float32 (), 7 to 7")


def test_every_tensor_of_a_batch_has_a_line():
    batch = {"image": torch.zeros(2, 3), "label": torch.tensor([1, 2]), "name": ["a", "b"]}
    assert [line.partition(":")[0] for line in told_all(batch, "batch")] == ["batch[image]", "batch[label]"]
    assert [line.partition(":")[0] for line in told_all(torch.zeros(1), "out")] == ["out"]


@given(arrays.arrays("float32", arrays.array_shapes(max_dims=3, max_side=5), elements=st.floats(width=32)))
def test_any_numbers_have_a_line_and_shares_that_add_up(values):
    found = numbers(torch.from_numpy(values))
    assert 0 <= found["NaN"] <= 1
    assert -1e-9 <= found["infinite"] <= 1
    assert math.isnan(found["mean"]) == (found["NaN"] + found["infinite"] > 1 - 1e-9)
    assert "\n" not in told(torch.from_numpy(values))
