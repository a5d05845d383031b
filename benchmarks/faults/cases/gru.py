"""A recurrent classifier of noisy waves of unequal length."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation


class Waves(L.LightningDataModule):
    """Rows: a padded signal (40, 1), its true length, and which of four waves it is."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str) -> None:
        rng = np.random.default_rng(self.seed)
        n = 900 + 100 * self.seed
        kinds = rng.integers(0, 4, n)
        lengths = rng.integers(16, 41, n)
        t = np.arange(40)
        signal = np.zeros((n, 40, 1))
        for row, (kind, length) in enumerate(zip(kinds, lengths, strict=True)):
            phase = rng.uniform(0, 2 * np.pi)
            speed = (0.35, 0.7)[kind % 2]
            wave = np.sin(speed * t + phase)
            wave = np.sign(wave) if kind >= 2 else wave * 1.3
            signal[row, :length, 0] = (wave + rng.normal(0, 0.25, 40))[:length]
        parts = (torch.tensor(signal, dtype=torch.float32), torch.tensor(lengths), torch.tensor(kinds))
        cut = n - 250
        self.train = TensorDataset(*(part[:cut] for part in parts))
        self.val = TensorDataset(*(part[cut:] for part in parts))

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=25, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=25)


class WaveNet(L.LightningModule):
    def __init__(
        self, lr: float = 5e-3, hidden: int = 32, batch_first: bool = True, last: str = "true", optimizer: str = "adam"
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(1, hidden, batch_first=batch_first)
        self.head = nn.Linear(hidden, 4)

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        states, _ = self.gru(x)
        if self.hparams["last"] == "true":
            last = states[torch.arange(len(x), device=x.device), length - 1]
        else:
            last = states[:, -1]
        return self.head(last)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, length, y = batch
        loss = F.cross_entropy(self(x, length), y)
        self.log("train_loss", loss, on_step=True, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, length, y = batch
        logits = self(x, length)
        self.log("val_loss", F.cross_entropy(logits, y), on_epoch=True)
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), on_epoch=True)

    def configure_optimizers(self) -> Any:
        if self.hparams["optimizer"] == "sgd":
            return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


class WaveNetStateful(WaveNet):
    """Keeps the state, for streaming."""

    state: Tensor | None = None

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        start = self.state if self.state is not None and self.state.shape[1] == len(x) else None
        states, end = self.gru(x, start)
        self.state = end.detach()
        return self.head(states[torch.arange(len(x), device=x.device), length - 1])


class Unrolled(nn.Module):
    def __init__(self, hidden: int, scale: float) -> None:
        super().__init__()
        self.into, self.over = nn.Linear(1, hidden), nn.Linear(hidden, hidden)
        nn.init.orthogonal_(self.over.weight, gain=scale)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.zeros(len(x), self.over.out_features, device=x.device)
        states = []
        for t in range(x.shape[1]):
            h = F.relu(self.into(x[:, t]) + self.over(h))
            states.append(h)
        return torch.stack(states, 1), h[None]


class PlainRecurrence(WaveNet):
    def __init__(self, scale: float = 0.9, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.gru = Unrolled(hparams.get("hidden", 32), scale)  # type: ignore[assignment]


def project(seed: int, model: Any = WaveNet, clip: float | None = None, **hparams: Any) -> Project:
    declarations = {} if clip is None else {"grad_clip": clip}
    return Project(model, partial(Waves, seed), {"max_epochs": 8, "gradient_clip_val": clip}, hparams, declarations)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean), lambda m, b: m(b[0], b[1]), lambda b: b[2]))


CASES = (
    Case(
        "gru-batch-as-time",
        "batch_first is missing: the recurrence runs over the examples of the batch",
        ("model",),
        partial(project, batch_first=False),
        project,
        "M07",
    ),
    Case(
        "gru-last-is-padding",
        "the state after the padding is read, not the one after the signal",
        ("model", "data"),
        partial(project, last="final"),
        project,
        "https://discuss.pytorch.org/t/how-to-get-the-last-hidden-state-of-padded-sequences/14064",
    ),
    Case(
        "gru-state-kept",
        "the state of one batch starts the next: an example's score depends on what came before",
        ("model", "evaluation"),
        partial(project, model=WaveNetStateful),
        project,
        "M07",
    ),
    Case(
        "gru-exploding",
        "the recurrence multiplies its state at every step: loss and gradients burst",
        ("initialization", "numerics", "model"),
        partial(project, model=PlainRecurrence, scale=3.0, lr=2e-3),
        partial(project, model=PlainRecurrence, lr=2e-3),
        "M12",
    ),
    Case(
        "gru-clipped-spikes",
        "gradients spike now and then, and are clipped to the norm that is declared",
        (),
        None,
        partial(project, clip=1.0),
        "N32",
    ),
)
