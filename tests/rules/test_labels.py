"""Which targets there are, and whether they are right."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine, make_classification
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import art_training as art
from art_training.probes.neighbours import neighbourhood
from art_training.probes.rows import Rows, SplitRows
from art_training.records import Split
from art_training.rules import Laboratory, rules
from art_training.setup.task import Task, TaskKind

MINE = {"ART160", "ART161", "ART162", "ART163"}
X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(Y)


class Net(L.LightningModule):
    def __init__(self, features=64, outputs=10):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, 16), nn.ReLU(), nn.Linear(16, outputs))

    def loss(self, batch):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Pictures(Net):
    def __init__(self, outputs):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, outputs))
        self.criterion = nn.CrossEntropyLoss()

    def loss(self, batch):
        return self.criterion(self.net(batch["image"]), batch["label"])


def found(model, *data, **options):
    options = {"trainer": {"max_epochs": 1, "accelerator": "cpu"}, "budget": 120, **options}
    diagnosis = art.diagnose(model, art.data(*data, batch_size=32), **options)
    return {one.code: one for one in diagnosis.findings + sum(diagnosis.symptoms.values(), ()) if one.code in MINE}


def named(rows, shift=0):
    return {"image": X[rows].reshape(-1, 1, 8, 8), "label": Y[rows] + shift}


def judge(code, kind=TaskKind.CLASSIFICATION, **splits):
    """What a rule says of rows that were read."""
    laboratory = Laboratory(task=Task(kind, ("0",), "1"))
    laboratory.lay_down(Rows({Split(name): rows for name, rows in splits.items()}))
    return next(one for one in rules() if one.code == code).findings(laboratory)


def rows(x, y):
    x = np.asarray(x, np.float32)
    return SplitRows(
        np.unique(x, axis=0, return_inverse=True)[1].ravel().astype(np.uint64), np.asarray(y).astype(np.uint64), np.asarray(y), x, True,
        shape=x.shape[1:],
    )  # fmt: skip


def flipped(y, share, seed=0):
    generator = np.random.default_rng(seed)
    y, chosen = np.array(y), generator.random(len(y)) < share
    y[chosen] = generator.integers(y.max() + 1, size=chosen.sum())
    return y


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5])
def test_labels_flipped_at_random_are_seen(share):
    (seen,) = judge("ART160", train=rows(X.numpy(), flipped(Y.numpy(), share)))
    assert seen.severity == "warning"
    assert "would fade" in seen.confirmed_by


def test_flipped_labels_of_two_classes_are_seen():
    x, y = make_classification(1200, 6, n_informative=4, n_redundant=0, class_sep=2.0, flip_y=0, random_state=0)
    assert judge("ART160", train=rows(x, flipped(y, 0.5)))
    assert not judge("ART160", train=rows(x, y))


def test_flipped_labels_are_seen_in_a_training():
    seen = found(Net, (X[:700], torch.tensor(flipped(Y[:700].numpy(), 0.3))), (X[700:900], Y[700:900]))
    assert set(seen) == {"ART160"}
    assert not found(
        Net, (X[:700], torch.tensor(flipped(Y[:700].numpy(), 0.3))), (X[700:900], Y[700:900]), label_noise=True
    )


PLAIN = X.numpy(), Y.numpy()
GENERATOR = np.random.default_rng(1)
NORMAL = GENERATOR.normal(size=(1500, 5))
HARD = {
    "clean": lambda: PLAIN,
    "overlapping": lambda: (PLAIN[0] + 0.5 * GENERATOR.normal(size=X.shape), Y.numpy()),
    "hopeless": lambda: (PLAIN[0] + GENERATOR.normal(size=X.shape), Y.numpy()),
    "few features": lambda: (PLAIN[0][:, 18:24], Y.numpy()),
    "five classes": lambda: make_classification(1500, 20, n_informative=10, n_classes=5, class_sep=0.4, random_state=0),
    "two classes": lambda: make_classification(1500, 20, n_informative=5, class_sep=0.4, random_state=0),
    "unpredictable": lambda: (NORMAL, GENERATOR.integers(2, size=1500)),
    "a chance of each row's own": lambda: (
        NORMAL,
        (GENERATOR.random(1500) < 1 / (1 + np.exp(-NORMAL[:, 0]))).astype(int),
    ),
    "parity": lambda: (np.sign(NORMAL) + 0.01 * NORMAL, (np.sign(NORMAL).prod(1) > 0).astype(int)),
    "imbalanced": lambda: (NORMAL, (NORMAL[:, 0] + GENERATOR.normal(size=1500) > 2.5).astype(int)),
}


@pytest.mark.parametrize("name", HARD)
def test_classes_that_are_hard_to_tell_apart_are_not_accused(name):
    assert not judge("ART160", train=rows(*HARD[name]()))


def test_neighbours_of_tokens_are_rows_with_the_same_tokens():
    generator = np.random.default_rng(0)
    y = generator.integers(2, size=300)
    x = np.where(y[:, None] == 1, generator.integers(1, 30, (300, 12)), generator.integers(20, 50, (300, 12)))
    read = rows(x, y)
    read.integral = True
    found = neighbourhood(read)
    assert (found.votes == found.labels).mean() > 0.95


@pytest.mark.parametrize(
    ("model", "data", "missing"),
    [
        (lambda: Net(outputs=11), lambda: ((X[:600], Y[:600] + 1), (X[600:800], Y[600:800] + 1)), [0]),
        (lambda: Pictures(11), lambda: (named(slice(0, 600)), named(slice(600, 800))), [10]),
    ],
)
def test_an_output_that_is_never_a_target_is_seen(model, data, missing):
    seen = found(model, *data())
    assert set(seen) == {"ART161"}
    assert seen["ART161"].evidence["missing"] == missing
    assert "without output" in seen["ART161"].confirmed_by
    assert not found(model, *data(), reserved_classes=missing)


def test_a_large_vocabulary_of_classes_is_not_accused():
    generator = torch.Generator().manual_seed(0)
    y = (200 * torch.rand(600, generator=generator) ** 4).long()  # most of 200 classes are rare, many never there
    x = torch.randn(600, 8, generator=generator)
    assert not found(lambda: Net(8, 200), (x[:500], y[:500]), (x[500:], y[500:]))


def test_a_head_of_another_task_and_two_classes_are_not_accused():
    assert not found(lambda: Net(outputs=1000), (X[:600], Y[:600]), (X[600:700], Y[600:700]))
    x, y = load_wine(return_X_y=True)
    x, y = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32), torch.tensor(y)
    assert not found(lambda: Net(13, 3), (x[::2], y[::2]), (x[1::2], y[1::2]))


def test_equal_inputs_with_other_labels_are_seen_where_equal_inputs_are_rare():
    twice = np.concatenate([X[:400], X[:40]]), np.concatenate([Y[:400], (Y[:40] + 1) % 10])
    (seen,) = judge("ART163", train=rows(*twice))
    assert seen.evidence["rows"] == 80
    assert seen.severity == "warning"
    assert not judge("ART163", train=rows(np.concatenate([X[:400], X[:40]]), np.concatenate([Y[:400], Y[:40]])))
    bits = GENERATOR.integers(2, size=(400, 4))
    assert not judge("ART163", train=rows(bits, GENERATOR.integers(2, size=400)))


def regression(y, other=None):
    x = GENERATOR.normal(size=(len(y), 3))
    splits = {"train": rows(x, y)}
    if other is not None:
        splits["validation"] = rows(x[: len(other)], other)
    return judge("ART162", TaskKind.REGRESSION, **splits)


@pytest.mark.parametrize("spread", [1.0, 2.0, 4.0])
def test_targets_whose_fraction_was_cut_off_are_seen(spread):
    y = GENERATOR.normal(size=4000) * spread
    assert regression(np.trunc(y))
    assert regression(np.trunc(GENERATOR.uniform(-1, 1, 4000) * 4 * spread))


def test_targets_that_are_cut_in_one_split_are_seen():
    y = GENERATOR.exponential(size=300) * 5
    assert regression(np.trunc(y), y[:100])
    assert regression(y, np.trunc(y[:100]))


@pytest.mark.parametrize(
    "y",
    [
        GENERATOR.poisson(3, 800),
        GENERATOR.poisson(2, 800) - GENERATOR.poisson(2, 800),
        np.round(GENERATOR.normal(size=800)),
        np.round(0.5 * GENERATOR.normal(size=800)),
        np.round(GENERATOR.laplace(size=800)),
        np.round(30 * GENERATOR.normal(size=800)),
        GENERATOR.integers(1, 6, 800),
        GENERATOR.normal(size=800),
        GENERATOR.integers(-10, 11, 800),
    ],
)
def test_whole_numbers_by_nature_are_not_accused(y):
    assert not regression(y.astype(float))


class Trips(Dataset):
    """Examples of floats; the loader or the dataset makes targets of them."""

    def __init__(self, rows, cut):
        generator = torch.Generator().manual_seed(rows)
        self.seen = torch.randn(rows, 4, generator=generator)
        self.hours, self.cut = torch.exp(self.seen[:, 0] + self.seen[:, 1] / 2), cut

    def __len__(self):
        return len(self.seen)

    def __getitem__(self, at):
        return {"seen": self.seen[at], "hours": self.hours[at].long().float() if self.cut else float(self.hours[at])}


def together(kind):
    def collate(examples):
        hours = torch.tensor([float(one["hours"]) for one in examples]).to(kind).float()
        return {"seen": torch.stack([one["seen"] for one in examples]), "hours": hours}

    return collate


class Hours(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1), nn.Softplus(), nn.Flatten(0))

    def training_step(self, batch, index):
        return (self.net(batch["seen"]) - batch["hours"]).abs().mean()

    def validation_step(self, batch, index):
        self.log("off", self.training_step(batch, index))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


@pytest.mark.parametrize(
    ("cut", "kind", "seen"),
    [(True, torch.float, True), (False, torch.long, True), (False, torch.float, False)],
)
def test_positive_targets_that_lose_their_fraction_on_the_way_to_a_batch_are_seen(cut, kind, seen):
    data = [DataLoader(Trips(rows, cut), 25, collate_fn=together(kind)) for rows in (300, 100)]
    diagnosis = art.diagnose(Hours, tuple(data), trainer={"max_epochs": 1, "accelerator": "cpu"}, budget=120)
    assert ("ART162" in {one.code for one in diagnosis.findings}) is seen
