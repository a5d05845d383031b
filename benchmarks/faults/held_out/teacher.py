"""A student and its mean teacher: few labels, many images without."""

from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation


class PartlyLabelled(L.LightningDataModule):
    """Batches `(pixels, digit)`; a digit of -1 is not known."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str) -> None:
        digits = load_digits()
        order = torch.randperm(1797, generator=torch.Generator().manual_seed(self.seed))
        x, y = torch.tensor(digits.data, dtype=torch.float32)[order] / 16, torch.tensor(digits.target)[order]
        n = 1000 + 100 * self.seed
        known = torch.where(torch.arange(n) % 4 == 0, y[:n], -1)
        self.train, self.val = TensorDataset(x[:n], known), TensorDataset(x[-400:], y[-400:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=50, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=100)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Dropout(0.3), nn.Linear(96, 10))


class MeanTeacher(L.LightningModule):
    def __init__(self, lr: float = 4e-3, decay: float = 0.95) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.student, self.teacher = network(), network()
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        self.teacher.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.teacher(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self.student(x + 0.1 * torch.randn_like(x))
        with torch.no_grad():
            goal = self.teacher(x).softmax(1)
        supervised = F.cross_entropy(logits, y, ignore_index=-1)
        consistent = F.mse_loss(logits.softmax(1), goal)
        self.log_dict({"supervised": supervised, "consistent": consistent})
        return supervised + consistent

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.follow()

    @torch.no_grad()
    def follow(self) -> None:
        for old, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            old.lerp_(new, 1 - self.hparams["decay"])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.student.parameters(), lr=self.hparams["lr"])


class MeanTeacherCopies(MeanTeacher):
    @torch.no_grad()
    def follow(self) -> None:
        for old, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            old = self.hparams["decay"] * old + (1 - self.hparams["decay"]) * new  # noqa: PLW2901


class MeanTeacherUnknownsCount(MeanTeacher):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return super().training_step((x, y.clamp(min=0)), batch_idx)


class MeanTeacherReversed(MeanTeacher):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        with torch.no_grad():
            logits = self.student(x + 0.1 * torch.randn_like(x))
        goal = self.teacher(x).softmax(1)
        supervised = F.cross_entropy(self.student(x).detach() + self.student[3].bias, y, ignore_index=-1)
        consistent = F.mse_loss(logits.softmax(1), goal)
        self.log_dict({"supervised": supervised, "consistent": consistent})
        return supervised + consistent


def project(seed: int, model: Any = MeanTeacher, **hparams: Any) -> Project:
    return Project(model, partial(PartlyLabelled, seed), {"max_epochs": 14}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


CASES = (
    Case(
        "teacher-never-follows",
        "the average is bound to a name and not written back: the teacher, which is evaluated, stays random",
        ("model", "optimizer", "transfer"),
        partial(project, model=MeanTeacherCopies),
        project,
        "own",
    ),
    Case(
        "teacher-unknown-is-zero",
        "unknown labels become class 0: three quarters of the images are called zero",
        ("labels", "loss"),
        partial(project, model=MeanTeacherUnknownsCount),
        project,
        "own",
    ),
    Case(
        "teacher-no-grad-on-student",
        "no_grad and detach stand around the student: only a bias learns",
        ("model",),
        partial(project, model=MeanTeacherReversed),
        project,
        "M02",
    ),
    Case(
        "teacher-plain",
        "a network without gradients, in evaluation mode, which is in no optimiser and moves all the same",
        (),
        None,
        project,
        "N06",
    ),
)
