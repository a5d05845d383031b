"""Teachers whose mode was forgotten, or that learn from their students."""

import copy

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import art_training as art

pytestmark = pytest.mark.filterwarnings("ignore:Found .* in eval mode")

X = torch.tensor(load_digits().data[:640], dtype=torch.float32) / 16
Y = torch.tensor(load_digits().target[:640])


def large():
    return nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10))


def trained():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = large()
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        for _ in range(40):
            optimizer.zero_grad()
            F.cross_entropy(net(X), Y).backward()
            optimizer.step()
    return net.state_dict()


WEIGHTS = trained()


class Student(L.LightningModule):
    """Learns from labels and from what a teacher says."""

    def __init__(self, evaluates=True, learns=False):
        super().__init__()
        self.evaluates = evaluates
        self.teacher = large()
        self.teacher.load_state_dict(WEIGHTS)
        self.teacher.requires_grad_(learns)
        self.student = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        self.train()

    def train(self, mode=True):
        super().train(mode)
        if self.evaluates:
            self.teacher.eval()
        return self

    def training_step(self, batch, index):
        said = self.student(batch[0])
        wanted = self.teacher(batch[0]).softmax(1)
        return F.cross_entropy(said, batch[1]) + F.kl_div(said.log_softmax(1), wanted, reduction="batchmean")

    def configure_optimizers(self):
        return torch.optim.Adam([one for one in self.parameters() if one.requires_grad], lr=1e-3)


class Features(Student):
    """Images are alike where a frozen network sees the same."""

    def __init__(self, evaluates=True):
        super().__init__(evaluates)
        self.student = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 64))

    def training_step(self, batch, index):
        given = self.student(batch[0])
        return F.mse_loss(given, batch[0]) + F.mse_loss(self.teacher(given), self.teacher(batch[0]))


class Backbone(Student):
    """The frozen part is what a head learns on."""

    def __init__(self):
        super().__init__(evaluates=False)
        self.student = nn.Linear(10, 10)

    def training_step(self, batch, index):
        return F.cross_entropy(self.student(self.teacher(batch[0]).relu()), batch[1])


class MeanTeacher(Student):
    """The teacher is an average of the student, with dropout as it has."""

    def __init__(self):
        super().__init__(evaluates=False)
        self.student = large()
        self.student.load_state_dict(WEIGHTS)

    def on_train_batch_end(self, *_):
        with torch.no_grad():
            for mine, theirs in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
                mine.lerp_(theirs, 0.01)


class Near(Student):
    """Stays near a copy of what it was."""

    def __init__(self, learns=False):
        super().__init__()
        self.student = large()
        self.student.load_state_dict(WEIGHTS)
        self.teacher = copy.deepcopy(self.student).requires_grad_(learns)


class Mutual(Student):
    """Two networks that were loaded learn from each other, and from labels."""

    def __init__(self):
        super().__init__(learns=True)

    def training_step(self, batch, index):
        return super().training_step(batch, index) + F.cross_entropy(self.teacher(batch[0]), batch[1])


@pytest.fixture
def found():
    def ask(model):
        data = art.data((X, Y), batch_size=64)
        seen = art.diagnose(model, data, trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=90).findings
        return {one.code: one for one in seen if one.code in {"ART618", "ART825"}}

    return ask


@pytest.mark.slow
@pytest.mark.parametrize("model", [Student, Features], ids=["a teacher", "features"])
def test_a_frozen_teacher_in_training_mode_is_a_warning(found, model):
    seen = found(lambda: model(evaluates=False))["ART618"]
    assert seen.severity == "warning"
    assert seen.where == "teacher"
    assert seen.evidence["parts"] == ["teacher.1", "teacher.3"]
    assert seen.confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize("model", [lambda: Student(learns=True), lambda: Near(learns=True)], ids=["loaded", "a copy"])
def test_a_teacher_that_learns_from_its_student_is_a_warning(judged, model):
    seen = judged(model, art.data((X, Y), batch_size=64), codes="ART825")["ART825"]
    assert seen.severity == "warning"
    assert seen.where == "teacher"
    assert seen.evidence["gradient"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", [Student, Features, Backbone, MeanTeacher, Near, Mutual], ids=lambda one: one.__name__
)
def test_teachers_that_stay_or_follow_are_not_accused(found, model):
    assert not found(model)
