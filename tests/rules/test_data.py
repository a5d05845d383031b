"""Which rows training gets, how often and in which order."""

import time

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, TensorDataset, WeightedRandomSampler

import art_training as art

MINE = {"ART131", "ART132", "ART133", "ART134", "ART135", "ART136"}
TRAINER = {"max_epochs": 2, "accelerator": "cpu"}


def digits():
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)


X, Y = digits()
VALIDATION = DataLoader(TensorDataset(X[600:800], Y[600:800]), batch_size=50)


class Net(L.LightningModule):
    """A perceptron on pairs."""

    def __init__(self, features=64, classes=10):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, 16), nn.ReLU(), nn.Linear(16, classes))

    def loss(self, batch):
        return F.cross_entropy(self.net(batch[0].flatten(1)), batch[1])

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Named(Net):
    """A convolution on dictionaries, optimised by hand."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))

    def loss(self, batch):
        return F.cross_entropy(self.net(batch["image"]), batch["label"])

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.loss(batch))
        optimizer.step()


class Images(Dataset):
    """Digits as dictionaries."""

    def __init__(self, x, y):
        self.x, self.y = x.reshape(-1, 1, 8, 8), y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"image": self.x[index], "label": self.y[index]}


def found(model, train, validation=VALIDATION, *, trainer=TRAINER, budget=120, **options):
    diagnosis = art.diagnose(model, (train, validation), trainer=trainer, budget=budget, **options)
    return {one.code: one for one in diagnosis.findings + sum(diagnosis.symptoms.values(), ()) if one.code in MINE}


def named(rows, **options):
    return DataLoader(Images(X[:800][rows], Y[:800][rows]), batch_size=32, **options)


def pairs(rows, **options):
    return DataLoader(TensorDataset(X[:600][rows], Y[:600][rows]), batch_size=32, **options)


def named_validation():
    return named(slice(600, 800))


SORTED = torch.argsort(Y[:600], stable=True)


class Stream(IterableDataset):
    """Rows one after another, in whatever order they are."""

    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return iter(zip(X[self.rows], Y[self.rows], strict=True))


@pytest.mark.parametrize(
    ("model", "train", "validation"),
    [
        (Net, lambda: pairs(SORTED), lambda: VALIDATION),
        (Named, lambda: named(SORTED), named_validation),
        (Net, lambda: DataLoader(Stream(SORTED), batch_size=32), lambda: VALIDATION),
    ],
)
def test_rows_sorted_by_label_are_seen(model, train, validation):
    seen = found(model, train(), validation())
    assert set(seen) == {"ART131"}
    assert seen["ART131"].evidence["entropy"] < 1
    if not isinstance(train().dataset, IterableDataset):
        assert "with shuffle=True" in seen["ART131"].confirmed_by


def test_sorted_rows_that_are_shuffled_or_declared_are_not_accused():
    assert not found(Net, pairs(SORTED, shuffle=True))
    assert not found(Net, pairs(SORTED), same_order=True)
    assert not found(Net, pairs(torch.arange(600)))  # not shuffled, and in no order


class FewClasses(Sampler):
    """Batches of two classes, as for metric learning."""

    def __iter__(self):
        for _ in range(12):
            chosen = torch.randperm(10)[:2]
            yield torch.cat([torch.where(Y[:600] == one)[0][torch.randperm(40)[:16]] for one in chosen]).tolist()

    def __len__(self):
        return 12


def test_batches_that_are_put_together_on_purpose_are_not_accused():
    loader = DataLoader(TensorDataset(X[:600], Y[:600]), batch_sampler=FewClasses())
    assert not found(Net, loader)


class Cycle(Sampler):
    def __init__(self, rows, of):
        self.rows, self.of = rows, of

    def __iter__(self):
        return (index % self.rows for index in range(self.of))

    def __len__(self):
        return self.of


class Drawn(Sampler):
    """Rows that an epoch draws anew, some of them, each so many times: one after another, or in turns."""

    def __init__(self, rows, times, of=600, together=False):
        self.rows, self.times, self.of, self.together = rows, times, of, together
        self.generator = torch.Generator().manual_seed(0)

    def __iter__(self):
        chosen = torch.randperm(self.of, generator=self.generator)[: self.rows]
        return iter((chosen.repeat_interleave(self.times) if self.together else chosen.repeat(self.times)).tolist())

    def __len__(self):
        return self.rows * self.times


class KeepsItsFirstBatch(Net):
    def on_train_epoch_start(self):
        self.kept = None

    def on_after_batch_transfer(self, batch, index):
        if not self.training or self.trainer.sanity_checking:
            return batch
        self.kept = getattr(self, "kept", None) or batch
        return self.kept


@pytest.mark.filterwarnings("ignore:You have overridden")
@pytest.mark.parametrize(
    ("model", "train", "validation"),
    [
        (Net, lambda: pairs(slice(0, 600), sampler=Cycle(64, 600)), lambda: VALIDATION),
        (Named, lambda: named(slice(0, 600), sampler=Cycle(100, 600)), named_validation),
        (Net, lambda: pairs(slice(0, 600), sampler=Drawn(30, 20)), lambda: VALIDATION),
        (KeepsItsFirstBatch, lambda: pairs(slice(0, 600), shuffle=True), lambda: VALIDATION),
    ],
)
def test_few_rows_again_and_again_are_seen(model, train, validation):
    seen = found(model, train(), validation())
    assert "ART132" in seen
    assert seen["ART132"].confirmed_by


@pytest.mark.parametrize(
    "sampler",
    [
        lambda: WeightedRandomSampler(torch.ones(600), 600),
        lambda: WeightedRandomSampler(torch.rand(600) ** 4, 600),
        lambda: torch.utils.data.SubsetRandomSampler(range(100)),
        lambda: Drawn(200, 3),  # augmentation that is repeated
        lambda: torch.utils.data.RandomSampler(range(600), num_samples=64),
    ],
)
def test_samplers_that_draw_on_purpose_are_not_accused(sampler):
    assert not found(Net, pairs(slice(0, 600), sampler=sampler()))


def test_copies_of_a_row_that_stand_together_are_meant():
    assert "ART132" not in found(Net, pairs(slice(0, 600), sampler=Drawn(60, 10, together=True)))


def test_few_possible_inputs_are_not_accused():
    x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]).repeat(50, 1)
    y = (x.sum(1) == 1).long()
    data = TensorDataset(x, y)
    assert not found(lambda: Net(2, 2), DataLoader(data, batch_size=8, shuffle=True), DataLoader(data, batch_size=8))


class SeededEachTime(Sampler):
    def __init__(self, of):
        self.of = of

    def __iter__(self):
        return iter(torch.randperm(self.of, generator=torch.Generator().manual_seed(1)).tolist())

    def __len__(self):
        return self.of


class NeverTold(torch.utils.data.DistributedSampler):
    def set_epoch(self, epoch):
        """Nobody passes it on."""


@pytest.mark.parametrize(
    ("model", "train", "validation"),
    [
        (Net, lambda: pairs(slice(0, 600), sampler=SeededEachTime(600)), lambda: VALIDATION),
        (
            Named,
            lambda: named(slice(0, 600), sampler=NeverTold(range(600), num_replicas=1, rank=0)),
            named_validation,
        ),
    ],
)
def test_one_random_order_for_all_epochs_is_seen(model, train, validation):
    seen = found(model, train(), validation())
    assert set(seen) == {"ART135"}


@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": True, "generator": torch.Generator().manual_seed(0)},
        {"sampler": torch.utils.data.DistributedSampler(range(600), num_replicas=1, rank=0)},
        {},
    ],
)
def test_orders_that_are_drawn_anew_or_not_at_all_are_not_accused(options):
    assert not found(Net, pairs(slice(0, 600), **options))


def test_an_order_that_is_declared_is_not_accused():
    assert not found(Net, pairs(slice(0, 600), sampler=SeededEachTime(600)), same_order=True)


def without(share):
    generator = torch.Generator().manual_seed(0)
    return (Y[:600] < 5) | (torch.rand(600, generator=generator) < share)


@pytest.mark.parametrize(
    ("model", "train", "validation"),
    [
        (Net, lambda: pairs(without(0.05), shuffle=True), lambda: VALIDATION),
        (Named, lambda: named(torch.where(Y[:600] != 3)[0], shuffle=True), named_validation),
    ],
)
def test_classes_that_training_lost_are_seen(model, train, validation):
    (seen,) = (one for code, one in found(model, train(), validation()).items() if code == "ART136")
    assert "divided at random" in seen.confirmed_by


def test_classes_as_rare_in_validation_are_not_accused():
    rare = (Y[600:1200] < 5) | (torch.arange(600) % 20 == 0)
    data = TensorDataset(X[600:1200][rare], Y[600:1200][rare])
    assert not found(Net, pairs(without(0.05), shuffle=True), DataLoader(data, batch_size=50))
    assert not found(Net, pairs(without(0.05), shuffle=True), imbalance_expected=True)


def test_a_small_random_split_is_not_accused():
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, rest = order[:140], order[140:]
    y = torch.tensor(y)
    assert not found(
        lambda: Net(13, 3),
        DataLoader(TensorDataset(x[train], y[train]), batch_size=16, shuffle=True),
        DataLoader(TensorDataset(x[rest], y[rest]), batch_size=16),
    )


class Shared(Stream):
    """Every worker takes its part."""

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        mine = self.rows if info is None else self.rows[info.id :: info.num_workers]
        return iter(zip(X[mine], Y[mine], strict=True))


class Mixed(Stream):
    """Every worker gives all rows, in an order of its own, slowly enough that not all of them are read."""

    def __iter__(self):
        for at in torch.randperm(len(self.rows)).tolist():
            time.sleep(0.01)
            yield X[self.rows[at]], Y[self.rows[at]]


class NamedStream(Stream):
    def __iter__(self):
        return ({"image": x.reshape(1, 8, 8), "label": y} for x, y in super().__iter__())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "stream", "validation"),
    [(Net, Stream, lambda: VALIDATION), (Named, NamedStream, named_validation)],
)
def test_a_stream_that_every_worker_gives_is_seen(model, stream, validation):
    loader = DataLoader(stream(torch.arange(400)), batch_size=32, num_workers=2)
    seen = found(model, loader, validation(), trainer={"max_epochs": 1, "accelerator": "cpu"})
    assert set(seen) == {"ART133"}
    assert "gives 400 rows" in seen["ART133"].confirmed_by


@pytest.mark.slow
def test_a_stream_that_every_worker_gives_in_another_order_is_seen_from_its_first_rows():
    loader = DataLoader(Mixed(torch.arange(420)), batch_size=20, num_workers=2)
    assert set(found(Net, loader, trainer={"max_epochs": 1, "accelerator": "cpu"}, budget=60)) == {"ART133"}


@pytest.mark.slow
def test_a_stream_that_workers_share_is_not_accused():
    loader = DataLoader(Shared(torch.arange(400)), batch_size=32, num_workers=2)
    assert not found(Net, loader, trainer={"max_epochs": 1, "accelerator": "cpu"})


class Noisy(Dataset):
    def __init__(self, draw):
        self.draw = draw

    def __len__(self):
        return 400

    def __getitem__(self, index):
        return X[index] + 0.1 * torch.as_tensor(self.draw(index), dtype=torch.float32), Y[index]


class Jitter:
    """A transform that holds its generator."""

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def __call__(self, index):
        return self.generator.normal(size=64)


@pytest.mark.slow
@pytest.mark.parametrize("persistent", [False, True])
def test_a_generator_that_workers_copy_is_seen(persistent):
    loader = DataLoader(Noisy(Jitter()), batch_size=32, shuffle=True, num_workers=2, persistent_workers=persistent)
    seen = found(Net, loader, trainer={"max_epochs": 1, "accelerator": "cpu"})
    assert set(seen) == {"ART134"}
    assert "differ" in seen["ART134"].confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        lambda index: torch.randn(64),
        lambda index: np.random.normal(size=64),
        lambda index: np.random.default_rng(index).normal(size=64),
    ],
)
def test_randomness_of_each_worker_and_of_each_row_is_not_accused(draw):
    loader = DataLoader(Noisy(draw), batch_size=32, shuffle=True, num_workers=2)
    assert not found(Net, loader, trainer={"max_epochs": 1, "accelerator": "cpu"})


def test_a_held_generator_without_workers_is_not_accused():
    assert not found(Net, DataLoader(Noisy(Jitter()), batch_size=32, shuffle=True))
