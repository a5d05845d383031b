import numpy as np
import torch

from art_training.setup.data.hashing import row_hashes
from art_training.steps.exploration.gathering import gathered


def test_items_of_one_shape_become_the_rows_of_an_array():
    found = gathered(([torch.full((3, 4), float(at)) for at in range(5)], torch.arange(5)))
    assert found["0"].shape == (5, 3, 4)
    assert found["0"][:, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_items_of_varying_shape_stay_arrays_of_their_own():
    found = gathered(([torch.zeros(3, 4 + at) for at in range(5)], torch.arange(5)))
    assert [one.shape for one in found["0"]] == [(3, 4 + at) for at in range(5)]


def test_entries_of_items_are_columns():
    boxes = [{"boxes": torch.zeros(count, 4), "difficult": False} for count in (1, 2)]
    found = gathered(([torch.zeros(3, 8, 8)] * 2, boxes))
    assert list(found) == ["0", "1.boxes", "1.difficult"]
    assert found["1.difficult"].tolist() == [False, False]


def test_columns_stay_as_they_come():
    batch = ([torch.zeros(6, 2), torch.zeros(6, 3)], ["a"] * 6, torch.zeros(6))
    assert list(gathered(batch)) == ["0.0", "0.1", "1", "2"]


def test_an_item_has_the_same_hash_in_every_batch_whatever_the_others_are():
    images = [torch.rand(3, 40 + at % 2, 40, generator=torch.Generator().manual_seed(at)) for at in range(6)]
    mixed = row_hashes([gathered((images, torch.zeros(6)))["0"]], 6)
    alike = row_hashes([gathered((images[::2], torch.zeros(3)), ["0"])["0"]], 3)
    assert len(np.unique(mixed)) == 6
    assert (mixed[::2] == alike).all()


def test_as_many_items_as_channels_are_what_they_were_in_other_batches():
    batch = ([torch.zeros(3, 4, 4)] * 3, torch.zeros(3))
    assert list(gathered(batch)) == ["0.0", "0.1", "0.2", "1"]
    assert list(gathered(batch, ["0"])) == ["0", "1"]
