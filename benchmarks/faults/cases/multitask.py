"""One trunk, several heads; batches are named tuples."""

from functools import partial
from typing import Any, NamedTuple

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import validation


class Glyph(NamedTuple):
    pixels: Tensor
    digit: Tensor
    ink: Tensor


class Glyphs(Dataset[Glyph]):
    def __init__(self, rows: list[int], scale: float = 1.0) -> None:
        digits = load_digits()
        self.pixels = torch.tensor(digits.data[rows], dtype=torch.float32) / 16
        self.digit = torch.tensor(digits.target[rows])
        ink = self.pixels.sum(1)
        self.ink = scale * (ink - 19.5) / 2.7

    def __len__(self) -> int:
        return len(self.digit)

    def __getitem__(self, i: int) -> Glyph:
        return Glyph(self.pixels[i], self.digit[i], self.ink[i])


class GlyphData(L.LightningDataModule):
    def __init__(self, seed: int = 0, scale: float = 1.0) -> None:
        super().__init__()
        self.seed, self.scale = seed, scale

    def setup(self, stage: str) -> None:
        order = torch.randperm(1797, generator=torch.Generator().manual_seed(self.seed)).tolist()
        self.train = Glyphs(order[: 1000 + 120 * self.seed], self.scale)
        self.val = Glyphs(order[-350:], self.scale)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=32, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=70)


class TwoHeads(L.LightningModule):
    def __init__(self, lr: float = 3e-3, balance: str = "fixed", use_size: bool = False, every: bool = True) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.trunk = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.heads = nn.ModuleDict({"digit": nn.Linear(64, 10), "ink": nn.Linear(64, 1)})
        if use_size:
            self.heads["size"] = nn.Linear(64, 3)
        self.log_noise = nn.Parameter(torch.zeros(2)) if balance == "learned" else None

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.trunk(pixels)
        return self.heads["digit"](hidden), self.heads["ink"](hidden).squeeze(1)

    def losses(self, batch: Glyph) -> Tensor:
        digit, ink = self(batch.pixels)
        return torch.stack([F.cross_entropy(digit, batch.digit), F.mse_loss(ink, batch.ink)])

    def total(self, losses: Tensor) -> Tensor:
        if self.log_noise is not None:
            return (losses * torch.exp(-self.log_noise) + 0.5 * self.log_noise).sum()
        return losses.sum()

    def training_step(self, batch: Glyph, batch_idx: int) -> Tensor:
        losses = self.losses(batch)
        self.log("train/digit", losses[0])
        self.log("train/ink", losses[1])
        return self.total(losses)

    def validation_step(self, batch: Glyph, batch_idx: int) -> None:
        losses = self.losses(batch)
        right = (self(batch.pixels)[0].argmax(1) == batch.digit).float().mean()
        self.log_dict(
            {"val/digit": losses[0], "val/ink": losses[1], "val/accuracy": right}, batch_size=len(batch.digit)
        )

    def configure_optimizers(self) -> Any:
        parts = [*self.trunk.parameters(), *self.heads.parameters()]
        if self.hparams["every"] and self.log_noise is not None:
            parts.append(self.log_noise)
        return torch.optim.Adam(parts, lr=self.hparams["lr"])


class TwoHeadsPartial(TwoHeads):
    def total(self, losses: Tensor) -> Tensor:
        digit, _ = losses
        return digit


class TwoHeadsSeparate(TwoHeads):
    """The heads are made for each data set."""

    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.list_of_heads = [nn.Linear(64, 10), nn.Linear(64, 1)]
        self.heads = nn.ModuleDict()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.trunk(pixels)
        digit, ink = self.list_of_heads
        return digit(hidden), ink(hidden).squeeze(1)


def project(seed: int, model: Any = TwoHeads, scale: float = 1.0, **hparams: Any) -> Project:
    return Project(model, partial(GlyphData, seed, scale), {"max_epochs": 8}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """The mean of accuracy and of the explained variance of the ink."""
    model.eval()
    with torch.no_grad():
        parts = [(*model(batch.pixels), batch.digit, batch.ink) for batch in validation(clean)]
    digit, ink, digit_true, ink_true = (torch.cat(column) for column in zip(*parts, strict=True))
    right = (digit.argmax(1) == digit_true).float().mean().item()
    explained = 1 - ((ink - ink_true).square().mean() / ink_true.var()).item()
    return (right + explained) / 2, 0.05


CASES = (
    Case(
        "multitask-loss-left-out",
        "one head's loss is logged but not summed: the head keeps its random weights",
        ("loss", "model"),
        partial(project, model=TwoHeadsPartial),
        project,
        "M02",
    ),
    Case(
        "multitask-heads-in-list",
        "the heads are in a plain list: the optimiser and the checkpoint do not know them",
        ("model", "optimizer"),
        partial(project, model=TwoHeadsSeparate),
        project,
        "https://discuss.pytorch.org/t/when-should-i-use-nn-modulelist-and-when-should-i-use-nn-sequential/5463",
    ),
    Case(
        "multitask-overwhelmed",
        "one target is in thousands: its loss, a million times the other's, is all that counts",
        ("loss", "preprocessing"),
        partial(project, scale=1000.0),
        project,
        "L17",
    ),
    Case(
        "multitask-weights-not-optimised",
        "the learned balance of the losses is not given to the optimiser: it never moves",
        ("optimizer",),
        partial(project, balance="learned", every=False),
        partial(project, balance="learned"),
        "F03",
    ),
    Case(
        "multitask-spare-head",
        "a third head is there and not used, by configuration",
        (),
        None,
        partial(project, use_size=True),
        "N28",
    ),
    Case(
        "multitask-learned-balance",
        "a loss that goes under zero, by learned weights",
        (),
        None,
        partial(project, balance="learned"),
        "own",
    ),
)
