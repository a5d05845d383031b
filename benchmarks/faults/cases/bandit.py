"""A policy for a contextual bandit, learned by policy gradient: the loss is noisy, and may be negative."""

from functools import partial
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.distributions import Categorical
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import validation


class Contexts(L.LightningDataModule):
    """Rows: a context (8,) and what each of four actions would pay."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str) -> None:
        rng = torch.Generator().manual_seed(self.seed)
        n = 1800 + 200 * self.seed
        context = torch.randn(n, 8, generator=rng)
        pay = torch.tanh(context @ torch.randn(8, 4, generator=rng)) + 0.3 * torch.randn(n, 4, generator=rng)
        self.train, self.val = TensorDataset(context[:-400], pay[:-400]), TensorDataset(context[-400:], pay[-400:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=40, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=200)


class Policy(L.LightningModule):
    def __init__(self, lr: float = 3e-3, entropy: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.actor = nn.Sequential(nn.Linear(8, 48), nn.Tanh(), nn.Linear(48, 4))

    def forward(self, context: Tensor) -> Tensor:
        return self.actor(context)

    def objective(self, log_probability: Tensor, advantage: Tensor) -> Tensor:
        return -(log_probability * advantage).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        context, pay = batch
        policy = Categorical(logits=self(context))
        action = policy.sample()
        reward = pay.gather(1, action[:, None]).squeeze(1)
        loss = self.objective(policy.log_prob(action), reward - reward.mean())
        self.log("reward", reward.mean(), prog_bar=True)
        return loss - self.hparams["entropy"] * policy.entropy().mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        context, pay = batch
        best = self(context).argmax(1, keepdim=True)
        self.log("val_reward", pay.gather(1, best).mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


class PolicyAscends(Policy):
    def objective(self, log_probability: Tensor, advantage: Tensor) -> Tensor:
        return (log_probability * advantage).mean()


class PolicyOfRewards(Policy):
    """Maximises the mean reward of the actions that it takes."""

    def objective(self, log_probability: Tensor, advantage: Tensor) -> Tensor:
        return -(log_probability.detach().exp() * advantage).mean()


def project(seed: int, model: Any = Policy, **hparams: Any) -> Project:
    return Project(model, partial(Contexts, seed), {"max_epochs": 10}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Mean reward of the best action by the policy, and of any action."""
    rewards, chance = [], []
    with torch.no_grad():
        for context, pay in validation(clean):
            rewards.append(pay.gather(1, model(context).argmax(1, keepdim=True)))
            chance.append(pay.mean(1, keepdim=True))
    return torch.cat(rewards).mean().item(), torch.cat(chance).mean().item()


CASES = (
    Case(
        "bandit-sign",
        "the objective has the wrong sign: the policy learns what pays least",
        ("loss",),
        partial(project, model=PolicyAscends),
        project,
        "L07",
    ),
    Case(
        "bandit-no-path",
        "the reward of a sampled action has no gradient, and the probability is detached: only entropy is raised",
        ("loss", "model"),
        partial(project, model=PolicyOfRewards),
        project,
        "M02",
    ),
    Case(
        "bandit-plain", "a noisy loss around zero that does not fall while the reward rises", (), None, project, "N23"
    ),
)
