"""Recordings of people: rows of one person are alike."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import area, pooled, validation


class Recordings(Dataset[Any]):
    """Items: a dictionary of the signal (20,), the diagnosis and the person."""

    def __init__(self, signal: np.ndarray, sick: np.ndarray, person: np.ndarray) -> None:
        self.signal, self.sick, self.person = signal.astype(np.float32), sick, person

    def __len__(self) -> int:
        return len(self.sick)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {"signal": torch.from_numpy(self.signal[i]), "sick": float(self.sick[i]), "person": int(self.person[i])}


def person_of(example: Any) -> int:
    return int(example["person"])


class ClinicData(L.LightningDataModule):
    def __init__(self, seed: int = 0, people: int = 120, whole: bool = True) -> None:
        super().__init__()
        self.seed, self.people, self.whole = seed, people, whole

    def setup(self, stage: str | None = None) -> None:
        rng = np.random.default_rng(self.seed)
        person = np.repeat(np.arange(self.people), 10)
        ill = rng.permutation(np.arange(self.people) % 2)
        own = rng.normal(0, 1, (self.people, 20))
        signal = own[person] + rng.normal(0, 0.5, (len(person), 20))
        signal[:, 0] += 2.0 * ill[person]
        signal[:, 1] -= 2.0 * ill[person]
        signal, sick = signal / 1.2, ill[person]
        draw = rng.permutation(self.people)[person] if self.whole else rng.permutation(len(person))
        held = draw >= 0.7 * (draw.max() + 1)
        self.train = Recordings(signal[~held], sick[~held], person[~held])
        self.val = Recordings(signal[held], sick[held], person[held])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=32, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=90)


class Diagnosis(L.LightningModule):
    def __init__(self, lr: float = 2e-3, hidden: int = 16) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(20, hidden), nn.ReLU(), nn.Linear(hidden, 1), nn.Flatten(0))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.net(batch["signal"])

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch), batch["sick"].float())
        self.log("train_loss", loss, batch_size=len(batch["sick"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logit, sick = self(batch), batch["sick"].float()
        self.log("val_loss", F.binary_cross_entropy_with_logits(logit, sick), batch_size=len(sick))
        self.log("val_acc", ((logit > 0) == sick.bool()).float().mean(), batch_size=len(sick))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=0.05)


def project(seed: int, whole: bool = True, **hparams: Any) -> Project:
    data = partial(ClinicData, seed, 120 + 20 * seed, whole)
    return Project(Diagnosis, data, {"max_epochs": 5}, hparams, {"groups": person_of})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return area(*pooled(model, validation(clean), lambda m, b: m(b), lambda b: b["sick"]))


CASES = (
    Case(
        "subjects-people-on-both-sides",
        "rows are split at random: each person is in training and in validation, and is recognised",
        ("split", "data"),
        partial(project, whole=False),
        project,
        "D03",
    ),
    Case("subjects-whole-people", "rows of one person are alike; people are split whole", (), None, project, "D03"),
)
