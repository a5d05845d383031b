"""A variational autoencoder of digits, with callbacks' log names and several losses."""

from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import explained, validation


class Pixels(L.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str | None = None) -> None:
        x = torch.from_numpy(load_digits().data).float().div(16)
        x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(self.seed))]
        self.rows = list(x[: 1200 + 100 * self.seed])
        self.held = list(x[-250:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.rows, batch_size=50, shuffle=True)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.held, batch_size=125)  # type: ignore[arg-type]


class VAE(L.LightningModule):
    def __init__(self, lr: float = 3e-3, latent: int = 6, beta: float = 1.0, average: str = "rows") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encode = nn.Sequential(nn.Linear(64, 64), nn.Tanh())
        self.mu, self.logvar = nn.Linear(64, latent), nn.Linear(64, latent)
        self.decode = nn.Sequential(nn.Linear(latent, 64), nn.Tanh(), nn.Linear(64, 64))

    def sample(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.mu(self.encode(x))).sigmoid()

    def elbo(self, x: Tensor, draw: bool) -> tuple[Tensor, Tensor]:
        h = self.encode(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = self.sample(mu, logvar) if draw else mu
        reconstruction = F.binary_cross_entropy_with_logits(self.decode(z), x, reduction="none")
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)
        if self.hparams["average"] == "rows":
            return reconstruction.sum(1).mean(), kl.mean()
        if self.hparams["average"] == "sum":
            return reconstruction.sum(), kl.sum()
        return reconstruction.mean(), kl.mean()

    def training_step(self, x: Tensor, batch_idx: int) -> Tensor:
        reconstruction, kl = self.elbo(x, draw=True)
        loss = reconstruction + self.hparams["beta"] * kl
        self.log_dict({"elbo": -loss, "kl": kl, "reconstruction": reconstruction})
        return loss

    def validation_step(self, x: Tensor, batch_idx: int) -> None:
        reconstruction, kl = self.elbo(x, draw=False)
        self.log("val_loss", reconstruction + self.hparams["beta"] * kl)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), self.hparams["lr"])


class VAEWithScale(VAE):
    def sample(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return torch.normal(mu.detach(), torch.exp(0.5 * logvar).detach())


class VAEWide(VAE):
    def elbo(self, x: Tensor, draw: bool) -> tuple[Tensor, Tensor]:
        h = self.encode(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(logvar) * torch.randn_like(mu) if draw else mu
        reconstruction = F.binary_cross_entropy_with_logits(self.decode(z), x, reduction="none")
        kl = 0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)
        return reconstruction.sum(1).mean(), kl.mean()


def project(seed: int, model: Any = VAE, **hparams: Any) -> Project:
    return Project(model, partial(Pixels, seed), {"max_epochs": 8}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    x = torch.cat(list(validation(clean)))
    with torch.no_grad():
        return explained(model.eval()(x) - x.mean(0), x - x.mean(0))


CASES = (
    Case(
        "vae-collapse",
        "the error is a mean over pixels, the divergence a sum: the code carries nothing",
        ("loss",),
        partial(project, average="all"),
        project,
        "L21",
    ),
    Case(
        "vae-no-gradient-through-sample",
        "the sample is drawn without a path for the gradient: the encoder never learns from the error",
        ("model",),
        partial(project, model=VAEWithScale),
        project,
        "M02",
    ),
    Case(
        "vae-divergence-sign",
        "the divergence has the wrong sign: the loss falls without end, the code blows up",
        ("loss", "numerics"),
        partial(project, model=VAEWide),
        project,
        "L07",
    ),
    Case(
        "vae-plain",
        "training draws samples, evaluation does not; an `elbo` is logged that rises",
        (),
        None,
        project,
        "L21",
    ),
    Case("vae-low-beta", "the divergence counts for little", (), None, partial(project, beta=0.1), "L21"),
    Case(
        "vae-summed",
        "a summed loss in the thousands, with a learning rate that suits it",
        (),
        None,
        partial(project, average="sum", lr=2e-3),
        "L09",
    ),
)
