"""A hundred digits, of which every fourth has a wrong label, so that learning them by heart does harm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.records import Outcome
from art_training.steps import Regularize, Step, only
from art_training.steps.bench import Bench
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits

TRAIN, VALIDATION = digits()
X, Y = TRAIN[0][:100].astype(np.float32), TRAIN[1][:100]
# Every fourth label is wrong, so that learning them by heart does harm.
NOISY = np.where(np.arange(100) % 4 == 0, (Y + 1) % 10, Y)

DECAY = art.Variant(hparams={"weight_decay": 1.5})
DROPOUT = art.Variant(hparams={"dropout": 0.5})
SHORT = art.Variant(trainer={"max_epochs": 2})


class Net(nn.Module):
    def __init__(self, width: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def setup_of(labels: Any = NOISY, *, epochs: int = 20, model: Any = Net, data: Any = None, **trainer: Any) -> art.Setup:
    return art.Setup(
        art.from_torch(model, loss=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=1e-2, weight_decay=0.0),
        data or art.data((X, labels), VALIDATION, batch_size=50),
        trainer={"max_epochs": epochs, "accelerator": "cpu", "check_val_every_n_epoch": 1000, **trainer},
    )


@dataclass(frozen=True)
class Next(Step):
    """Leaves what it was handed."""

    def run(self, bench: Bench) -> Outcome:
        return Outcome(parameters={"setup": bench.setup.described()})


def project_of(
    candidates: Mapping[str, art.Variant], *, setup: art.Setup | None = None, store: Any = None, **settings: Any
) -> art.ArtProject:
    metrics = {"accuracy": MulticlassAccuracy(10, average="micro")}
    steps: Iterable[Step] = [Regularize(candidates, **settings), Next(checks=only())]
    return art.ArtProject("p", setup or setup_of(), metrics=metrics, steps=steps, store=store or MemoryStore())


def run(candidates: Mapping[str, art.Variant], *, force: bool = False, **settings: Any) -> Outcome:
    project = project_of(candidates, **settings)
    outcome = project.run(force=force)["Regularize"].outcome
    assert outcome is not None
    return outcome


def trained(outcome: Outcome) -> set[str]:
    """The trainings that a run made itself: only these leave curves with it."""
    return {name.partition("/")[0] for name in outcome.curves}


def winner(outcome: Outcome) -> str:
    return outcome.parameters["winner"]
