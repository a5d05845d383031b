"""Which organism a read of RNA is from: four-letter words of a padded sequence, an embedding, mean pooling with a mask."""

from functools import partial
from itertools import product
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation

ORGANISMS = 4


def sequenced(seed: int, n: int) -> list[tuple[str, int]]:
    """Reads of 12 to 28 letters; each organism has its own habits of which letter follows which."""
    rng = np.random.default_rng(7)
    habits = rng.dirichlet(np.full(4, 1.6), (ORGANISMS, 4))
    rng = np.random.default_rng(seed)
    reads = []
    for kind in rng.integers(0, ORGANISMS, n):
        letters = [int(rng.integers(4))]
        for _ in range(int(rng.integers(12, 29)) - 1):
            letters.append(int(rng.choice(4, p=habits[kind, letters[-1]])))
        reads.append(("".join("ACGU"[one] for one in letters), int(kind)))
    return reads


def vocabulary(letters: str, first: int) -> dict[str, int]:
    return {"".join(word): number for number, word in enumerate(product(letters, repeat=4), first)}


class Words:
    """Numbers of four-letter words: 0 pads, 1 is an unknown word."""

    def __init__(self, letters: str = "ACGU") -> None:
        self.ids = vocabulary(letters, 2)

    def __call__(self, read: str) -> Tensor:
        return torch.tensor([self.ids.get(read[at : at + 4], 1) for at in range(len(read) - 3)])


def collate(rows: list[tuple[Tensor, int]]) -> tuple[dict[str, Tensor], Tensor]:
    words = [one for one, _ in rows]
    lengths = torch.tensor([len(one) for one in words])
    return {"words": pad_sequence(words, batch_first=True), "lengths": lengths}, torch.tensor([two for _, two in rows])


class Reads(L.LightningDataModule):
    def __init__(self, seed: int = 0, letters: str = "ACGU") -> None:
        super().__init__()
        self.seed, self.letters = seed, letters

    def setup(self, stage: str) -> None:
        numbered = Words(self.letters)
        rows = [(numbered(read), kind) for read, kind in sequenced(self.seed, 1000 + 90 * self.seed)]
        self.train, self.val = rows[:-300], rows[-300:]

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, 25, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 60, collate_fn=collate)  # type: ignore[arg-type]


class Pooled(L.LightningModule):
    def __init__(self, width: int = 16, lr: float = 1e-2, dropout: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Embedding(258, width, padding_idx=0)
        self.classify = nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Dropout(dropout), nn.Linear(32, ORGANISMS))

    def forward(self, read: dict[str, Tensor]) -> Tensor:
        place = torch.arange(read["words"].shape[1], device=self.device)
        seen = (place < read["lengths"][:, None]).unsqueeze(-1)
        return self.classify((self.embed(read["words"]) * seen).sum(1) / read["lengths"][:, None])

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        read, kind = batch
        loss = F.cross_entropy(self(read), kind)
        self.log("loss", loss, batch_size=len(kind))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        read, kind = batch
        scores = self(read)
        self.log_dict(
            {"val_loss": F.cross_entropy(scores, kind), "val_acc": (scores.argmax(-1) == kind).float().mean()},
            batch_size=len(kind),
        )

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


def project(seed: int, **data: Any) -> Project:
    return Project(Pooled, partial(Reads, seed, **data), {"max_epochs": 6}, {}, {"padding": 0})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


CASES = (
    Case(
        "reads-of-the-gene",
        "the words are those of DNA, the reads are of RNA: whatever holds a U is the unknown word",
        ("preprocessing", "data"),
        partial(project, letters="ACGT"),
        project,
        "P14",
    ),
)
