"""What transfer is for: with few labels it does better than training from scratch with the same labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import t as student
from sklearn.datasets import load_digits
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.records import Outcome, Split
from art_training.steps import Step, TransferLearning
from art_training.steps.bench import Bench
from art_training.stores.memory import MemoryStore

LABELS = 5  # a class
SEEDS = 10
SIDE = 12


def anywhere(seed: int) -> Any:
    """The digits, each somewhere on a canvas of 12 x 12: where it lies tells nothing, which five labels cannot teach."""
    images, labels = load_digits(return_X_y=True)
    canvas = np.zeros((len(labels), SIDE, SIDE), np.float32)
    for index, (row, column) in enumerate(np.random.default_rng(seed).integers(0, SIDE - 7, (len(labels), 2))):
        canvas[index, row : row + 8, column : column + 8] = images[index].reshape(8, 8) / 16
    return canvas.reshape(len(labels), -1), labels


X, Y = anywhere(0)


class Net(nn.Module):
    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Unflatten(1, (1, SIDE, SIDE)),
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.head = nn.Linear(18 * width, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))


@dataclass(frozen=True)
class FromScratch(Step):
    """Trains the very setup, for as long as both phases of the transfer together."""

    epochs: int = 80

    def run(self, bench: Bench) -> Outcome:
        result = bench.fit(bench.setup.but(trainer={"max_epochs": self.epochs}))
        return Outcome(scores=bench.evaluate(Split.VALIDATION, weights=result.last).scores)


def pretrained(path: Path) -> Path:
    """A network that was trained on all digits 0 to 4, each of them in six places."""
    torch.manual_seed(0)
    net, chosen = Net(), Y < 5
    x = torch.cat([torch.from_numpy(anywhere(place)[0][chosen]) for place in range(6)])
    y = torch.from_numpy(Y[chosen]).repeat(6)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(4):
        for batch in torch.randperm(len(y)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    torch.save(net.state_dict(), path)
    return path


def few_labels(seed: int) -> Any:
    """Five labels of each of the digits 5 to 9, drawn anew; the rest is validation."""
    order = np.random.default_rng(seed).permutation(np.flatnonzero(Y >= 5))
    x, y = X[order], Y[order] - 5
    mine = np.concatenate([np.flatnonzero(y == label)[:LABELS] for label in range(5)])
    rest = np.setdiff1d(np.arange(len(y)), mine)
    return art.data((x[mine], y[mine]), (x[rest], y[rest]), batch_size=256)


@pytest.mark.slow
def test_transfer_with_five_labels_a_class_beats_training_from_scratch_over_ten_seeds(tmp_path: Path) -> None:
    path = pretrained(tmp_path / "digits-0-4.pt")
    gains: list[float] = []
    for seed in range(SEEDS):
        setup = art.Setup(
            model=art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2),
            data=few_labels(seed),
            trainer={"max_epochs": 40, "accelerator": "cpu", "limit_val_batches": 0},
        )
        # From scratch comes first: what comes after the transfer would begin with its weights.
        steps = [
            FromScratch(continue_on_failure=True),
            TransferLearning(freeze="backbone.*", pretrained=path, fresh="head.*", frozen_epochs=40),
        ]
        accuracy = {"accuracy": MulticlassAccuracy(num_classes=5, average="micro")}
        project = art.ArtProject("gain", setup, metrics=accuracy, steps=steps, store=MemoryStore(), seed=seed)
        result = project.run()
        # Both had the same data, seed and optimiser, and as many optimiser steps.
        scores = [result[step.name].outcome.scores["validation/accuracy"].value for step in project.steps]
        gains.append(scores[1] - scores[0])
    mean, error = float(np.mean(gains)), float(np.std(gains, ddof=1)) / SEEDS**0.5
    low = mean - float(student.ppf(0.975, SEEDS - 1)) * error
    print(f"gain {mean:.3f}, 95 % interval from {low:.3f}; {np.round(gains, 3).tolist()}")
    assert low > 0, f"gain {mean:.3f}, its interval begins at {low:.3f}: {gains}"
