"""A denoising autoencoder of digits; batches hold images alone."""

from functools import partial
from typing import Any

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import explained, pooled, validation


class ImageData(L.LightningDataModule):
    def __init__(self, seed: int = 0, standardise: bool = False) -> None:
        super().__init__()
        self.seed, self.standardise = seed, standardise

    def setup(self, stage: str) -> None:
        images = torch.tensor(load_digits().data, dtype=torch.float32) / 16
        if self.standardise:
            images = (images - 0.305) / 0.376
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(self.seed))
        self.train = TensorDataset(images[order[: 1100 + 90 * self.seed]])
        self.val = TensorDataset(images[order[-300:]])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, 32, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 100)


class Autoencoder(L.LightningModule):
    def __init__(
        self,
        *,
        lr: float = 3e-3,
        code: int = 12,
        noise: float = 0.2,
        bounded: bool = True,
        penalty: float = 0.0,
        bias: float = 0.0,
        reduction: str = "mean",
        optimizer: str = "Adam",
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, code))
        self.decoder = nn.Sequential(nn.Linear(code, 48), nn.ReLU(), nn.Linear(48, 64))
        nn.init.constant_(self.encoder[0].bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.decoder(self.encoder(x))
        return x.sigmoid() if self.hparams["bounded"] else x

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (x,) = batch
        noisy = x + self.hparams["noise"] * torch.randn_like(x)
        loss = self.difference(self(noisy), x)
        penalty = sum(weight.abs().sum() for weight in self.encoder.parameters())
        self.log("reconstruction", loss, on_step=False, on_epoch=True)
        return loss + self.hparams["penalty"] * penalty

    def difference(self, x_hat: Tensor, x: Tensor) -> Tensor:
        return nn.functional.mse_loss(x_hat, x, reduction=self.hparams["reduction"])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        (x,) = batch
        self.log("val_reconstruction", nn.functional.mse_loss(self(x), x))

    def configure_optimizers(self) -> Any:
        return getattr(torch.optim, self.hparams["optimizer"])(self.parameters(), lr=self.hparams["lr"])


class KeepsCode(Autoencoder):
    def forward(self, x: Tensor) -> Tensor:
        code = torch.tensor(self.encoder(x).tolist())
        x = self.decoder(code)
        return x.sigmoid() if self.hparams["bounded"] else x


def project(seed: int, model: Any = Autoencoder, standardise: bool = False, **hparams: Any) -> Project:
    return Project(model, partial(ImageData, seed, standardise), {"max_epochs": 8}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    images, targets = pooled(model, validation(clean), target=lambda batch: batch[0])
    return explained(images, targets)


sgd = partial(project, optimizer="SGD", lr=0.5, bounded=False)

CASES = (
    Case(
        "autoencoder-bounded",
        "a sigmoid at the end, targets standardised: what is under 0 or over 1 cannot be reached",
        ("model", "preprocessing"),
        partial(project, standardise=True),
        partial(project, standardise=True, bounded=False),
        "M04",
    ),
    Case(
        "autoencoder-penalty",
        "the penalty on the encoder's weights is larger than the error: the code collapses",
        ("loss",),
        partial(project, penalty=0.1),
        partial(project, penalty=1e-6),
        "L17",
    ),
    Case(
        "autoencoder-dead-units",
        "the first layer's biases start at -10: no unit ever fires",
        ("initialization", "model"),
        partial(project, bias=-10.0),
        project,
        "M09",
    ),
    Case(
        "autoencoder-summed",
        "the error is summed over pixels and rows with the learning rate of a mean: training breaks down",
        ("loss", "optimizer"),
        partial(sgd, reduction="sum"),
        sgd,
        "L09",
    ),
    Case(
        "autoencoder-cut-code",
        "a tensor is made anew from the code's numbers: the encoder gets no gradient",
        ("model",),
        partial(project, model=KeepsCode),
        project,
        "M02",
    ),
    Case(
        "autoencoder-denoising",
        "the input is noised in training only; the target is the input",
        (),
        None,
        project,
        "own",
    ),
)
