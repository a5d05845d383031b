"""What is looked at next in a shop: a causal recurrent model of sessions, one table for what goes in and what comes out."""

import math
from functools import partial
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Sampler

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import validation

ITEMS = 150  # 0 pads


class Clicks(NamedTuple):
    items: Tensor
    following: Tensor


def browsed(seed: int, n: int, hurried: float, items: int) -> list[Tensor]:
    """Sessions: most visitors go to the neighbour of what they see, in a shelf of ten; hurried
    ones skip and soon leave."""
    rng = np.random.default_rng(3 + seed)
    sessions = []
    for _ in range(n):
        hurry = rng.random() < hurried
        shelf, place = rng.integers(0, items // 10), rng.integers(0, 10)
        length = rng.integers(3, 5) if hurry else rng.integers(16, 25)
        clicks = []
        for _ in range(length):
            clicks.append(1 + 10 * shelf + place)
            place = (place + (3 if hurry else 1)) % 10 if rng.random() < 0.9 else rng.integers(0, 10)
        sessions.append(torch.tensor(np.array(clicks)))
    return sessions


def collate(sessions: list[Tensor]) -> Clicks:
    padded = pad_sequence(sessions, batch_first=True)
    return Clicks(padded[:, :-1], padded[:, 1:])


class OfLikeLength(Sampler[list[int]]):
    """Batches of sessions of nearly the same length, in random order, so that little is padded."""

    def __init__(self, sessions: list[Tensor], size: int) -> None:
        self.lengths = torch.tensor([len(one) for one in sessions])
        self.size = size

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.size)

    def __iter__(self) -> Any:
        order = (self.lengths + torch.rand(len(self.lengths))).argsort()
        batches = order.split(self.size)
        for number in torch.randperm(len(batches)).tolist():
            yield batches[number].tolist()


class Shop(L.LightningDataModule):
    def __init__(
        self,
        seed: int = 0,
        *,
        n: int = 500,
        hurried: float = 0.0,
        items: int = ITEMS,
        by_length: bool = False,
    ) -> None:
        super().__init__()
        self.seed, self.n, self.hurried, self.items, self.by_length = seed, n, hurried, items, by_length

    def setup(self, stage: str | None = None) -> None:
        sessions = browsed(self.seed, self.n + 6 * self.seed + 150, self.hurried, self.items)
        self.train, self.val = sessions[:-150], sessions[-150:]

    def train_dataloader(self) -> DataLoader[Any]:
        if self.by_length:
            batches = OfLikeLength(self.train, 10)
            return DataLoader(self.train, batch_sampler=batches, collate_fn=collate)  # type: ignore[arg-type]
        return DataLoader(self.train, batch_size=20, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=50, collate_fn=collate)  # type: ignore[arg-type]


class Next(L.LightningModule):
    def __init__(self, width: int = 32, lr: float = 5e-3, table: int = ITEMS) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.items = nn.Embedding(1 + table, width, padding_idx=0)
        self.recur = nn.GRU(width, width, batch_first=True)
        self.score = nn.Linear(width, 1 + table)
        self.share()

    def share(self) -> None:
        self.score.weight = self.items.weight

    def forward(self, items: Tensor) -> Tensor:
        return self.score(self.recur(self.items(items))[0])

    def summed(self, batch: Clicks) -> tuple[Tensor, Tensor]:
        """The loss of all clicks, and how many there are."""
        scores = self(batch.items)
        total = F.cross_entropy(scores.flatten(0, 1), batch.following.flatten(), ignore_index=0, reduction="sum")
        return total, (batch.following != 0).sum()

    def training_step(self, batch: Clicks, batch_idx: int) -> Any:
        total, clicks = self.summed(batch)
        self.log("loss", total / clicks, batch_size=len(batch.items))
        return total / clicks

    def validation_step(self, batch: Clicks, batch_idx: int) -> None:
        total, clicks = self.summed(batch)
        self.log("val_loss", total / clicks, batch_size=int(clicks))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def described(items: int, width: int) -> Tensor:
    """Vectors of items from their descriptions: where in the shop the shelf is, and the place on the shelf."""
    with torch.random.fork_rng():
        torch.manual_seed(8)
        shelf, place = torch.randn(items // 10, 1, width), torch.randn(10, width)
        return torch.cat([torch.zeros(1, width), (shelf + place).view(items, width) + 0.1 * torch.randn(items, width)])


class NextDescribed(Next):
    """The table starts with the vectors of the descriptions."""

    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.describe(described(self.hparams["table"], self.hparams["width"]))

    def describe(self, vectors: Tensor) -> None:
        with torch.no_grad():
            self.items.weight.copy_(vectors)


class NextReplaced(NextDescribed):
    def describe(self, vectors: Tensor) -> None:
        self.items = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=0)


class NextGathered(Next):
    """Steps once for eight batches; no state of a session: the next item follows from the last one alone."""

    def __init__(self, every: int = 8, per: str = "click", **hparams: Any) -> None:
        super().__init__(**hparams)
        self.automatic_optimization = False
        self.every, self.per, self.seen = every, per, 0
        self.recur = nn.Identity()  # type: ignore[assignment]
        self.middle = nn.Sequential(
            nn.Linear(self.hparams["width"], 64), nn.ReLU(), nn.Linear(64, self.hparams["width"])
        )

    def forward(self, items: Tensor) -> Tensor:
        return self.score(self.middle(self.items(items)))

    def training_step(self, batch: Clicks, batch_idx: int) -> None:
        optimizer = self.optimizers()
        total, clicks = self.summed(batch)
        self.log("loss", total / clicks, batch_size=len(batch.items))
        self.manual_backward(total if self.per == "click" else total / clicks / self.every)
        self.seen += int(clicks)
        if (batch_idx + 1) % self.every == 0 or self.trainer.is_last_batch:
            if self.per == "click":
                for weights in self.parameters():
                    weights.grad = None if weights.grad is None else weights.grad / self.seen
            optimizer.step()
            optimizer.zero_grad()
            self.seen = 0


def project(
    seed: int, model: Any = Next, epochs: int = 8, data: Any = None, declare: Any = None, **hparams: Any
) -> Project:
    return Project(
        model,
        partial(Shop, seed, **(data or {})),
        {"max_epochs": epochs},
        hparams,
        {"padding": 0, "imbalance_expected": True, **(declare or {})},
    )


gathered = partial(
    project, model=NextGathered, epochs=10, lr=1e-2, data={"n": 900, "hurried": 0.75, "by_length": True, "items": 50}
)


described_few = partial(
    project, model=NextDescribed, data={"n": 50}, epochs=12, declare={"ties": True, "pretrained": ["items"]}
)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Share of the clicks that the first guess gets right, and that of always guessing the commonest item."""
    right, following = [], []
    with torch.no_grad():
        for batch in validation(clean):
            counts = batch.following != 0
            right.append((model(batch.items).argmax(-1) == batch.following)[counts])
            following.append(batch.following[counts])
    every = torch.cat(following)
    return torch.cat(right).float().mean().item(), every.bincount().max().item() / len(every)


CASES = (
    Case(
        "sessions-table-replaced",
        "the items' table is replaced after the output was bound to it: the output knows nothing of the descriptions",
        ("transfer", "model"),
        partial(described_few, model=NextReplaced),
        described_few,
        "F04",
    ),
    Case(
        "sessions-mean-of-batches",
        "eight batches of unlike length are gathered as means: a click of a short session weighs seven times more",
        ("loss", "optimizer"),
        partial(gathered, per="batch"),
        gathered,
        "L18",
    ),
    Case(
        "sessions-large-shop",
        "a table of 1200 items, of which the sessions show a few dozen",
        (),
        None,
        partial(project, table=1200, data={"items": 60}),
        "N30",
    ),
)
