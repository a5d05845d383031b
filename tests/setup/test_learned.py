"""What is learned where the code of a step compares by itself."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.engines.lightning import LightningEngine
from art_training.setup.inference import infer
from art_training.setup.task import TaskKind

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(24, 6, generator=GENERATOR)
CLASSES = torch.randint(4, (24,), generator=GENERATOR)
NUMBERS = torch.randn(24, 3, generator=GENERATOR)


class OneHot(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 5)

    def training_step(self, batch, index):
        return -(F.one_hot(batch[1], 5) * self.net(batch[0]).log_softmax(1)).sum(1).mean()

    def validation_step(self, batch, index):
        self.log("hit", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())


class Threshold(OneHot):
    def validation_step(self, batch, index):
        wrong = (self.net(batch[0])[:, 0] > 0.5) != (batch[1] > 0.5)
        self.log("wrong", wrong.float().mean())


class Coarse(OneHot):
    """Counts what is right of classes that it makes of those of the batch."""

    def validation_step(self, batch, index):
        self.log("right", ((self.net(batch[0]).argmax(1) > 1) == (batch[1] > 1)).float().mean())


class Squares(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 3)

    def validation_step(self, batch, index):
        self.log("v", (self.net(batch[0]) - batch[1]).pow(2).sum(1).mean())


class Pushed(Squares):
    """Subtracts an entry on its way to something else, as an energy does."""

    def validation_step(self, batch, index):
        self.log("v", torch.tanh(self.net(batch[0]) - batch[1]).mean())


class Restored(Squares):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 6)

    def validation_step(self, batch, index):
        self.log("v", (self.net(batch[0]) - batch[0]).abs().mean())


def task_of(model, target):
    setup = art.Setup(model, art.data(DataLoader(TensorDataset(X, target), 8)), trainer={"accelerator": "cpu"})
    return infer(setup, LightningEngine())


@pytest.mark.parametrize(
    ("model", "target", "kind", "classes"),
    [
        (OneHot, CLASSES, TaskKind.CLASSIFICATION, 5),
        (Threshold, (CLASSES > 1).float(), TaskKind.CLASSIFICATION, 2),
        (Squares, NUMBERS, TaskKind.REGRESSION, None),
    ],
)
def test_what_is_compared_by_hand_says_what_is_learned(model, target, kind, classes):
    task = task_of(model, target)
    assert (task.kind, task.target, task.classes, task.inputs) == (kind, "1", classes, ("0",))


@pytest.mark.parametrize(("model", "target"), [(Pushed, NUMBERS), (Restored, NUMBERS), (Coarse, CLASSES)])
def test_other_comparisons_say_nothing(model, target):
    assert task_of(model, target).kind is TaskKind.OTHER
