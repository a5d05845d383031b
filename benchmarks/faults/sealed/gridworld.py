"""A robot in a room of five by five: what its moves are worth, from records of walks, and which to take."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project

SIDE, GOAL = 5, 24
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))


def moved(place: int, move: int) -> int:
    row, column = place // SIDE + MOVES[move][0], place % SIDE + MOVES[move][1]
    return SIDE * row + column if 0 <= row < SIDE and 0 <= column < SIDE else place


def walked(seed: int, n: int) -> TensorDataset:
    """Single moves of walks at random: place, move, reward, the place after it."""
    rng = np.random.default_rng(seed)
    places, moves = rng.integers(0, GOAL, n), rng.integers(0, 4, n)
    after = np.array([moved(int(place), int(move)) for place, move in zip(places, moves, strict=True)])
    reward = (after == GOAL).astype(np.float32) - 0.05
    return TensorDataset(torch.tensor(places), torch.tensor(moves), torch.tensor(reward), torch.tensor(after))


class Walks(L.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(walked(self.seed, 1200 + 64 * self.seed), 32, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(walked(self.seed + 40, 256), 128)


def seen(place: Tensor) -> Tensor:
    return F.one_hot(place, SIDE * SIDE).float()


def network(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(SIDE * SIDE, width), nn.ReLU(), nn.Linear(width, out))


class Worth(L.LightningModule):
    """Q-learning: the values that are aimed at are of a network that follows once an epoch."""

    def __init__(self, width: int = 48, lr: float = 4e-3, discount: float = 0.9) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.online, self.target = network(width, 4), network(width, 4)
        self.target.load_state_dict(self.online.state_dict())
        self.target.requires_grad_(False)

    def forward(self, place: Tensor) -> Tensor:
        return self.online(seen(place))

    def error(self, batch: Any) -> Tensor:
        place, move, reward, after = batch
        with torch.no_grad():
            later = self.target(seen(after)).max(1).values * (after != GOAL)
        value = self(place).gather(1, move[:, None])[:, 0]
        return F.smooth_l1_loss(value, reward + self.hparams["discount"] * later)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.error(batch)
        self.log("td", loss)
        return loss

    def on_train_epoch_start(self) -> None:
        self.target.eval()

    def on_train_epoch_end(self) -> None:
        self.target.load_state_dict(self.online.state_dict())

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_td", self.error(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.online.parameters(), lr=self.hparams["lr"])


class Walker(L.LightningModule):
    """An actor and a critic: moves are drawn, and made likelier by how much better they went than the critic thought."""

    def __init__(self, width: int = 48, lr: float = 5e-3, discount: float = 0.9, steps: int = 12) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.actor, self.critic = network(width, 4), network(width, 1)
        after = [[moved(place, move) for move in range(4)] for place in range(SIDE * SIDE)]
        self.register_buffer("after", torch.tensor(after))

    def forward(self, place: Tensor) -> Tensor:
        return self.actor(seen(place))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        place = batch[0]
        going = torch.ones(len(place), device=self.device)
        chances, values, rewards, goings = [], [], [], []
        for _ in range(self.hparams["steps"]):
            policy = torch.distributions.Categorical(logits=self(place))
            move = policy.sample()
            chances.append(policy.log_prob(move))
            values.append(self.critic(seen(place))[:, 0])
            goings.append(going)
            place = self.after[place, move]
            rewards.append(((place == GOAL).float() - 0.05) * going)
            going = going * (place != GOAL)
        returns, total = [], torch.zeros_like(going)
        for reward in reversed(rewards):
            total = reward + self.hparams["discount"] * total
            returns.insert(0, total)
        gain, value, alive = torch.stack(returns), torch.stack(values), torch.stack(goings)
        acting = -(torch.stack(chances) * (gain - value.detach()) * alive).sum() / alive.sum()
        judging = ((gain - value).square() * alive).sum() / alive.sum()
        self.log_dict({"actor": acting, "critic": judging, "return": gain[0].mean()})
        return acting + 0.5 * judging

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        place, steps = batch[0], torch.zeros(len(batch[0]), device=self.device)
        for _ in range(self.hparams["steps"]):
            steps += (place != GOAL).float()
            ahead = self.after[place, self(place).argmax(1)]
            place = torch.where(place == GOAL, place, ahead)
        self.log("val_reached", (place == GOAL).float().mean())
        self.log("val_steps", steps.mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def project(seed: int, model: Any = Worth, epochs: int = 12, **hparams: Any) -> Project:
    return Project(model, partial(Walks, seed), {"max_epochs": epochs}, hparams)


@torch.no_grad()
def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Share of the places from where the best moves lead to the goal within ten, and that of always going right."""
    best = model(torch.arange(SIDE * SIDE)).argmax(1).tolist()

    def reached(policy: list[int]) -> float:
        arrived = 0
        for place in range(GOAL):
            for _ in range(10):
                place = place if place == GOAL else moved(place, policy[place])  # noqa: PLW2901
            arrived += place == GOAL
        return arrived / GOAL

    return reached(best), reached([0] * SIDE * SIDE)


CASES = (
    Case(
        "gridworld-followed",
        "a second network without gradients, in evaluation mode and in no optimiser, says what is aimed at",
        (),
        None,
        project,
        "N06",
    ),
    Case(
        "gridworld-walker",
        "the loss is noisy, goes below zero and does not fall, while walks get shorter",
        (),
        None,
        partial(project, model=Walker, epochs=4),
        "N23",
    ),
)
