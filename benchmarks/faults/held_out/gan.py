"""A generative adversarial network on a ring of points, with manual optimisation."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import validation


class Ring(L.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str) -> None:
        rng = np.random.default_rng(self.seed)
        angle = rng.uniform(0, 2 * np.pi, 1600 + 160 * self.seed)
        radius = rng.normal(1, 0.05, len(angle))
        points = torch.tensor(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), dtype=torch.float32)
        self.train, self.val = TensorDataset(points[:-300]), TensorDataset(points[-300:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=64, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=300)


def network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, outputs)
    )


class GAN(L.LightningModule):
    def __init__(self, lr: float = 1e-3, latent: int = 4) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator, self.discriminator = network(latent, 2), network(2, 1)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)

    def noise(self, n: int) -> Tensor:
        return torch.randn(n, self.hparams["latent"], device=self.device)

    def judge(self, x: Tensor, real: bool) -> Tensor:
        logits = self.discriminator(x)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        (x,) = batch
        generator, discriminator = self.optimizers()
        self.toggle_optimizer(discriminator)
        loss_d = 0.5 * (self.judge(x, True) + self.judge(self(self.noise(len(x))).detach(), False))
        discriminator.zero_grad()
        self.manual_backward(loss_d)
        discriminator.step()
        self.untoggle_optimizer(discriminator)

        self.toggle_optimizer(generator)
        loss_g = self.judge(self(self.noise(len(x))), True)
        generator.zero_grad()
        self.manual_backward(loss_g)
        generator.step()
        self.untoggle_optimizer(generator)
        self.log_dict({"loss_d": loss_d, "loss_g": loss_g}, prog_bar=True)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        points = self(self.noise(500))
        self.log("radius", points.norm(dim=1).mean())

    def configure_optimizers(self) -> Any:
        make = partial(torch.optim.Adam, lr=self.hparams["lr"], betas=(0.5, 0.9))
        return make(self.generator.parameters()), make(self.discriminator.parameters())


class OneStepGAN(GAN):
    """Both players in one backward pass."""

    def training_step(self, batch: Any, batch_idx: int) -> None:
        (x,) = batch
        optimizer = self.optimizers()
        fake = self(self.noise(len(x)))
        loss_d = 0.5 * (self.judge(x, True) + self.judge(fake, False))
        loss_g = self.judge(fake, True)
        optimizer.zero_grad()
        self.manual_backward(loss_d + loss_g)
        optimizer.step()
        self.log_dict({"loss_d": loss_d, "loss_g": loss_g}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], betas=(0.5, 0.9))


class AccumulatingGAN(GAN):
    def training_step(self, batch: Any, batch_idx: int) -> None:
        (x,) = batch
        generator, discriminator = self.optimizers()
        loss_d = 0.5 * (self.judge(x, True) + self.judge(self(self.noise(len(x))).detach(), False))
        discriminator.zero_grad()
        self.manual_backward(loss_d)
        discriminator.step()
        loss_g = self.judge(self(self.noise(len(x))), True)
        self.manual_backward(loss_g)
        generator.step()
        self.log_dict({"loss_d": loss_d, "loss_g": loss_g}, prog_bar=True)


class DetachedGAN(GAN):
    def training_step(self, batch: Any, batch_idx: int) -> None:
        (x,) = batch
        generator, discriminator = self.optimizers()
        fake = self(self.noise(len(x))).detach()
        loss_d = 0.5 * (self.judge(x, True) + self.judge(fake, False))
        discriminator.zero_grad()
        self.manual_backward(loss_d)
        discriminator.step()
        loss_g = self.judge(fake, True)
        generator.zero_grad()
        self.manual_backward(loss_g)
        generator.step()
        self.log_dict({"loss_d": loss_d, "loss_g": loss_g}, prog_bar=True)


def project(seed: int, model: Any = GAN) -> Project:
    return Project(model, partial(Ring, seed), {"max_epochs": 20}, {}, {"stochastic_eval": True})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Minus the mean distance of the points from what is generated, and back; the dummy is a normal cloud."""
    (x,) = next(iter(validation(clean)))
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        made = model(torch.randn(300, 4, generator=rng))
    cloud = torch.randn(300, 2, generator=rng) * x.std(0) + x.mean(0)

    def apart(points: Tensor) -> float:
        distance = torch.cdist(x, points)
        return -(distance.min(0).values.mean() + distance.min(1).values.mean()).item()

    return apart(made), apart(cloud)


CASES = (
    Case(
        "gan-one-optimizer",
        "one backward pass and one optimiser for both players: each is pushed both ways, and they cancel",
        ("optimizer", "loss"),
        partial(project, model=OneStepGAN),
        project,
        "O13",
    ),
    Case(
        "gan-gradients-kept",
        "the generator's gradients are never set to zero: they add up over all of training",
        ("optimizer",),
        partial(project, model=AccumulatingGAN),
        project,
        "https://discuss.pytorch.org/t/why-do-we-need-to-set-the-gradients-manually-to-zero-in-pytorch/4903",
    ),
    Case(
        "gan-generator-detached",
        "the detached sample serves both losses: the generator has no gradient and never moves",
        ("model", "optimizer"),
        partial(project, model=DetachedGAN),
        project,
        "M02",
    ),
    Case("gan-plain", "two losses that never settle, two optimisers, manual optimisation", (), None, project, "own"),
)
