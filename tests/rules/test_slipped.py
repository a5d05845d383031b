"""Whether targets stand beside the inputs of another row."""

import numpy as np
import pytest
import torch
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_classification,
    make_friedman1,
)
from torch import nn
from torch.utils.data import TensorDataset

import art_training as art
from art_training.probes.rows import Rows, SplitRows
from art_training.records import Split
from art_training.rules import Laboratory, NotApplicable, NotMeasured, rules
from art_training.setup.task import Task, TaskKind

RULE = next(one for one in rules() if one.code == "ART167")
TABLES = {
    "diabetes": (TaskKind.REGRESSION, *load_diabetes(return_X_y=True)),
    "friedman": (TaskKind.REGRESSION, *make_friedman1(600, noise=1.0, random_state=0)),
    "digits": (TaskKind.CLASSIFICATION, *load_digits(return_X_y=True)),
    "cancer": (TaskKind.CLASSIFICATION, *load_breast_cancer(return_X_y=True)),
    "wine": (TaskKind.CLASSIFICATION, *load_wine(return_X_y=True)),
    "weak": (TaskKind.CLASSIFICATION, *make_classification(1000, 20, flip_y=0.3, random_state=0)),
}


def rows(x, y):
    x = np.asarray(x, np.float32)
    numbers = np.arange(len(x), dtype=np.uint64)
    return SplitRows(numbers, numbers, np.asarray(y), x, True, shape=x.shape[1:])


def judged(kind, train, validation, **declarations):
    laboratory = Laboratory(declarations=declarations, task=Task(kind, ("0",), "1"))
    laboratory.lay_down(Rows({Split.TRAIN: rows(*train), Split.VALIDATION: rows(*validation)}))
    found = RULE.findings(laboratory)
    return found[0] if found else None


def divided(x, y, seed=0):
    order = np.random.default_rng(seed).permutation(len(x))
    cut = len(x) * 2 // 3
    return [(x[order[part]], y[order[part]]) for part in (slice(0, cut), slice(cut, None))]


def moved(part, by):
    return part[0], np.roll(part[1], by)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("by", [1, -2])
def test_targets_of_both_splits_that_slipped_are_seen(name, by):
    kind, x, y = TABLES[name]
    train, validation = divided(x, y)
    seen = judged(kind, moved(train, by), moved(validation, by))
    assert seen.evidence["by"] == by
    assert "as they are" in seen.confirmed_by


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("seed", range(3))
def test_targets_at_their_inputs_are_not_accused(name, seed):
    kind, x, y = TABLES[name]
    assert judged(kind, *divided(x, y, seed)) is None


@pytest.mark.parametrize("kind", [TaskKind.REGRESSION, TaskKind.CLASSIFICATION])
@pytest.mark.parametrize("seed", range(4))
def test_noise_is_not_accused(kind, seed):
    draws = np.random.default_rng(seed)
    x, y = draws.normal(size=(500, 8)), draws.integers(0, 3, 500)
    assert judged(kind, *divided(x, y, seed)) is None


def test_targets_mixed_at_random_did_not_slip():
    kind, x, y = TABLES["digits"]
    assert judged(kind, *divided(x, np.random.default_rng(0).permutation(y))) is None


def in_order(x, y):
    cut = len(x) * 2 // 3
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def autoregressive(n=900, memory=0.7):
    draws = np.random.default_rng(1).normal(size=n)
    for i in range(1, n):
        draws[i] += memory * draws[i - 1]
    return draws


def test_windows_of_a_series_are_not_judged():
    series = autoregressive()
    windows = np.lib.stride_tricks.sliding_window_view(series, 8)[:-1]
    with pytest.raises(NotMeasured, match="as in time"):
        judged(TaskKind.REGRESSION, *in_order(windows, series[8:]))


def test_the_next_value_of_a_series_without_memory_is_not_accused():
    series = np.random.default_rng(2).normal(size=900)
    assert judged(TaskKind.REGRESSION, *in_order(series[:-1, None], series[1:])) is None


def test_the_direction_of_the_next_value_is_not_accused():
    series = np.random.default_rng(4).normal(size=(900, 3))
    assert judged(TaskKind.CLASSIFICATION, *in_order(series[:-1], (series[1:, 0] > 0).astype(int))) is None


def test_returns_whose_size_has_a_memory_are_not_judged():
    draws = np.random.default_rng(3)
    size = np.exp(autoregressive(memory=0.95) / 3)
    market = size * draws.normal(size=900)
    others = market[:, None] + 0.5 * size[:, None] * draws.normal(size=(900, 4))
    with pytest.raises(NotMeasured, match="as in time"):
        judged(TaskKind.REGRESSION, *in_order(others[:-1], market[1:]))


def test_rows_sorted_by_their_target_are_not_accused():
    for kind, x, y in TABLES.values():
        order = np.argsort(y, kind="stable")
        try:
            assert judged(kind, *in_order(x[order], y[order])) is None
        except NotMeasured:
            continue


def test_a_declared_time_settles_it():
    kind, x, y = TABLES["digits"]
    train, validation = divided(x, y)
    with pytest.raises(NotApplicable, match="time is declared"):
        judged(kind, moved(train, 1), moved(validation, 1), time=lambda example: 0.0)


def test_slipped_pictures_are_seen_by_a_diagnosis():
    _, x, y = TABLES["digits"]
    (a, b), (c, d) = divided(x / 16, y)
    pictures = [
        TensorDataset(torch.tensor(part, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(np.roll(label, 1)))
        for part, label in ((a, b), (c, d))
    ]
    diagnosis = art.diagnose(
        lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)),
        art.data(*pictures, batch_size=64),
        trainer={"max_epochs": 2, "accelerator": "cpu"},
        budget=120,
        loss=nn.CrossEntropyLoss,
        optimizer=lambda parameters: torch.optim.Adam(parameters, 1e-3),
    )
    assert diagnosis.findings[0].code == "ART167"
