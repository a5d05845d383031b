"""Batches whose examples have many items each, one after another."""

import pytest
import torch

from art_training.probes.passes import smaller
from art_training.probes.ragged import ragged

LENGTHS = torch.tensor([3, 1, 4, 2])
ITEMS = torch.arange(10)
STARTS = torch.tensor([0, 3, 4, 8])


@pytest.mark.parametrize(
    ("batch", "told_by"),
    [
        ((torch.zeros(4, 7, 2), LENGTHS * 2, ITEMS, LENGTHS), "3"),  # inputs, their lengths, targets, theirs
        ((ITEMS, STARTS, torch.tensor([1, 0, 1, 1])), "1"),
        ({"tokens": ITEMS, "ends": torch.tensor([0, 3, 4, 8, 10]), "y": torch.zeros(4), "z": torch.zeros(4)}, "ends"),
    ],
)
def test_items_of_all_examples_are_known_by_what_tells_where_they_begin(batch, told_by):
    (found,) = ragged(batch, 4)
    assert found.told_by == told_by
    assert found.starts.tolist() == [0, 3, 4, 8, 10]
    few = smaller(batch, 4, 2)
    cut = few[found.path] if isinstance(few, dict) else few[int(found.path)]
    assert cut.tolist() == [0, 1, 2, 3]
    (again,) = ragged(few, 2)
    assert again.starts.tolist() == [0, 3, 4]


@pytest.mark.parametrize(
    "batch",
    [
        (torch.zeros(4, 7), LENGTHS),
        (torch.zeros(9, 3), torch.tensor([0, 0, 1, 2])),  # a table that is shared, and labels of sorted rows
        (torch.zeros(10, 3), torch.tensor([0, 2, 1, 8])),
        (ITEMS, LENGTHS.float()),
        (ITEMS, LENGTHS + 1),
    ],
)
def test_other_entries_are_not(batch):
    assert not ragged(batch, 4)
