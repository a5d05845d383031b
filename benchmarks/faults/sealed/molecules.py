"""Toxic or not: message passing over small graphs, with dense adjacency matrices and a readout by sum."""

from functools import partial
from typing import Any, TypedDict

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import area, validation

ATOMS, KINDS = 12, 5


class Graph(TypedDict):
    nodes: Tensor
    bonds: Tensor
    toxic: Tensor


class Graphs(Dataset[Graph]):
    """Random graphs of twelve atoms; toxic where atoms of kind 0 stand beside such of kind 1 often enough."""

    def __init__(self, seed: int, n: int, decibels: bool = False) -> None:
        rng = np.random.default_rng(seed)
        kinds = rng.integers(0, KINDS, (n, ATOMS))
        upper = np.triu(rng.random((n, ATOMS, ATOMS)) < 0.25, 1)
        bonds = (upper | upper.transpose(0, 2, 1)).astype(np.float32)
        pairs = np.einsum("ni,nij,nj->n", kinds == 0, bonds, kinds == 1)
        self.bonds = torch.tensor(bonds)
        self.toxic = torch.tensor(pairs + rng.normal(0, 0.3, n) > 0.9).float()
        self.nodes = F.one_hot(torch.tensor(kinds), KINDS).float()

    def __len__(self) -> int:
        return len(self.toxic)

    def __getitem__(self, i: int) -> Graph:
        return {"nodes": self.nodes[i], "bonds": self.bonds[i], "toxic": self.toxic[i]}


class Assays(L.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(Graphs(10 + self.seed, 800 + 64 * self.seed), batch_size=32, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(Graphs(90 + self.seed, 300), batch_size=100)


class Passing(nn.Module):
    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.own, self.others = nn.Linear(width, width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width) if norm == "layer" else nn.GroupNorm(4, ATOMS)

    def forward(self, h: Tensor, bonds: Tensor) -> Tensor:
        return h + F.relu(self.norm(self.own(h) + bonds @ self.others(h)))


class Toxicity(L.LightningModule):
    def __init__(self, width: int = 24, lr: float = 3e-3, norm: str = "layer", quiet: float | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.enter = nn.Linear(KINDS, width)
        self.passing = nn.ModuleList([Passing(width, norm) for _ in range(2)])
        self.leave = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        if quiet is not None:
            # Few alarms at first: most substances are harmless.
            nn.init.constant_(self.leave[0].bias, quiet)

    def forward(self, nodes: Tensor, bonds: Tensor) -> Tensor:
        h = self.enter(nodes)
        for layer in self.passing:
            h = layer(h, bonds)
        return self.leave(h.sum(1) / ATOMS)[:, 0]

    def training_step(self, batch: Graph, batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch["nodes"], batch["bonds"]), batch["toxic"])
        self.log("bce", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Graph, batch_idx: int) -> None:
        logits = self(batch["nodes"], batch["bonds"])
        self.log("val_bce", F.binary_cross_entropy_with_logits(logits, batch["toxic"]))
        self.log("val_acc", ((logits > 0) == (batch["toxic"] > 0)).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=1e-4)
        return {"optimizer": optimizer}


class ToxicityWatched(Toxicity):
    """Logs the norm of the gradient before each step."""

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        norms = [one.grad.norm() for one in self.parameters() if one.grad is not None]
        self.log("gradient", torch.stack(norms).norm())


class ToxicityCleared(ToxicityWatched):
    def on_before_optimizer_step(self, optimizer: Any) -> None:
        super().on_before_optimizer_step(optimizer)
        optimizer.zero_grad()


class ToxicityHalved(Toxicity):
    """Half the memory: weights and sums are kept in bfloat16."""

    def __init__(self, kept: str = "bfloat16", **hparams: Any) -> None:
        super().__init__(**hparams)
        self.to(getattr(torch, kept))

    def forward(self, nodes: Tensor, bonds: Tensor) -> Tensor:
        kind = self.enter.weight.dtype
        return super().forward(nodes.to(kind), bonds.to(kind)).float()


def project(seed: int, model: Any = Toxicity, epochs: int = 6, **hparams: Any) -> Project:
    return Project(model, partial(Assays, seed), {"max_epochs": epochs}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    with torch.no_grad():
        pairs = [(model(one["nodes"], one["bonds"]), one["toxic"]) for one in validation(clean)]
    logits, toxic = (torch.cat(column) for column in zip(*pairs, strict=True))
    return area(logits, toxic)


halved = partial(project, model=ToxicityHalved, lr=5e-5, epochs=26, width=64)

CASES = (
    Case(
        "molecules-cleared",
        "the hook that logs the gradient also sets it to zero: steps are of weight decay alone",
        ("optimizer",),
        partial(project, model=ToxicityCleared),
        partial(project, model=ToxicityWatched),
        "O02",
    ),
    Case(
        "molecules-hot",
        "a learning rate of 1 in AdamW: the first steps throw the weights away",
        ("optimizer",),
        partial(project, lr=1.0),
        project,
        "O05",
    ),
    Case(
        "molecules-halved",
        "weights are kept in bfloat16 and steps are small: what is rounded away never adds up",
        ("numerics", "optimizer"),
        halved,
        partial(halved, kept="float32"),
        "O11",
    ),
    Case(
        "molecules-quiet",
        "biases of the readout start far below what it can get: not one unit ever fires",
        ("initialization", "model"),
        partial(project, quiet=-12.0),
        project,
        "M09",
    ),
    Case(
        "molecules-group-norm",
        "groups of atoms are normalised, and a bias stands before that",
        (),
        None,
        partial(project, norm="group"),
        "N15",
    ),
)
