"""Who likes what: two towers of embeddings, each liked item beside one that is drawn from the rest."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import area, validation

PEOPLE, FILMS = 120, 90


def liked(seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(70 + seed)
    taste, kind = rng.normal(0, 1, (PEOPLE, 4)), rng.normal(0, 1, (FILMS, 4))
    score = taste @ kind.T + rng.normal(0, 0.5, (PEOPLE, FILMS))
    pairs = [(person, int(film)) for person in range(PEOPLE) for film in np.argsort(-score[person])[: 20 + seed]]
    return [pairs[i] for i in rng.permutation(len(pairs))]


class Triples(Dataset[tuple[int, int, int]]):
    """Items: a person, a film that they liked, and one that they did not."""

    def __init__(self, pairs: list[tuple[int, int]], known: set[tuple[int, int]], draws: str) -> None:
        self.pairs, self.known, self.draws = pairs, known, draws
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.pairs)

    def other(self, row: int) -> int:
        if self.draws == "own":
            return int(self.rng.integers(FILMS))
        if self.draws == "fixed":
            return (row * 37 + 11 * (row // FILMS)) % FILMS
        return int(torch.randint(FILMS, ()))

    def __getitem__(self, row: int) -> tuple[int, int, int]:
        person, film = self.pairs[row]
        other = self.other(row)
        while (person, other) in self.known:
            other = (other + 1) % FILMS if self.draws == "fixed" else self.other(row)
        return person, film, other


class Likes(L.LightningDataModule):
    def __init__(self, seed: int = 0, draws: str = "torch", workers: int = 0) -> None:
        super().__init__()
        self.seed, self.draws, self.workers = seed, draws, workers

    def setup(self, stage: str) -> None:
        pairs = liked(self.seed)
        self.train = Triples(pairs[:-500], set(pairs), self.draws)
        self.val = Triples(pairs[-500:], set(pairs), "fixed")

    def train_dataloader(self) -> DataLoader[Any]:
        # The pairs lie in random order as they are.
        return DataLoader(self.train, 50, num_workers=self.workers, shuffle=self.workers == 0)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 250)


class InRows(Optimizer):
    """Adagrad for tables: only the rows of this batch are read and written."""

    def __init__(self, params: Any, lr: float, write: str = "back") -> None:
        super().__init__(params, {"lr": lr, "write": write})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                sums = self.state[table].setdefault("sums", torch.zeros_like(table))
                rows = table.grad.abs().flatten(1).sum(1).nonzero()[:, 0]
                gradient = table.grad[rows]
                sums[rows] += gradient.square()
                step = group["lr"] * gradient / (sums[rows].sqrt() + 1e-8)
                if group["write"] == "back":
                    table[rows] -= step
                else:
                    table[rows].sub_(step)
        return loss


class Towers(L.LightningModule):
    def __init__(self, width: int = 12, lr: float = 2e-2, decay: float = 0.0, rows: str | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.people = nn.Embedding(PEOPLE, width)
        self.films = nn.Embedding(FILMS, width)
        self.mix = nn.Linear(width, width)
        for table in (self.people, self.films):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, person: Tensor, film: Tensor) -> Tensor:
        return (self.mix(self.people(person)) * self.films(film)).sum(-1)

    def ranking(self, batch: Any) -> Tensor:
        person, film, other = batch
        return -F.logsigmoid(self(person, film) - self(person, other)).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.ranking(batch)
        self.log("bpr", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        person, film, other = batch
        self.log("val_bpr", self.ranking(batch))
        self.log("val_ranked", (self(person, film) > self(person, other)).float().mean())

    def configure_optimizers(self) -> Any:
        if self.hparams["rows"] is None:
            return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=self.hparams["decay"])
        tables = InRows([self.people.weight, self.films.weight], lr=0.2, write=self.hparams["rows"])
        return [tables, torch.optim.Adam(self.mix.parameters(), lr=1e-3)]


class TowersBoth(Towers):
    """Two optimisers, each at every batch."""

    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        loss = self.ranking(batch)
        self.log("bpr", loss)
        for optimizer in self.optimizers():
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in self.optimizers():
            optimizer.step()


def project(seed: int, model: Any = Towers, epochs: int = 6, data: Any = None, **hparams: Any) -> Project:
    return Project(model, partial(Likes, seed, **(data or {})), {"max_epochs": epochs}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    with torch.no_grad():
        scores = [(model(person, film), model(person, other)) for person, film, other in validation(clean)]
    good, bad = (torch.cat(column) for column in zip(*scores, strict=True))
    return area(torch.cat([good, bad]), torch.cat([torch.ones_like(good), torch.zeros_like(bad)]))


workers = partial(project, epochs=10)

CASES = (
    Case(
        "ratings-same-others",
        "each worker has a copy of one generator, anew in each epoch: the same films are the wrong ones every time",
        ("data", "reproducibility", "preprocessing"),
        partial(workers, data={"draws": "own", "workers": 2}),
        partial(workers, data={"draws": "torch", "workers": 2}),
        "D12",
    ),
    Case(
        "ratings-rows-of-a-copy",
        "the optimiser subtracts from rows that indexing has copied: the tables never move",
        ("optimizer",),
        partial(project, model=TowersBoth, rows="copy"),
        partial(project, model=TowersBoth, rows="back"),
        "O12",
    ),
)
