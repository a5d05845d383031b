"""Noughts and crosses: which square ends the game? Boards are strings, the model is a small multi-layer perceptron."""

import random
from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


def winning(board: str) -> list[int]:
    """Squares where X, whose turn it is, ends the game."""
    found = set()
    for line in LINES:
        marks = [board[at] for at in line]
        if marks.count("x") == 2 and marks.count(".") == 1:
            found.add(line[marks.index(".")])
    return sorted(found)


def played(seed: int, n: int) -> list[tuple[str, int]]:
    """Different boards with one winning square."""
    dice = random.Random(seed)
    boards: dict[str, int] = {}
    while len(boards) < n:
        turns = dice.choice((2, 3))
        marks = ["x"] * turns + ["o"] * turns + ["."] * (9 - 2 * turns)
        dice.shuffle(marks)
        board = "".join(marks)
        squares = winning(board)
        if len(squares) == 1 and not any(all(board[at] == "o" for at in line) for line in LINES):
            boards[board] = squares[0]
    return list(boards.items())


def seen(board: str) -> Tensor:
    """Two planes of nine squares: ours and theirs."""
    return torch.tensor([[mark == who for mark in board] for who in "xo"], dtype=torch.float32)


class Collate:
    """Boards and squares; `mirror` turns half of the boards about their middle column, `also` says what goes with them."""

    def __init__(self, mirror: bool = False, also: str = "square") -> None:
        self.mirror, self.also = mirror, also

    def __call__(self, rows: list[tuple[str, int]]) -> list[Tensor]:
        boards = torch.stack([seen(board) for board, _ in rows]).view(-1, 2, 3, 3)
        squares = torch.tensor([square for _, square in rows])
        if self.mirror:
            turned = torch.rand(len(rows)) < 0.5
            boards[turned] = boards[turned].flip(-1)
            if self.also == "square":
                squares[turned] = squares[turned] // 3 * 3 + 2 - squares[turned] % 3
        return [boards.flatten(1), squares]


class Games(L.LightningDataModule):
    def __init__(self, seed: int = 0, guessed: float = 0.0, **collate: Any) -> None:
        super().__init__()
        self.seed, self.guessed, self.collate = seed, guessed, Collate(**collate)

    def setup(self, stage: str) -> None:
        rows = played(self.seed, 900)
        dice = random.Random(self.seed)
        self.train = [
            (
                board,
                dice.choice([at for at in range(9) if board[at] == "."]) if dice.random() < self.guessed else square,
            )
            for board, square in rows[: 600 + 40 * self.seed]
        ]
        self.val = rows[-200:]

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, 20, shuffle=True, collate_fn=self.collate)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 100, collate_fn=Collate())  # type: ignore[arg-type]


class Player(L.LightningModule):
    def __init__(self, width: int = 96, lr: float = 3e-3, start: float | None = None, answer: str = "scores") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.first, self.second = nn.Linear(18, width), nn.Linear(width, width)
        self.last = nn.Linear(width, 9)
        if start is not None:
            for layer in (self.first, self.second, self.last):
                nn.init.constant_(layer.weight, start)
                nn.init.zeros_(layer.bias)

    def forward(self, board: Tensor) -> Tensor:
        scores = self.last(F.relu(self.second(F.relu(self.first(board)))))
        return F.softmax(scores, dim=-1) if self.hparams["answer"] == "chances" else scores

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        board, square = batch
        loss = F.cross_entropy(self(board), square)
        self.log("ce/train", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        board, square = batch
        scores = self(board)
        self.log("ce/val", F.cross_entropy(scores, square))
        self.log("hit/val", (scores.argmax(-1) == square).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.RAdam(self.parameters(), lr=self.hparams["lr"])


class PlayerByLayers(L.LightningModule):
    """Each layer learns the square by itself, with a reading, a loss and an optimiser of its own."""

    def __init__(self, width: int = 128, lr: float = 4e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.layers = nn.ModuleList([nn.Linear(18, width), nn.Linear(width, width)])
        self.readings = nn.ModuleList([nn.Linear(width, 9), nn.Linear(width, 9)])

    def spoken(self, board: Tensor) -> list[Tensor]:
        h, scores = board, []
        for layer, reading in zip(self.layers, self.readings, strict=True):
            h = F.relu(layer(h.detach()))
            scores.append(reading(h))
        return scores

    def forward(self, board: Tensor) -> Tensor:
        return self.spoken(board)[-1]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        board, square = batch
        for number, (scores, optimizer) in enumerate(zip(self.spoken(board), self.optimizers(), strict=True)):
            loss = F.cross_entropy(scores, square)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.log(f"ce/{number}", loss)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        board, square = batch
        scores = self(board)
        self.log("ce/val", F.cross_entropy(scores, square))
        self.log("hit/val", (scores.argmax(-1) == square).float().mean())

    def configure_optimizers(self) -> Any:
        pairs = zip(self.layers, self.readings, strict=True)
        return [torch.optim.Adam([*one.parameters(), *two.parameters()], self.hparams["lr"]) for one, two in pairs]


def project(seed: int, model: Any = Player, epochs: int = 14, data: Any = None, **hparams: Any) -> Project:
    return Project(model, partial(Games, seed, **(data or {})), {"max_epochs": epochs}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


CASES = (
    Case(
        "board-mirrored-alone",
        "half of the boards are mirrored and their winning square is not",
        ("preprocessing", "labels", "data"),
        partial(project, data={"mirror": True, "also": "nothing"}),
        partial(project, data={"mirror": True}),
        "P10",
    ),
    Case(
        "board-guessed",
        "for four boards of ten the square is any free one, as a hurried player noted it",
        ("labels",),
        partial(project, data={"guessed": 0.4}),
        project,
        "B01",
    ),
    Case(
        "board-all-alike",
        "all weights of a layer start with one value: its units stay alike for ever",
        ("initialization",),
        partial(project, start=0.02),
        project,
        "I01",
    ),
    Case(
        "board-chances",
        "the network answers with probabilities and the loss takes them for scores",
        ("loss", "model"),
        partial(project, answer="chances", epochs=8),
        partial(project, epochs=8),
        "L01",
    ),
    Case(
        "board-by-layers",
        "two losses and two optimisers, and no gradient from one layer to the other",
        (),
        None,
        partial(project, model=PlayerByLayers),
        "N24",
    ),
)
