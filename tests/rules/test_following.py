"""Copies that are meant to follow what trains."""

import copy

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import art_training as art

X = torch.tensor(load_digits().data, dtype=torch.float32) / 16
Y = torch.tensor(load_digits().target)


class MeanTeacher(L.LightningModule):
    """Learns to agree with an average of itself."""

    def __init__(self, momentum=0.99):
        super().__init__()
        self.momentum = momentum
        self.student = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def training_step(self, batch, index):
        images, labels = batch
        logits = self.student(images + 0.05 * torch.randn_like(images))
        with torch.no_grad():
            wanted = self.teacher(images).softmax(1)
        return F.cross_entropy(logits, labels) + F.mse_loss(logits.softmax(1), wanted)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        with torch.no_grad():
            self.follow(list(zip(self.teacher.parameters(), self.student.parameters(), strict=True)))

    def follow(self, pairs):
        for average, current in pairs:
            average.lerp_(current, 1 - self.momentum)

    def configure_optimizers(self):
        return torch.optim.Adam(self.student.parameters(), lr=1e-3)


class Aside(MeanTeacher):
    """What is averaged goes into new tensors."""

    def follow(self, pairs):
        for average, current in pairs:
            torch.lerp(average, current, 0.01)


class Itself(MeanTeacher):
    """Averages the teacher with the teacher."""

    def follow(self, pairs):
        for average, _ in pairs:
            average.copy_(0.99 * average + 0.01 * average)


class Copied(MeanTeacher):
    def follow(self, pairs):
        self.teacher.load_state_dict(self.student.state_dict())


class Seldom(MeanTeacher):
    """Copied every so many steps."""

    def follow(self, pairs):
        if self.global_step % 1000 == 999:
            self.teacher.load_state_dict(self.student.state_dict())


class Reference(MeanTeacher):
    """Stays near what was learned before."""

    def __init__(self):
        super().__init__()
        with torch.no_grad():
            for one in self.student.parameters():
                one.copy_(one.tanh() * one.abs().sqrt())  # no initialiser draws so
        self.teacher.load_state_dict(self.student.state_dict())

    def follow(self, pairs):
        pass


def found(model):
    data = art.data((X, Y), batch_size=64)
    diagnosis = art.diagnose(model, data, trainer={"max_epochs": 4, "accelerator": "cpu"}, budget=12)
    return next((one for one in diagnosis.findings if one.code == "ART534"), None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "severity"),
    [(lambda: MeanTeacher(1.0), "error"), (Itself, "error"), (Aside, "warning")],
    ids=["a momentum of 1", "itself", "a new tensor"],
)
def test_a_copy_that_stands_still(model, severity):
    seen = found(model)
    assert seen.severity == severity
    assert seen.where == "teacher"
    assert seen.evidence["moved"] < 1e-5 * seen.evidence["leader moved"]
    assert seen.confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize("model", [lambda: MeanTeacher(0.0), Copied], ids=["a momentum of 0", "copied"])
def test_a_copy_that_follows_at_once(model):
    seen = found(model)
    assert seen.severity == "warning"
    assert seen.evidence["alike"] == seen.evidence["looked at"] >= 3


@pytest.mark.slow
def test_a_copy_that_follows_slowly_is_not_accused():
    assert found(MeanTeacher) is None


@pytest.mark.slow
@pytest.mark.parametrize("model", [Seldom, Reference], ids=["every thousand steps", "a reference"])
def test_a_copy_that_may_stay_is_information(model):
    assert found(model).severity == "info"
