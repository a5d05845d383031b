"""What a dataset gives of the rows that it holds, as a table and as a stream."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset

import art_training as art


class Classes(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(24), nn.ReLU(), nn.Linear(24, 10))

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch["x"]), batch["y"])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.net(batch["x"]), batch["y"]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Table(Dataset):
    """Wine, of which the rows are read through an index."""

    def __init__(self, index):
        x, y = load_wine(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(y))
        x = ((x - x.mean(0)) / x.std(0))[order]
        self.rows, self.labels, self.index = x.astype(np.float32), y[order], index

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, number):
        at = self.index(number)
        return {"x": self.rows[at], "y": int(self.labels[at])}


class Images(IterableDataset):
    """Digits, drawn anew in each epoch."""

    def __init__(self, draw, rows=300):
        images, y = load_digits(return_X_y=True)
        self.images = torch.tensor(images[:rows].reshape(-1, 8, 8) / 16, dtype=torch.float32)
        self.targets, self.draw = torch.tensor(y[:rows]), draw

    def __iter__(self):
        for at in self.draw(self.targets):
            yield {"x": self.images[at][None], "y": self.targets[at]}


def reseeded(targets):
    return torch.randint(60, (len(targets),), generator=torch.Generator().manual_seed(1)).tolist()


def few_on_purpose(targets):
    """A handful of rows, each as often as makes an epoch of a useful length."""
    return list(range(20)) * 20


def with_replacement(targets):
    return torch.randint(len(targets), (len(targets),)).tolist()


def balanced(targets):
    """One class has most of the rows, and draws give each class alike."""
    rare = [torch.nonzero(targets == one)[:3, 0] for one in range(1, 10)]
    common = torch.nonzero(targets == 0)[:, 0]
    pools = [common, *rare]
    return [int(pools[i % 10][torch.randint(len(pools[i % 10]), (1,))]) for i in range(len(targets))]


def found(train, validation):
    data = (DataLoader(train, batch_size=20), DataLoader(validation, batch_size=50))
    diagnosis = art.diagnose(Classes, data, trainer={"max_epochs": 3, "accelerator": "cpu"}, budget=60)
    assert not [one for one in diagnosis.judged if "the rule itself raised" in one.reason]
    return [one for one in diagnosis.findings if one.code == "ART140"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "rows"),
    [(lambda: Table(lambda number: number % 32), 32), (lambda: Images(reseeded), 60)],
)
def test_a_dataset_that_goes_round_few_of_its_rows_is_seen(train, rows):
    (one,) = found(train(), Images(lambda targets: range(100)) if rows == 60 else Table(lambda number: number))
    assert abs(one.evidence["distinct"] - rows) < 3
    assert "rows entered training" in one.confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize("draw", [few_on_purpose, with_replacement, balanced])
def test_rows_that_recur_on_purpose_are_not_accused(draw):
    assert not found(Images(draw), Images(lambda targets: range(100)))


class Shards(IterableDataset):
    """Lists of examples, as they were read from files, one after another; `following` says which comes next."""

    def __init__(self, following):
        images, y = load_digits(return_X_y=True)
        rows = [{"x": np.float32(image / 16), "y": int(label)} for image, label in zip(images, y, strict=True)]
        self.parts, self.following = [rows[first : first + 40] for first in range(0, 400, 40)], following

    def __iter__(self):
        part = 0
        for _ in self.parts:
            yield from self.parts[part]
            part = self.following(part)


@pytest.mark.slow
def test_a_stream_that_never_comes_to_its_next_shard_is_seen():
    (one,) = found(Shards(lambda part: part), Images(lambda targets: range(100)))
    assert (one.evidence["distinct"], one.evidence["held"]) == (40, 400)


@pytest.mark.slow
def test_a_stream_of_all_shards_is_not_accused():
    assert not found(Shards(lambda part: part + 1), Images(lambda targets: range(100)))


class Pieces(Dataset):
    """Pieces of a text of 3000 letters, from places that are drawn below a limit."""

    def __init__(self, below):
        self.text, self.below = torch.randint(11, (3000,), generator=torch.Generator().manual_seed(0)), below

    def __len__(self):
        return 320

    def __getitem__(self, number):
        at = int(torch.randint(self.below, ()))
        return self.text[at : at + 16], self.text[at + 1 : at + 17]


class Letters(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(11, 12), nn.Linear(12, 11)

    def training_step(self, batch, index):
        return F.cross_entropy(self.head(self.table(batch[0])).flatten(0, 1), batch[1].flatten())

    validation_step = training_step

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("below", "codes"), [(16, ["ART140"]), (2900, [])])
def test_windows_that_begin_at_few_places_are_seen(below, codes):
    data = (DataLoader(Pieces(below), 32), DataLoader(Pieces(2900), 32))
    diagnosis = art.diagnose(Letters, data, trainer={"max_epochs": 3, "accelerator": "cpu"}, budget=60)
    assert [one.code for one in diagnosis.findings if one.code in {"ART132", "ART140"}] == codes


class Stored(IterableDataset):
    """Rows of a table in an order that `order` gives."""

    def __init__(self, order):
        x, y = load_wine(return_X_y=True)
        self.table, self.kinds = ((x - x.mean(0)) / x.std(0)).astype(np.float32), y
        self.order = order

    def __iter__(self):
        return ({"x": self.table[at], "y": int(self.kinds[at])} for at in self.order(len(self.table)))


def shuffled_alike(count):
    return np.random.default_rng(3).permutation(count)


def two_files_in_turn(count):
    return np.stack([np.arange(count // 2), np.arange(count // 2) + count // 2], 1).ravel()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "seen"),
    [(shuffled_alike, True), (np.random.permutation, False), (range, False), (two_files_in_turn, False)],
)
def test_a_stream_that_is_shuffled_alike_in_each_epoch_is_seen(order, seen):
    data = (DataLoader(Stored(order), batch_size=20), DataLoader(Table(lambda number: number), batch_size=50))
    diagnosis = art.diagnose(Classes, data, trainer={"max_epochs": 3, "accelerator": "cpu"}, budget=60)
    assert ("ART135" in {one.code for one in diagnosis.findings}) is seen
