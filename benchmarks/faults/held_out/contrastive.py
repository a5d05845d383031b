"""Contrastive learning with in-batch negatives: two views of each digit are to find one another."""

from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import validation


class Pairs(Dataset[Any]):
    """Items: two noisy, shifted views (64,) of one image; fixed ones where `fixed`."""

    def __init__(self, images: Tensor, fixed: bool, views: str = "two") -> None:
        self.images, self.fixed, self.views = images, fixed, views

    def __len__(self) -> int:
        return len(self.images)

    def view(self, image: Tensor, rng: torch.Generator | None) -> Tensor:
        shift = int(torch.randint(-1, 2, (1,), generator=rng))
        mask = torch.rand(8, 8, generator=rng) > 0.2
        return (image.roll(shift, 1) * mask + 0.1 * torch.randn(8, 8, generator=rng)).flatten()

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = torch.Generator().manual_seed(index) if self.fixed else None
        a = self.view(self.images[index], rng)
        return a, a if self.views == "one" else self.view(self.images[index], rng)


class PairData(L.LightningDataModule):
    def __init__(self, seed: int = 0, views: str = "two", batch_size: int = 64) -> None:
        super().__init__()
        self.seed, self.views, self.batch_size = seed, views, batch_size

    def setup(self, stage: str | None = None) -> None:
        images = torch.tensor(load_digits().images, dtype=torch.float32) / 16
        images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(self.seed))]
        self.train = Pairs(images[: 1100 + 80 * self.seed], False, self.views)
        self.val = Pairs(images[-256:], True, self.views)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 64)


class Contrastive(L.LightningModule):
    def __init__(self, lr: float = 2e-3, width: int = 24, temperature: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU())
        self.projector = nn.Linear(96, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.projector(self.encoder(x)), dim=-1)

    def loss(self, a: Tensor, b: Tensor) -> Tensor:
        similarity = a @ b.t() / self.hparams["temperature"]
        goal = torch.arange(len(a), device=a.device)
        return (F.cross_entropy(similarity, goal) + F.cross_entropy(similarity.t(), goal)) / 2

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        a, b = batch
        loss = self.loss(self(a), self(b))
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        a, b = (self(view) for view in batch)
        found = (a @ b.t()).argmax(1) == torch.arange(len(a), device=a.device)
        self.log("val/loss", self.loss(a, b))
        self.log("val/found", found.float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


class ContrastiveDirect(Contrastive):
    """Pulls the two views together."""

    def loss(self, a: Tensor, b: Tensor) -> Tensor:
        return 2 - 2 * (a * b).sum(-1).mean()


class ContrastiveJoint(Contrastive):
    """All views of the batch against all."""

    def __init__(self, others_only: bool = True, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.others_only = others_only

    def loss(self, a: Tensor, b: Tensor) -> Tensor:
        n = len(a)
        both = torch.cat([a, b])
        similarity = both @ both.t() / self.hparams["temperature"]
        if self.others_only:
            similarity = similarity.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=a.device), -1e9)
            goal = torch.arange(2 * n, device=a.device).roll(n)
        else:
            goal = torch.arange(2 * n, device=a.device)
        return F.cross_entropy(similarity, goal)


def project(seed: int, model: Any = Contrastive, hparams: Any = None, epochs: int = 8, **data: Any) -> Project:
    declarations = {"couples_examples": True}
    return Project(model, partial(PairData, seed, **data), {"max_epochs": epochs}, hparams or {}, declarations)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Share of validation views, of 256, that are nearest to their partner."""
    model.eval()
    batches = list(validation(clean))
    with torch.no_grad():
        a, b = (model(torch.cat([batch[side] for batch in batches])) for side in (0, 1))
    if not (a.isfinite().all() and b.isfinite().all()):
        return 0.0, 1 / len(a)
    return ((a @ b.t()).argmax(1) == torch.arange(len(a))).float().mean().item(), 1 / len(a)


CASES = (
    Case(
        "contrastive-same-view",
        "both views are the same tensor: there is nothing to be invariant to",
        ("data", "preprocessing"),
        partial(project, views="one"),
        project,
        "own",
    ),
    Case(
        "contrastive-own-pair",
        "each view's own similarity is in the sum and is the goal: the loss is minimal without learning a pair",
        ("loss", "labels"),
        partial(project, model=ContrastiveJoint, hparams={"others_only": False}),
        partial(project, model=ContrastiveJoint),
        "https://arxiv.org/abs/2002.05709",
    ),
    Case(
        "contrastive-collapse",
        "nothing pushes examples apart: every image gets the same code, and the loss is zero",
        ("loss", "model"),
        partial(project, model=ContrastiveDirect),
        project,
        "https://arxiv.org/abs/2011.10566",
    ),
    Case(
        "contrastive-single",
        "batches of one: there are no negatives, the loss is zero from the first step",
        ("loss", "data"),
        partial(project, batch_size=1, epochs=2),
        partial(project, batch_size=32, epochs=2),
        "own",
    ),
    Case(
        "contrastive-plain",
        "the loss couples examples and the encoder is called twice a step, which is declared",
        (),
        None,
        project,
        "N05",
    ),
)
