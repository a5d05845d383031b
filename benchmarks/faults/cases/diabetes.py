"""Regression with a plain nn.Module, a loss and an optimiser."""

from functools import partial
from typing import Any

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import art_training as art
from art_training.records import Split
from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import explained, pooled


class Progression(nn.Module):
    """Disease progression after one year, from ten measurements."""

    def __init__(self, hidden: int = 32, activation: str = "SiLU", flat: bool = False) -> None:
        super().__init__()
        nonlinear = getattr(nn, activation)
        self.layers = nn.Sequential(
            nn.Linear(10, hidden), nonlinear(), nn.Linear(hidden, hidden), nonlinear(), nn.Linear(hidden, 1)
        )
        self.flat = flat

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return y.squeeze(-1) if self.flat else y


class Ridge(nn.Linear):
    def __init__(self) -> None:
        super().__init__(10, 1)


class PositivePart(Progression):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


def rows(seed: int, target: str = "scaled") -> tuple[TensorDataset, TensorDataset]:
    X, y = load_diabetes(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))[: 400 + 20 * seed]
    x = torch.tensor(X, dtype=torch.float32)[order] * len(y) ** 0.5
    y = torch.tensor(y, dtype=torch.float32)[order]
    cut = int(0.75 * len(y))
    mean, std = y[:cut].mean(), y[:cut].std()
    if target == "scaled":
        y = (y - mean) / std
    elif target == "classes":
        y = ((y - mean) / std).long().float()
    elif target == "cents":
        y = 300 * y + 1000
    elif target == "shuffled":
        y = ((y - mean) / std).roll(1)
    y = y[:, None]
    return TensorDataset(x[:cut], y[:cut]), TensorDataset(x[cut:], y[cut:])


def squared(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target) ** 2).mean()


def summed(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target) ** 2).sum()


def agreement(prediction: Tensor, target: Tensor) -> Tensor:
    return -((prediction - target) ** 2).mean()


def project(
    seed: int,
    *,
    model: Any = Progression,
    target: str = "scaled",
    loss: Any = nn.MSELoss,
    optimizer: Any = torch.optim.Adam,
    lr: float = 3e-3,
    declarations: Any = None,
    **hparams: Any,
) -> Project:
    train, validation = rows(seed, target)
    declared = {"loss": loss, "optimizer": partial(optimizer, lr=lr), **(declarations or {})}
    return Project(model, art.data(train, validation, batch_size=16), {"max_epochs": 20}, hparams, declared)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    (loader,) = clean.data.loaders(Split.VALIDATION).values()
    return explained(*pooled(model, loader))


sgd = partial(project, optimizer=torch.optim.SGD, lr=0.05, loss=squared)

CASES = (
    Case(
        "diabetes-broadcast",
        "predictions (N,) meet targets (N, 1) in a loss written by hand: it learns the mean",
        ("loss",),
        partial(project, loss=squared, flat=True),
        partial(project, loss=squared),
        "https://github.com/pytorch/pytorch/issues/17357",
    ),
    Case(
        "diabetes-truncated",
        "scaled targets cut to whole numbers: most of the differences between patients are gone",
        ("labels", "preprocessing", "data"),
        partial(project, target="classes"),
        project,
        "B05",
    ),
    Case(
        "diabetes-unscaled-target",
        "targets around 46,000 with a learning rate for scaled ones: training never gets there",
        ("preprocessing", "initialization", "labels"),
        partial(project, target="cents"),
        project,
        "P16",
    ),
    Case(
        "diabetes-off-by-one",
        "targets are one row off: there is nothing to learn",
        ("labels", "data", "preprocessing"),
        partial(project, target="shuffled"),
        project,
        "P15",
    ),
    Case(
        "diabetes-summed",
        "the loss is a sum over the batch with a learning rate for a mean: training diverges",
        ("loss", "optimizer"),
        partial(sgd, loss=summed),
        sgd,
        "L09",
    ),
    Case(
        "diabetes-sign",
        "the loss has the wrong sign: training runs away from the targets",
        ("loss",),
        partial(project, loss=agreement),
        partial(project, loss=squared),
        "L07",
    ),
    Case(
        "diabetes-rectified",
        "a rectified output for targets around zero: half of them cannot be reached",
        ("model",),
        partial(project, model=PositivePart),
        project,
        "M04",
    ),
    Case(
        "diabetes-ridge",
        "one linear layer, declared as a linear model",
        (),
        None,
        partial(project, model=Ridge, declarations={"linear_model": True}),
        "N37",
    ),
    Case(
        "diabetes-sum-small-steps",
        "a summed loss with a learning rate to match",
        (),
        None,
        partial(sgd, loss=summed, lr=0.001),
        "L09",
    ),
)
