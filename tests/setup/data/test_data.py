import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, WeightedRandomSampler

import art_training as art
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.data import Data

X = np.arange(20, dtype=np.float64).reshape(10, 2)
Y = np.arange(10)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(5))


def read(data: Data, split: Split = Split.TRAIN, name: str | None = None):
    return list(data.loaders(split)[name])


def rows_of(data: Data, split: Split = Split.TRAIN) -> list[int]:
    return sorted(int(label) for _, labels in read(data, split) for label in labels)


def test_arrays_give_batches_of_tensors_in_the_types_that_models_take():
    x, y = read(art.data((X, Y.astype(np.int32)), batch_size=4, shuffle=False))[0]
    assert (x.dtype, x.shape, y.dtype, y.shape) == (torch.float32, (4, 2), torch.int64, (4,))
    assert torch.equal(y, torch.arange(4))


def test_images_of_bytes_stay_bytes_and_tensors_stay_as_they_are():
    images, wide = np.zeros((3, 4, 4), np.uint8), torch.zeros(3, dtype=torch.float64)
    x, y = read(art.data((images, wide)))[0]
    assert x.dtype == torch.uint8
    assert y.dtype == torch.float64


@given(st.integers(1, 40), st.integers(1, 12), st.booleans())
def test_an_epoch_shows_every_row_once(rows, batch_size, shuffle):
    data = art.data((np.zeros((rows, 3)), np.arange(rows)), batch_size=batch_size, shuffle=shuffle)
    assert rows_of(data) == list(range(rows))


def test_only_the_training_split_is_shuffled():
    data = art.data((X, Y), (X, Y), batch_size=10)
    torch.manual_seed(0)
    assert read(data)[0][1].tolist() != Y.tolist()
    assert read(data, Split.VALIDATION)[0][1].tolist() == Y.tolist()


def test_the_order_follows_the_global_seed():
    data = art.data((X, Y))
    torch.manual_seed(3)
    first = read(data)[0][1]
    torch.manual_seed(3)
    assert torch.equal(read(data)[0][1], first)


def test_a_dictionary_of_arrays_gives_dictionaries():
    batch = read(art.data({"input_ids": np.ones((4, 3), np.int32), "label": pd.Series([0, 1, 0, 1])}))[0]
    assert {name: tuple(value.shape) for name, value in batch.items()} == {"input_ids": (4, 3), "label": (4,)}


def test_frames_and_series_stand_for_their_values():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]}, index=[7, 9])
    x, y = read(art.data((frame, pd.Series([1, 0], index=[9, 7])), shuffle=False))[0]
    assert x.tolist() == [[1, 3], [2, 4]]
    assert y.tolist() == [1, 0]


def test_several_loaders_have_names():
    data = art.data((X, Y), {"clean": (X, Y), "noisy": TensorDataset(torch.zeros(3, 2), torch.zeros(3))})
    assert list(data.loaders(Split.VALIDATION)) == ["clean", "noisy"]
    assert list(data.parts()) == ["train", "validation:clean", "validation:noisy"]
    assert data.rows() == {"train": 10, "validation:clean": 10, "validation:noisy": 3}


def test_arrays_read_only_and_on_disk_are_read_without_a_warning(tmp_path):
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert read(art.data((x, Y), shuffle=False))[0][0].tolist() == X.tolist()


def test_what_a_batch_is_changed_to_does_not_reach_the_arrays():
    small, single = X.astype(np.float32), torch.zeros(10, 2)
    for x, z in read(art.data((small, single), shuffle=False)):
        x.add_(1)
        z.add_(1)
    assert small[0, 0] == 0
    assert single.sum() == 0


def test_loaders_are_fresh_and_the_users_generator_does_not_move():
    generator = torch.Generator().manual_seed(5)
    before = generator.get_state()
    loader = DataLoader(TensorDataset(torch.zeros(10, 2), torch.arange(10)), 4, shuffle=True, generator=generator)
    data = art.data(loader)
    first = [y.tolist() for _, y in read(data)]
    assert first == [y.tolist() for _, y in read(data)]
    assert torch.equal(generator.get_state(), before)
    assert data.loaders(Split.TRAIN)[None] is not loader


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(TensorDataset(torch.zeros(10, 2), torch.arange(10)), 3, drop_last=True),
        DataLoader(
            TensorDataset(torch.zeros(10, 2), torch.arange(10)),
            sampler=WeightedRandomSampler([1.0] * 10, 4, generator=torch.Generator()),
        ),
        DataLoader(TensorDataset(torch.zeros(10, 2), torch.arange(10)), batch_sampler=[[0, 1], [2]]),
        DataLoader(TensorDataset(torch.zeros(10, 2), torch.arange(10)), batch_size=None),
        DataLoader(Stream(), 2),
    ],
    ids=["drop_last", "sampler", "batch_sampler", "unbatched", "stream"],
)
def test_a_loader_keeps_its_settings(loader):
    assert len(list(art.data(loader).loaders(Split.TRAIN)[None])) == len(list(loader))


def test_workers_load_arrays():
    data = art.data((X, Y), workers=1, batch_size=4)
    assert rows_of(data) == Y.tolist()


def test_the_users_collation_gets_a_list_of_examples():
    def collate(examples):
        return {"n": len(examples)}

    assert read(art.data(list(range(5)), batch_size=3, collate=collate, shuffle=False)) == [{"n": 3}, {"n": 2}]


def test_the_plain_form_stands_in_for_the_training_split():
    data = art.data((X, Y), (X, Y), plain_train=(X + 1, Y))
    assert float(min(batch[0].min() for batch in read(data.plain()))) == 1
    assert data.plain().plain().splits == data.splits
    assert art.data((X, Y)).plain().parts().keys() == {"train"}


def test_what_it_is_reads_well():
    data = art.data({"x": X, "y": Y}, list(range(3)))
    assert repr(data.sources[Split.TRAIN][None]) == "arrays(x:float64[10, 2], y:int64[10])"
    assert repr(data.sources[Split.VALIDATION][None]) == "list(3 examples)"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"train": None}, "train=None"),
        ({"train": (X, Y[:9])}, "'0' has 10 rows and '1' has 9"),
        ({"train": (X[:0], Y[:0])}, "train has no examples"),
        ({"train": []}, "train has no examples"),
        ({"train": (X, Y), "validation": {}}, r"validation=\{\} holds nothing"),
        ({"train": {"x": X, "extra": (X, Y)}}, "mixes arrays"),
        ({"train": (X, [["a"]])}, r"train\['1'\] is a list"),
        ({"train": (X, np.array(["a"] * 10))}, "holds text"),
        ({"train": (X, np.array([None] * 10))}, "holds objects"),
        ({"train": np.float64(1)}, "single number"),
        ({"train": pd.DataFrame({"a": [1]})}, r"train=\(frame.drop"),
        ({"train": 3}, "train is a int"),
        ({"train": (X, Y), "batch_size": 0}, "batch_size=0"),
        ({"train": (X, Y), "workers": -1}, "workers=-1"),
        ({"train": (X, Y), "collate": 3}, "collate=3"),
        ({"train": (X, Y), "plain_train": {"a": (X, Y)}}, "same names"),
    ],
)
def test_what_cannot_be_read_is_refused_with_one_sentence(arguments, sentence):
    with pytest.raises(SetupError, match=sentence):
        art.data(**arguments)


def test_a_split_that_is_not_there_is_named():
    with pytest.raises(SetupError, match="no test split; it has: train"):
        art.data((X, Y)).loaders(Split.TEST)
