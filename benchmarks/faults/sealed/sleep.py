"""Stages of sleep: five half-minutes in a row are scored together, from a few features of each."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import pooled

STAGES, SPAN, BANDS = 5, 5, 8


def night(seed: int, length: int, noise: float) -> tuple[Tensor, Tensor]:
    """Band powers (length, BANDS) and stages (length,) of one sleeper who stays in a stage for a while."""
    rng = np.random.default_rng(500 + seed)
    profile = np.random.default_rng(1).normal(0, 1, (STAGES, BANDS))
    stages = np.zeros(length, dtype=np.int64)
    for at in range(1, length):
        stages[at] = stages[at - 1] if rng.random() < 0.75 else rng.integers(0, STAGES)
    power = profile[stages] + rng.normal(0, noise, (length, BANDS))
    return torch.tensor(power, dtype=torch.float32), torch.tensor(stages)


class Spans(Dataset[dict[str, Any]]):
    """Five half-minutes that begin at each of `starts`."""

    def __init__(self, power: Tensor, stages: Tensor, starts: list[int]) -> None:
        self.power, self.stages, self.starts = power, stages, starts

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, item: int) -> dict[str, Any]:
        at = self.starts[item]
        return {
            "power": self.power[at : at + SPAN],
            "stages": self.stages[at : at + SPAN],
            "begins": at,
        }


class Night(L.LightningDataModule):
    """`cut` says how spans go to training or validation: by the clock, with nothing shared, or at random."""

    def __init__(
        self, seed: int = 0, cut: str = "clock", length: int = 1100, step: int = 2, noise: float = 1.0
    ) -> None:
        super().__init__()
        self.seed, self.cut, self.length, self.step, self.noise = seed, cut, length, step, noise

    def setup(self, stage: str | None = None) -> None:
        length = self.length + 60 * self.seed
        power, stages = night(self.seed, length + 300, self.noise)
        starts = list(range(0, length - SPAN, self.step))
        n = len(starts) // 4
        if self.cut == "clock":
            train, held = starts[: -n - SPAN], starts[-n:]
        else:
            order = np.random.default_rng(self.seed).permutation(starts).tolist()
            train, held = order[n:], order[:n]
        self.train, self.val = Spans(power, stages, train), Spans(power, stages, held)
        self.later = Spans(power, stages, list(range(length + SPAN, length + 300 - SPAN, SPAN)))

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=16, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=40)


class Scorer(L.LightningModule):
    def __init__(
        self, width: int = 48, lr: float = 3e-3, norm: bool = False, over: int = 1, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            nn.Conv1d(BANDS, width, 3, padding=1),
            nn.BatchNorm1d(width) if norm else nn.Identity(),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(width, STAGES, 3, padding=1),
        )

    def forward(self, power: Tensor) -> Tensor:
        """Scores (rows, STAGES, SPAN) of powers (rows, SPAN, BANDS)."""
        return self.features(power.transpose(1, 2))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["power"]), batch["stages"])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        scores = self(batch["power"])
        right = scores.argmax(self.hparams["over"]) == batch["stages"]
        rows = len(scores)
        self.log("loss/val", F.cross_entropy(scores, batch["stages"]), batch_size=rows)
        self.log("accuracy/val", right.float().mean(), batch_size=rows)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


class ScorerShowing(Scorer):
    """Prints how the first span is scored before each epoch."""

    shown = ""

    def on_train_epoch_start(self) -> None:
        self.eval()
        with torch.no_grad():
            first = self.trainer.train_dataloader.dataset[0]["power"]
            self.shown = str(self(first[None].to(self.device)).argmax(1).tolist())


class ScorerShowingAndBack(ScorerShowing):
    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.train()


class ScorerRemembering(Scorer):
    """Wide, and each half-minute by itself."""

    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.features = nn.Sequential(
            nn.Conv1d(BANDS, 256, 1), nn.ReLU(), nn.Conv1d(256, 128, 1), nn.ReLU(), nn.Conv1d(128, STAGES, 1)
        )


def begins(example: Any) -> int:
    return int(example["begins"])


def project(
    seed: int, model: Any = Scorer, epochs: int = 8, data: Any = None, timed: bool = True, **hparams: Any
) -> Project:
    declared = {"time": begins} if timed else {}
    return Project(model, partial(Night, seed, **(data or {})), {"max_epochs": epochs}, hparams, declared)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Less the loss in nats, of half-minutes after those of both splits, which no way of cutting touches; the dummy knows how common
    stages are."""
    data = clean.data()
    data.setup("fit")
    loader = DataLoader(data.later, batch_size=50)
    scores, stages = pooled(model, loader, lambda m, b: m(b["power"]), lambda b: b["stages"])
    common = stages.flatten().bincount().float() / stages.numel()
    return -F.cross_entropy(scores, stages).item(), (common * common.log()).sum().item()


def judged(model: Any, clean: Project) -> float:
    """Share of those half-minutes whose stage is found."""
    data = clean.data()
    data.setup("fit")
    scores, stages = pooled(
        model, DataLoader(data.later, batch_size=50), lambda m, b: m(b["power"]), lambda b: b["stages"]
    )
    return (scores.argmax(1) == stages).float().mean().item()


crowded = {"step": 1, "length": 700, "noise": 1.2}
showing = partial(project, norm=True, width=160, dropout=0.6, data={"length": 500, "noise": 2.0}, epochs=14)

CASES = (
    Case(
        "sleep-other-axis",
        "accuracy takes the best half-minute of each stage for the best stage of each half-minute, of which there are five too",
        ("metrics",),
        partial(project, over=2),
        project,
        "K05",
    ),
    Case(
        "sleep-overlapping-spans",
        "spans that share half-minutes are split at random: validation asks for stages that training was told",
        ("split", "data"),
        partial(project, model=ScorerRemembering, data={**crowded, "cut": "random"}, epochs=4, timed=False),
        partial(project, model=ScorerRemembering, data=crowded, epochs=4, timed=False),
        "D04",
    ),
    Case(
        "sleep-shown-in-evaluation",
        "an example is shown before each epoch and the model stays in evaluation mode: normalisation never learns",
        ("mode",),
        partial(showing, model=ScorerShowing),
        partial(showing, model=ScorerShowingAndBack),
        "T03",
    ),
    Case(
        "sleep-normalised",
        "batch normalisation: in training mode a span's scores depend on the others of its batch",
        (),
        None,
        partial(project, norm=True),
        "N17",
    ),
)
