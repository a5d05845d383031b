"""Digits through a narrow code by a convolutional network, from noisy inputs: cosine annealing, a moving average."""

from functools import partial

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class DigitImages(L.LightningDataModule):
    def __init__(self, batch_size: int = 64):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str):
        images = torch.from_numpy(load_digits().images).float().unsqueeze(1) / 16
        self.train, self.val, self.test = random_split(
            TensorDataset(images), [0.7, 0.15, 0.15], generator=torch.Generator().manual_seed(1)
        )

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, batch_size=self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.test, batch_size=self.batch_size)


class Encoder(nn.Module):
    def __init__(self, width: int, latent_dim: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, width, kernel_size=3, padding=1, stride=2),  # 8x8 => 4x4
            nn.GELU(),
            nn.Conv2d(width, width, kernel_size=3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, 2 * width, kernel_size=3, padding=1, stride=2),  # 4x4 => 2x2
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(2 * 4 * width, latent_dim),
        )

    def forward(self, x):
        return self.net(x)


class Decoder(nn.Module):
    def __init__(self, width: int, latent_dim: int):
        super().__init__()
        self.linear = nn.Sequential(nn.Linear(latent_dim, 2 * 4 * width), nn.GELU())
        self.net = nn.Sequential(
            nn.ConvTranspose2d(2 * width, width, kernel_size=3, output_padding=1, padding=1, stride=2),
            nn.GELU(),
            nn.Conv2d(width, width, kernel_size=3, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(width, 1, kernel_size=3, output_padding=1, padding=1, stride=2),
            nn.Sigmoid(),
        )

    def forward(self, z):
        return self.net(self.linear(z).reshape(len(z), -1, 2, 2))


class Autoencoder(L.LightningModule):
    def __init__(self, width: int = 16, latent_dim: int = 16, noise: float = 0.1, lr: float = 2e-3):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = Encoder(width, latent_dim)
        self.decoder = Decoder(width, latent_dim)

    def forward(self, x):
        return self.decoder(self.encoder(x))

    def _get_reconstruction_loss(self, batch):
        (x,) = batch
        noisy = x + self.hparams.noise * torch.randn_like(x) if self.training else x
        loss = nn.functional.mse_loss(self(noisy), x, reduction="none")
        return loss.sum(dim=[1, 2, 3]).mean(dim=[0])

    def training_step(self, batch, batch_idx):
        loss = self._get_reconstruction_loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self._get_reconstruction_loss(batch))

    def test_step(self, batch, batch_idx):
        self.log("test_loss", self._get_reconstruction_loss(batch))

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.trainer.max_epochs)
        return [optimizer], [{"scheduler": scheduler, "interval": "epoch"}]


SETUP = {
    "model": Autoencoder,
    "data": DigitImages,
    "hparams": {"latent_dim": 16},
    "trainer": {
        "max_epochs": 40,
        "accelerator": "cpu",
        "callbacks": [partial(ModelCheckpoint, save_weights_only=True, monitor="val_loss")],
    },
}
