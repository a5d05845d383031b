"""Digits by a variational autoencoder: reparametrisation, the bound as a loss, an annealed divergence."""

from dataclasses import dataclass
from functools import partial

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class VAEOutput:
    logits: Tensor
    mu: Tensor
    logvar: Tensor
    z: Tensor


class VAE(nn.Module):
    def __init__(self, in_features=64, hidden=128, latent=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.fc_mu = nn.Linear(hidden, latent)
        self.fc_logvar = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, in_features)
        )

    def encode(self, x):
        h = self.encoder(x)
        return self.fc_mu(h), self.fc_logvar(h)

    def reparameterize(self, mu, logvar):
        if not self.training:
            return mu
        std = torch.exp(0.5 * logvar)
        return mu + std * torch.randn_like(std)

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return VAEOutput(self.decoder(z), mu, logvar, z)


class LitVAE(L.LightningModule):
    def __init__(self, latent=8, hidden=128, beta=1.0, anneal_epochs=5, lr=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.vae = VAE(64, hidden, latent)

    @property
    def beta(self):
        return self.hparams.beta * min(1.0, (self.current_epoch + 1) / self.hparams.anneal_epochs)

    def elbo(self, batch):
        x, _ = batch
        out = self.vae(x)
        reconstruction = F.binary_cross_entropy_with_logits(out.logits, x, reduction="sum") / len(x)
        kl = -0.5 * torch.sum(1 + out.logvar - out.mu.pow(2) - out.logvar.exp()) / len(x)
        return reconstruction, kl

    def training_step(self, batch, batch_idx):
        reconstruction, kl = self.elbo(batch)
        loss = reconstruction + self.beta * kl
        self.log_dict({"train/recon": reconstruction, "train/kl": kl, "train/loss": loss})
        return {"loss": loss, "kl": kl.detach()}

    def validation_step(self, batch, batch_idx):
        reconstruction, kl = self.elbo(batch)
        self.log_dict({"val/recon": reconstruction, "val/kl": kl, "val/elbo": -(reconstruction + kl)})

    @torch.no_grad()
    def sample(self, count):
        return self.vae.decoder(torch.randn(count, self.hparams.latent, device=self.device)).sigmoid()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


class DigitsData(L.LightningDataModule):
    def __init__(self, batch_size=100):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        x, y = load_digits(return_X_y=True)
        x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
        train, val = train_test_split(torch.arange(len(x)), test_size=0.2, random_state=0)
        self.train_ds, self.val_ds = (TensorDataset(x[part], y[part]) for part in (train, val))

    def train_dataloader(self):
        return DataLoader(self.train_ds, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val_ds, self.batch_size)


SETUP = {
    "model": LitVAE,
    "data": DigitsData,
    "trainer": {
        "max_epochs": 50,
        "accelerator": "cpu",
        "callbacks": [partial(EarlyStopping, "val/elbo", mode="max", patience=10)],
    },
}
