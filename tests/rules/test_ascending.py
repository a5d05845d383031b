"""Rows that come in the order of their targets."""

from functools import partial

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import art_training as art

X, Y = load_diabetes(return_X_y=True)
X, Y = torch.tensor(X * 20, dtype=torch.float32), torch.tensor((Y - 152) / 77, dtype=torch.float32)[:, None]
Y = Y + 0.01 * torch.randn(len(Y), 1, generator=torch.Generator().manual_seed(0))
SORTED = torch.argsort(-Y[:340, 0])


def found(train, validation=(X[340:], Y[340:]), features=10, **options):
    diagnosis = art.diagnose(
        lambda: nn.Sequential(nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, 1)),
        (train, DataLoader(TensorDataset(*validation), 50)),
        loss=nn.HuberLoss(),
        optimizer=partial(torch.optim.SGD, lr=0.05),
        trainer={"max_epochs": 2, "accelerator": "cpu"},
        budget=120,
        **options,
    )
    return {one.code: one for one in diagnosis.findings if one.code in {"ART131", "ART420"}}


def loader(rows, **options):
    return DataLoader(TensorDataset(X[:340][rows], Y[:340][rows]), 20, **options)


def test_rows_sorted_by_a_number_are_seen_and_explain_targets_that_can_be_exchanged():
    seen = found(loader(SORTED))
    assert set(seen) == {"ART131"}
    assert "with shuffle=True" in seen["ART131"].confirmed_by


def test_rows_in_another_order_are_not_accused():
    assert not found(loader(SORTED, shuffle=True))
    assert not found(loader(torch.arange(340)))
    assert not found(loader(SORTED), same_order=True)


def test_a_series_that_grows_is_not_accused():
    rng = np.random.default_rng(0)
    series = torch.tensor(np.cumsum(rng.exponential(0.01, 500)) - 2.5, dtype=torch.float32)
    windows = series.unfold(0, 13, 1)
    rows = TensorDataset(windows[:400, :12], windows[:400, 12:])
    assert "ART131" not in found(DataLoader(rows, 20), (windows[412:, :12], windows[412:, 12:]), 12)
