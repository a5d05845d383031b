"""Digits 5 to 9 as a task of their own, for a network that has seen 0 to 4."""

from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.project import ArtProject
from art_training.records import Outcome
from art_training.setup.setup import Setup
from art_training.steps import Step, TransferLearning
from art_training.stores.memory import MemoryStore

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
ACCURACY = {"accuracy": MulticlassAccuracy(num_classes=5, average="micro")}


class Net(nn.Module):
    """Convolutions with batch norms and dropout, and a head."""

    def __init__(self, classes: int = 5, width: int = 8) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        self.head = nn.Linear(width * 16, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))


def digits(first: int, labels: int | None, seed: int = 0) -> Any:
    """Digits `first` to `first + 4` as classes 0 to 4: `labels` a class to train on, the rest for validation and test."""
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero((first <= Y) & (first + 5 > Y)))
    x, y = X[chosen], Y[chosen] - first
    if labels is None:
        return art.data((x[:600], y[:600]), (x[600:], y[600:]), batch_size=64)
    mine = np.concatenate([np.flatnonzero(y == label)[:labels] for label in range(5)])
    rest = np.setdiff1d(np.arange(len(y)), mine)
    half = len(rest) // 2
    return art.data(
        (x[mine], y[mine]), (x[rest[:half]], y[rest[:half]]), (x[rest[half:]], y[rest[half:]]), batch_size=25
    )


def setup_of(data: Any, epochs: int = 4, optimizer: Any = torch.optim.AdamW, **trainer: Any) -> Setup:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=optimizer, lr=1e-2, weight_decay=0.1)
    return art.Setup(model=model, data=data, trainer={"max_epochs": epochs, "accelerator": "cpu", **trainer})


def project(*steps: Step, setup: Setup, store: Any = None) -> ArtProject:
    return ArtProject("transfer", setup, metrics=ACCURACY, steps=steps, store=store or MemoryStore())


def outcome_of(step: TransferLearning, setup: Setup, *after: Step) -> tuple[Outcome, Any]:
    result = project(step, *after, setup=setup).run()[step.name]
    assert result.outcome is not None
    return result.outcome, result


def reading(outcome: Outcome, name: str) -> Any:
    found = outcome.reading(name)
    assert found is not None, name
    return found.value
