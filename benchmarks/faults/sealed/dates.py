"""Dates in numbers are written out in words: an encoder and a decoder, with teacher forcing."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from benchmarks.faults.case import Case, Project

MONTHS = ("jan", "feb", "march", "april", "may", "june", "july", "aug", "sept", "oct", "nov", "dec")
PAD, START, END = 0, 1, 2
LETTERS = "".join(sorted(set("".join(MONTHS) + "0123456789 :=")))
IDS = {letter: number for number, letter in enumerate(LETTERS, 3)}


def written(seed: int, n: int) -> list[tuple[str, str]]:
    rng = np.random.default_rng(900 + seed)
    days = zip(rng.integers(1, 29, n), rng.integers(1, 13, n), rng.integers(20, 30, n), strict=True)
    return sorted({(f"{year}{month:02}{day:02}", f"{MONTHS[month - 1]} {day} {year}") for day, month, year in days})


def ids(text: str) -> list[int]:
    return [IDS[letter] for letter in text]


class Collator:
    """The answer is `marker` and the date; what stands before and at `learned_after` is given, not learned."""

    def __init__(self, learned_after: str = ":", end: int = END, marker: str = ":") -> None:
        self.learned_after, self.end, self.marker = IDS[learned_after], end, marker

    def __call__(self, rows: list[tuple[str, str]]) -> dict[str, Tensor]:
        source = torch.tensor([ids(one) for one, _ in rows])
        answers = [torch.tensor([START, *ids(self.marker + two), self.end]) for _, two in rows]
        answer = pad_sequence(answers, batch_first=True, padding_value=PAD)
        labels = answer[:, 1:].clone()
        given = (labels == self.learned_after).cumsum(1) == 0
        labels[given | (labels == self.learned_after) | (labels == PAD)] = -100
        return {"source": source, "decoder_input": answer[:, :-1], "labels": labels}


class Dates(L.LightningDataModule):
    def __init__(self, seed: int = 0, **collator: Any) -> None:
        super().__init__()
        self.seed, self.collate = seed, Collator(**collator)

    def setup(self, stage: str) -> None:
        every = written(self.seed, 1800)
        rows = [every[i] for i in np.random.default_rng(self.seed).permutation(len(every))]
        self.train, self.val = rows[: 1000 + 48 * self.seed], rows[-120:]

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, 24, shuffle=True, collate_fn=self.collate)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 60, collate_fn=self.collate)  # type: ignore[arg-type]


class Writer(L.LightningModule):
    def __init__(self, width: int = 128, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.letters = nn.Embedding(3 + len(LETTERS), width)
        self.encoder = nn.Linear(6 * width, width)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.speak = nn.Linear(width, 3 + len(LETTERS))

    def begin(self, source: Tensor) -> Tensor:
        return torch.tanh(self.encoder(self.letters(source).flatten(1)))[None]

    def forward(self, source: Tensor, decoder_input: Tensor) -> Tensor:
        states, _ = self.decoder(self.letters(decoder_input), self.begin(source))
        return self.speak(states)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        scores = self(batch["source"], batch["decoder_input"])
        return F.cross_entropy(scores.flatten(0, 1), batch["labels"].flatten(), ignore_index=-100)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, prog_bar=True, batch_size=len(batch["source"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch), batch_size=len(batch["source"]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def project(seed: int, **data: Any) -> Project:
    return Project(
        Writer, partial(Dates, seed, **data), {"max_epochs": 10}, {"width": 128 + 4 * seed}, {"padding": PAD}
    )


@torch.no_grad()
def answers(model: Any, source: Tensor) -> list[list[int]]:
    """What the model writes by itself after the marker, fourteen letters at most, up to the first end or padding."""
    n = len(source)
    _, state = model.decoder(model.letters(torch.full((n, 1), START)), model.begin(source))
    letter, said = torch.full((n, 1), IDS[":"]), []
    for _ in range(14):
        states, state = model.decoder(model.letters(letter), state)
        letter = model.speak(states).argmax(-1)
        said.append(letter)
    rows = torch.cat(said, 1).tolist()
    return [row[: next((at for at, one in enumerate(row) if one in (PAD, END)), None)] for row in rows]


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Share of dates that are written to the letter, with their end."""
    data = clean.data()
    data.setup("fit")
    said = answers(model, torch.tensor([ids(one) for one, _ in data.val]))
    return sum(row == ids(two) for row, (_, two) in zip(said, data.val, strict=True)) / len(said), 0.0


CASES = (
    Case(
        "dates-end-is-padding",
        "answers end with the padding's id, which does not count: the model never learns to stop",
        ("loss", "labels", "preprocessing"),
        partial(project, end=PAD),
        project,
        "L11",
    ),
    Case(
        "dates-marker-not-found",
        "the collator waits for a marker that the template does not write: not one label counts",
        ("loss", "labels", "numerics"),
        partial(project, learned_after="="),
        project,
        "L12",
    ),
)
