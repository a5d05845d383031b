"""Plankton in photographs: a network that learned textures elsewhere, with small adapters for a few hundred new pictures."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation

SIDE = 12
MEAN, STD = 130.0, 32.0  # of the pictures that the network learned, and so of what it wants


def pictures(seed: int, n: int, kinds: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """Grey values (n, 1, SIDE, SIDE), 0 to 255, of stripes that differ in direction and width."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, kinds, n)
    angle = np.pi * (kind + first / 2) / kinds
    speed = np.where((kind + first) % 2, 0.9, 1.5)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    along = np.cos(angle)[:, None, None] * rows + np.sin(angle)[:, None, None] * columns
    wave = np.sin(speed[:, None, None] * along + rng.uniform(0, 2 * np.pi, (n, 1, 1)))
    grey = MEAN + 30 * wave + rng.normal(0, 40, (n, SIDE, SIDE))
    return torch.tensor(grey.clip(0, 255), dtype=torch.float32)[:, None], torch.tensor(kind)


class Adapter(nn.Module):
    """A narrow detour that starts as nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, 1, 1), nn.Conv2d(1, width, 1)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.up(F.relu(self.down(h)))


class Textures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 12, 5, padding=2), nn.Conv2d(12, 24, 3, padding=1, stride=2)
        self.adapter1, self.adapter2 = Adapter(12), Adapter(24)

    def forward(self, x: Tensor) -> Tensor:
        h = self.adapter1(F.relu(self.conv1(x)))
        return self.adapter2(F.relu(self.conv2(h))).mean((2, 3))


@cache
def published() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of the network and of its last layer, as they were published."""
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(4)
        net, head = Textures(), nn.Linear(24, 8)
        x, y = pictures(1000, 900, 8)
        optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=5e-3)
        for _ in range(12):
            for rows in torch.randperm(len(x)).split(45):
                loss = F.cross_entropy(head(net((x[rows] - MEAN) / STD)), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return tuple({name: one.detach() for name, one in part.state_dict().items()} for part in (net, head))  # type: ignore[return-value]


def standard(grey: Tensor) -> Tensor:
    return (grey - MEAN) / STD


def to_one(grey: Tensor) -> Tensor:
    return grey / 255


class Photographs(L.LightningDataModule):
    def __init__(self, seed: int = 0, prepare: Callable[[Tensor], Tensor] = standard, kinds: int = 6) -> None:
        super().__init__()
        self.seed, self.prepare, self.kinds = seed, prepare, kinds

    def setup(self, stage: str) -> None:
        x, y = pictures(self.seed, 700 + 50 * self.seed, self.kinds, first=0 if self.kinds == 8 else 1)
        x = self.prepare(x)
        self.train, self.val = TensorDataset(x[250:], y[250:]), TensorDataset(x[:250], y[:250])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=15, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=125)


class Plankton(L.LightningModule):
    """`learn` are pieces of the names of what learns."""

    def __init__(self, learn: tuple[str, ...] = ("head",), kinds: int = 6, lr: float = 1e-2, head: str = "new") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net, self.head = Textures(), nn.Linear(24, kinds)
        self.net.load_state_dict(published()[0])
        if head == "published":
            self.head.load_state_dict(published()[1])
        for name, weights in self.named_parameters():
            weights.requires_grad = any(piece in name for piece in learn)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.net(x))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        scores = self(x)
        self.log_dict({"val_loss": F.cross_entropy(scores, y), "val_acc": (scores.argmax(1) == y).float().mean()})

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam([one for one in self.parameters() if one.requires_grad], lr=self.hparams["lr"])


def project(
    seed: int, prepare: Any = standard, frozen: Any = ("net",), epochs: int = 8, kinds: int = 6, **hparams: Any
) -> Project:
    declared = {"pretrained": ["net"]} | ({"frozen": list(frozen)} if frozen else {})
    return Project(
        Plankton,
        partial(Photographs, seed, prepare, kinds),
        {"max_epochs": epochs},
        {"kinds": kinds, **hparams},
        declared,
    )


adapted = partial(project, frozen=("net.conv1", "net.conv2"), epochs=8, lr=3e-3)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


CASES = (
    Case(
        "plankton-head-not-named",
        "all but the adapters is frozen by name, and the new head, which is random, is not named",
        ("transfer", "model", "optimizer"),
        partial(adapted, learn=("adapter",)),
        partial(adapted, learn=("adapter", "head")),
        "F01",
    ),
    Case(
        "plankton-other-scale",
        "pictures are brought to 0 to 1 while the frozen network learned centred ones",
        ("preprocessing", "transfer"),
        partial(project, prepare=to_one),
        project,
        "P04",
    ),
    Case(
        "plankton-once-more",
        "the published network goes on with the task that it knows, at a small learning rate",
        (),
        None,
        partial(project, kinds=8, learn=("net", "head"), head="published", frozen=(), lr=3e-4, epochs=5),
        "N34",
    ),
)
