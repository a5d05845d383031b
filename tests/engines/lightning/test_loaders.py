"""A loader in evaluation form gives each of its rows once, in order, and is otherwise the same loader."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from art_training.engines.lightning.loaders import batches, evaluation_form, first_batch, named, repeating, rows


def contents(loader):
    return [batch.tolist() if isinstance(batch, torch.Tensor) else batch for batch in loader]


def flat(loader):
    return [row for batch in contents(loader) for row in batch]


@settings(deadline=None)
@given(
    count=st.integers(1, 30),
    batch_size=st.integers(1, 12),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_shuffling_and_dropping_belong_to_training(count, batch_size, shuffle, drop_last):
    loader = DataLoader(range(count), batch_size=batch_size, shuffle=shuffle, drop_last=drop_last)
    form = evaluation_form(loader)
    assert flat(form) == list(range(count))
    assert all(len(batch) == batch_size for batch in contents(form)[:-1])
    assert rows(form) == count
    assert loader.drop_last == drop_last
    assert isinstance(loader.sampler, RandomSampler if shuffle else SequentialSampler)


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (SubsetRandomSampler([5, 2, 9]), [5, 2, 9]),
        (WeightedRandomSampler([0.0, 1.0, 5.0, 0.0], 100), [1, 2]),
        (RandomSampler(range(10), replacement=True, num_samples=3), list(range(10))),
    ],
)
def test_samplers_that_say_which_rows_belong_to_the_split_keep_saying_it(sampler, expected):
    form = evaluation_form(DataLoader(range(10), batch_size=4, sampler=sampler, drop_last=True))
    assert flat(form) == expected
    assert rows(form) == len(expected)


class EverySecond(Sampler):
    def __iter__(self):
        return iter(range(0, 10, 2))

    def __len__(self):
        return 5


def test_samplers_of_the_users_own_are_kept():
    form = evaluation_form(DataLoader(range(10), batch_size=2, sampler=EverySecond(), drop_last=True))
    assert contents(form) == [[0, 2], [4, 6], [8]]
    own = BatchSampler(EverySecond(), 3, drop_last=True)
    form = evaluation_form(DataLoader(range(10), batch_sampler=own))
    assert contents(form) == [[0, 2, 4]]
    assert rows(form) is None


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(7))


def test_streams_and_other_iterables_are_read_as_they_come():
    form = evaluation_form(DataLoader(Stream(), batch_size=3, drop_last=True))
    assert contents(form) == [[0, 1, 2], [3, 4, 5], [6]]
    assert (rows(form), batches(form)) == (None, None)
    plain = [[1], [2]]
    assert evaluation_form(plain) is plain
    assert (rows(plain), batches(plain)) == (None, 2)


class Own(DataLoader):
    def __iter__(self):
        for batch in super().__iter__():
            yield batch + 100


def test_a_loader_of_the_users_own_class_stays_one():
    form = evaluation_form(Own(range(5), batch_size=2, shuffle=True, collate_fn=lambda rows: torch.tensor(rows) * 2))
    assert isinstance(form, Own)
    assert contents(form) == [[100, 102], [104, 106], [108]]


def test_loaders_that_do_not_batch_are_put_in_order():
    form = evaluation_form(DataLoader(torch.arange(4), batch_size=None, shuffle=True))
    assert [int(item) for item in form] == [0, 1, 2, 3]


def test_loaders_have_names():
    a, b = DataLoader(range(3)), DataLoader(range(4))
    assert named(a) == {None: a}
    assert named([a]) == {None: a}
    assert named(None) == {}
    assert named([]) == {}
    assert named({"x": a, "y": [b, a]}) == {"x": a, "y.0": b, "y.1": a}
    together = CombinedLoader([a, b], "min_size")
    assert named(together) == {None: together}
    assert named(CombinedLoader([a, b], "sequential")) == {"0": a, "1": b}


def test_the_first_batch_is_read_in_order_and_without_workers():
    loader = DataLoader(range(10), batch_size=3, shuffle=True, num_workers=2, persistent_workers=True)
    assert first_batch(loader).tolist() == [0, 1, 2]
    assert loader._iterator is None
    together = first_batch({"a": loader, "b": [loader]})
    assert together["a"].tolist() == together["b"][0].tolist() == [0, 1, 2]
    assert first_batch(CombinedLoader([loader, loader], "max_size_cycle"))[1].tolist() == [0, 1, 2]


def test_a_repeated_batch_is_a_new_copy_each_time():
    batch = {"x": torch.zeros(2)}
    given = list(repeating(batch, 3))
    given[0]["x"].fill_(1)
    assert len(given) == 3
    assert batch["x"].sum() == 0
    assert given[1]["x"].sum() == 0
