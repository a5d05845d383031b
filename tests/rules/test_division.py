"""Rows that were divided in an order, or of which a part is in one split only."""

from dataclasses import replace

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_wine
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.probes.rows import Rows, SplitRows
from art_training.records import Split
from art_training.rules import Laboratory, NotApplicable, rules
from art_training.setup.task import Task, TaskKind

MINE = ("ART136", "ART138", "ART154")
DIGITS, WINE, DIABETES = (load(return_X_y=True) for load in (load_digits, load_wine, load_diabetes))
GENERATOR = np.random.default_rng(0)


def rows(x, y):
    x = np.asarray(x, np.float32)
    return SplitRows(
        np.arange(len(x), dtype=np.uint64),
        np.arange(len(x), dtype=np.uint64),
        np.asarray(y),
        x,
        True,
        shape=x.shape[1:],
    )


def judged(train, validation, classes=None, **declarations):
    """What the rules say of rows that were read, by code."""
    kind = TaskKind.CLASSIFICATION if np.asarray(train[1]).dtype.kind in "iu" else TaskKind.REGRESSION
    laboratory = Laboratory(declarations=declarations, task=Task(kind, ("0",), "1", classes=classes))
    laboratory.lay_down(Rows({Split.TRAIN: rows(*train), Split.VALIDATION: rows(*validation)}))
    found = {}
    for rule in rules():
        if rule.code in MINE:
            try:
                found.update({one.code: one for one in rule.findings(laboratory)})
            except NotApplicable:
                continue
    return found


def cut(data, share=0.7):
    at = int(share * len(data[0]))
    return tuple(one[:at] for one in data), tuple(one[at:] for one in data)


def by_target(data):
    order = np.argsort(data[1], kind="stable")
    return data[0][order], data[1][order]


def mixed(data, seed=0):
    order = np.random.default_rng(seed).permutation(len(data[0]))
    return data[0][order], data[1][order]


@pytest.mark.parametrize("data", [DIGITS, WINE, DIABETES], ids=["ten classes", "three classes", "numbers"])
def test_a_cut_through_sorted_rows_is_seen(data):
    train, validation = cut(by_target(data))
    seen = judged(train, validation)
    assert "ART154" in seen
    assert "random divisions" in seen["ART154"].confirmed_by
    assert "ART154" in judged(validation, train)
    assert "ART154" not in judged(train, validation, imbalance_expected=True)
    assert "ART154" not in judged(train, validation, time=lambda example: float(example[1]))


def test_two_classes_one_after_the_other_are_seen():
    x, y = by_target((DIGITS[0], (DIGITS[1] > 4).astype(int)))
    assert "ART154" in judged(*cut((x, y), 0.8))


def test_rows_that_were_cut_first_and_mixed_then_are_seen():
    train, validation = cut(by_target(DIGITS))
    assert "ART154" in judged(mixed(train), mixed(validation))


def clean():
    yield "mixed", *cut(mixed(DIGITS))
    yield "numbers", *cut(mixed(DIABETES))
    parts = cut(mixed(DIGITS))
    yield "each split sorted", by_target(parts[0]), by_target(parts[1])
    yield "each split of numbers sorted", by_target(cut(mixed(DIABETES))[0]), by_target(cut(mixed(DIABETES))[1])
    yield "as the file has them", *cut(DIGITS)
    x = np.linspace(0, 1, 300)[:, None]
    yield "a curve from left to right", *cut((x, (x**2).ravel()))
    total = np.cumsum(GENERATOR.random(500))
    yield "a running total of lags", *cut((np.stack([total[i : 490 + i] for i in range(8)], 1), total[9:499]))
    yield (
        "a trend with noise",
        *cut((GENERATOR.normal(size=(500, 3)), np.arange(500) / 50 + GENERATOR.normal(size=500))),
    )
    normal = DIGITS[1] == 0
    yield (
        "training on what is normal",
        (DIGITS[0][normal], (~normal)[normal].astype(int)),
        (DIGITS[0], (~normal).astype(int)),
    )
    rare = mixed((GENERATOR.normal(size=(2000, 3)), (GENERATOR.random(2000) < 0.003).astype(int)))
    yield "a rare class", *cut(rare)
    y = GENERATOR.choice(5, 3000, p=[0.6, 0.25, 0.1, 0.045, 0.005])
    x = GENERATOR.normal(size=(3000, 3))
    even = np.concatenate([GENERATOR.choice(np.flatnonzero(y[:2000] == one), 60) for one in range(5)])
    yield "balanced training beside a validation as in use", (x[even], y[even]), (x[2000:2150], y[2000:2150])
    subjects = GENERATOR.integers(4, size=40)[np.arange(1200) // 30]
    yield "divided by subjects", (x[:900], subjects[:900]), (x[900:1200], subjects[900:])


CLEAN = {name: (train, validation) for name, train, validation in clean()}


@pytest.mark.parametrize("name", CLEAN)
def test_rows_that_were_divided_well_are_not_accused(name):
    assert not judged(*CLEAN[name])


def test_probabilities_of_a_yes_are_no_classes():
    x = GENERATOR.normal(size=(600, 4))
    assert "ART154" not in judged(*cut((x, 1 / (1 + np.exp(-x[:, 0])))), classes=2)


def test_classes_that_are_meant_to_be_new_are_not_accused():
    x, y = by_target(DIGITS)
    assert "ART154" not in judged((x[y < 7], y[y < 7]), (x[y >= 7], y[y >= 7]), classes=7)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_class_that_validation_lost_is_seen(kept):
    train, (x, y) = cut(mixed(DIGITS))
    stays = y != 4
    stays[np.flatnonzero(~stays)[:kept]] = True
    seen = judged(train, (x[stays], y[stays]))
    assert set(seen) == {"ART138"}
    assert seen["ART138"].evidence["lost"] == [4]
    assert "divided at random" in seen["ART138"].confirmed_by
    assert not judged(train, (x[stays], y[stays]), imbalance_expected=True)


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def test_lost_classes_are_told_beneath_the_cut():
    parts = [
        TensorDataset(torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)) for x, y in cut(by_target(DIGITS))
    ]
    data = art.data(DataLoader(parts[0], 64, shuffle=True), DataLoader(parts[1], 64))
    diagnosis = art.diagnose(Net, data, trainer={"max_epochs": 1, "accelerator": "cpu"}, budget=120)
    (seen,) = [one for one in diagnosis.findings if one.severity != "info"]
    assert seen.code == "ART154"
    assert seen.category == "split"
    assert "ART136" in {one.code for one in diagnosis.symptoms["ART154"]}


def rare(share, count, seed):
    """Rows of two classes, of which the second has this share."""
    generator = np.random.default_rng(seed)
    y = (generator.random(count) < share).astype(np.int64)
    return generator.normal(size=(count, 4)), y


@pytest.mark.parametrize("seed", range(3))
def test_a_filter_that_takes_a_rare_class_out_of_training_is_seen(seed):
    x, y = rare(0.07, 1600, seed)
    keep = (y == 0) | (np.arange(len(y)) % 20 == 0)
    found = judged((x[keep], y[keep]), rare(0.07, 800, seed + 10), imbalance_expected=True)
    assert "ART136" in found
    assert "divided at random" in found["ART136"].confirmed_by
    assert "ART136" not in judged((x, y), rare(0.07, 800, seed + 10))
    assert "ART136" not in judged((x[keep], y[keep]), rare(0.07, 800, seed + 10), time=lambda example: 0.0)


def test_one_of_ten_classes_that_training_hardly_has_is_seen():
    x, y = mixed(DIGITS)
    kept = (y != 3) | (np.arange(len(y)) % 10 == 0)
    uneven = (y > 1) | (np.arange(len(y)) % 2 == 0)  # validation is not balanced
    train, validation = kept & (np.arange(len(y)) < 1100), uneven & (np.arange(len(y)) >= 1100)
    assert "ART136" in judged((x[train], y[train]), (x[validation], y[validation]))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_balanced_on_purpose_is_not_accused(seed):
    generator = np.random.default_rng(seed)
    x, y = rare(0.07, 1600, seed)
    negatives = generator.permutation(np.flatnonzero(y == 0))[: 2 * int(y.sum())]
    fewer = np.concatenate([np.flatnonzero(y == 1), negatives])
    assert "ART136" not in judged((x[fewer], y[fewer]), rare(0.07, 800, seed + 10))  # training has more of it
    tail = np.repeat(np.arange(10), [500, 300, 180, 110, 65, 40, 24, 14, 9, 5])
    flat = np.repeat(np.arange(10), 40)
    long_tailed = (generator.normal(size=(len(tail), 3)), generator.permutation(tail))
    even = (generator.normal(size=(400, 3)), generator.permutation(flat))
    assert "ART136" not in judged(long_tailed, even, imbalance_expected=True)


@pytest.mark.parametrize("seed", range(5))
def test_splits_by_groups_are_counted_by_groups(seed):
    """Forty subjects of fifty rows, each of one class, a rare one among them."""
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(40), 50)
    y = (generator.random(40) < 0.15).astype(np.int64)[subject]
    held = np.isin(subject, generator.permutation(40)[:10])
    parts = [rows(generator.normal(size=(part.sum(), 3)), y[part]) for part in (~held, held)]
    named = [replace(one, groups=subject[part].astype(str)) for one, part in zip(parts, (~held, held), strict=True)]
    laboratory = Laboratory(task=Task(TaskKind.CLASSIFICATION, ("0",), "1"))
    laboratory.lay_down(Rows(dict(zip((Split.TRAIN, Split.VALIDATION), named, strict=True))))
    (rule,) = (one for one in rules() if one.code == "ART136")
    assert not rule.findings(laboratory)
