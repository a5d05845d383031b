"""Whether targets belong to the inputs beside them."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_wine, make_classification, make_friedman1
from torch import nn
from torch.nn import functional as F

import art_training as art
from art_training.probes.rows import Rows, SplitRows
from art_training.records import Split
from art_training.rules import Laboratory, NotApplicable, rules
from art_training.setup.task import Task, TaskKind

MINE = ("ART164", "ART165")
DIGITS = load_digits(return_X_y=True)
FRIEDMAN = make_friedman1(1000, noise=0.5, random_state=0)
GENERATOR = np.random.default_rng(0)


def rows(x, y):
    x = np.asarray(x, np.float32)
    return SplitRows(
        np.unique(x, axis=0, return_inverse=True)[1].ravel().astype(np.uint64), np.arange(len(x), dtype=np.uint64), np.asarray(y), x,
        True, shape=x.shape[1:],
    )  # fmt: skip


def judged(train, validation, kind=TaskKind.CLASSIFICATION, **declarations):
    """What the rules say of rows that were read, by code."""
    laboratory = Laboratory(declarations=declarations, task=Task(kind, ("0",), "1"))
    laboratory.lay_down(Rows({Split.TRAIN: rows(*train), Split.VALIDATION: rows(*validation)}))
    found = {}
    for rule in rules():
        if rule.code in MINE:
            try:
                found.update({one.code: one for one in rule.findings(laboratory)})
            except NotApplicable:
                continue
    return found


def divided(data, share=0.7, seed=0):
    x, y = data
    order = np.random.default_rng(seed).permutation(len(x))
    cut = int(share * len(x))
    return [(x[order[part]], y[order[part]]) for part in (slice(0, cut), slice(cut, None))]


def mixed(part, seed=1):
    return part[0], np.random.default_rng(seed).permutation(part[1])


def numbers(kind):
    return TaskKind.REGRESSION if kind is FRIEDMAN else TaskKind.CLASSIFICATION


@pytest.mark.parametrize("data", [DIGITS, FRIEDMAN], ids=["classes", "numbers"])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_targets_in_another_order_than_inputs_are_seen(data, split):
    train, validation = divided(data)
    if split == "train":
        train = mixed(train)
    else:
        validation = mixed(validation)
    seen = judged(train, validation, numbers(data))
    assert set(seen) == {"ART164"}
    assert seen["ART164"].evidence["split"] == split
    assert "of what chance leaves open" in seen["ART164"].confirmed_by


@pytest.mark.parametrize("data", [DIGITS, FRIEDMAN], ids=["classes", "numbers"])
@pytest.mark.parametrize("by", [1, -2])
def test_targets_that_slipped_are_moved_back(data, by):
    train, validation = divided(data)
    seen = judged((train[0], np.roll(train[1], by)), validation, numbers(data))
    assert seen["ART164"].evidence["slip"] == -by
    assert "slipped" in seen["ART164"].remedy


def test_labels_known_to_be_wrong_are_not_accused():
    train, validation = divided(DIGITS)
    assert not judged(mixed(train), validation, label_noise=True)


@pytest.mark.parametrize("classes", [10, 2], ids=["ten", "two"])
def test_classes_that_validation_numbers_otherwise_are_seen(classes):
    x, y = DIGITS
    x, y = x[y < classes], y[y < classes]
    train, validation = divided((x, y))
    seen = judged(train, (validation[0], classes - 1 - validation[1]))
    assert set(seen) == {"ART165"}
    assert [0, classes - 1] in seen["ART165"].evidence["pairs"]


def test_numbers_made_of_what_a_split_has_are_seen():
    train, (x, y) = divided(DIGITS)
    kept = y != 2  # without this folder the others move up
    seen = judged(train, (x[kept], np.searchsorted(np.unique(y[kept]), y[kept])))
    assert "ART165" in seen
    assert [3, 2] in seen["ART165"].evidence["pairs"]


def noisy(part, size):
    return part[0] + size * GENERATOR.normal(size=part[0].shape), part[1]


def clean():
    digits, friedman = divided(DIGITS), divided(FRIEDMAN)
    yield "plain", *digits
    yield "numbers", *friedman
    yield "a small validation", digits[0], tuple(one[:50] for one in digits[1])
    yield "few rows", *divided(load_wine(return_X_y=True))
    yield "hard numbers", *divided(load_diabetes(return_X_y=True))
    yield "training with noise", noisy(digits[0], 12.0), digits[1]
    yield "validation with noise", digits[0], noisy(digits[1], 20.0)
    yield "training that is another kind of input", (255 - 10 * digits[0][0], digits[0][1]), digits[1]
    yield "validation of one class", digits[0], tuple(one[digits[1][1] == 3] for one in digits[1])
    yield "unpredictable", *divided((GENERATOR.normal(size=(800, 5)), GENERATOR.integers(3, size=800)))
    yield (
        "wrong in part",
        (digits[0][0], np.where(GENERATOR.random(len(digits[0][1])) < 0.4, 0, digits[0][1])),
        digits[1],
    )
    yield "overlapping", *divided(make_classification(900, 20, n_informative=5, class_sep=0.4, random_state=0))
    for number in range(6):  # of validation's groups, each is nearest to some group of training, of whatever class
        group = np.arange(800) // 40
        centres, labels = GENERATOR.normal(size=(20, 6 * number + 3)) * 2, GENERATOR.integers(3, size=20)
        x = centres[group] + GENERATOR.normal(size=(800, 6 * number + 3))
        yield f"divided by groups {number}", (x[:680], labels[group[:680]]), (x[680:], labels[group[680:]])
    x = np.cumsum(GENERATOR.normal(size=1200))
    walk = np.stack([x[i : 1190 + i] for i in range(8)], 1), x[9:1199]
    yield "a walk by time", tuple(one[:800] for one in walk), tuple(one[800:] for one in walk)
    steps = np.diff(walk[0], axis=1)
    yield "steps of a walk", (steps[:800], steps[1:801, -1]), (steps[800:1180], steps[801:1181, -1])
    time = np.arange(1000) / 100
    level = np.where(time < 7, time**2, 49 + GENERATOR.normal(size=1000))
    table = np.stack([time, GENERATOR.normal(size=1000)], 1)
    yield "a stretch in which nothing moves", (table[:700], level[:700]), (table[700:], level[700:])


CLEAN = {name: (train, validation) for name, train, validation in clean()}


@pytest.mark.parametrize("name", CLEAN)
def test_rows_that_belong_together_are_not_accused(name):
    train, validation = CLEAN[name]
    kind = TaskKind.CLASSIFICATION if np.asarray(train[1]).dtype.kind in "iu" else TaskKind.REGRESSION
    assert not judged(train, validation, kind)


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch["image"]), batch["label"])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.net(batch["image"]), batch["label"]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def test_a_training_whose_labels_were_mixed_is_told_first():
    parts = [
        {"image": torch.tensor(x / 16, dtype=torch.float32).reshape(-1, 1, 8, 8), "label": torch.tensor(y)}
        for x, y in (mixed(divided(DIGITS)[0]), divided(DIGITS)[1])
    ]
    diagnosis = art.diagnose(
        Net, art.data(*parts, batch_size=64), trainer={"max_epochs": 1, "accelerator": "cpu"}, budget=120
    )
    assert [one.code for one in diagnosis.findings if one.severity != "info"] == ["ART164"]
