"""Digits by two networks against each other: manual optimisation, spectral norm, a moving average of the generator."""

import copy

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.data import DataLoader, TensorDataset


class Generator(nn.Module):
    def __init__(self, latent_dim=16, width=16):
        super().__init__()
        self.project = nn.Linear(latent_dim, 4 * width * 4, bias=False)
        self.main = nn.Sequential(
            nn.BatchNorm2d(4 * width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False),  # 2x2 -> 4x4
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * width, 1, 4, 2, 1),  # 4x4 -> 8x8
            nn.Tanh(),
        )

    def forward(self, z):
        return self.main(self.project(z).view(len(z), -1, 2, 2))


class Discriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.main = nn.Sequential(
            spectral_norm(nn.Conv2d(1, width, 4, 2, 1)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, 2, 1)),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Flatten(),
            spectral_norm(nn.Linear(2 * width * 4, 1)),
        )

    def forward(self, image):
        return self.main(image).squeeze(1)


def weights_init(module):
    """As DCGAN begins."""
    if isinstance(module, nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class GAN(L.LightningModule):
    def __init__(self, *, latent_dim=16, width=16, lr=2e-4, b1=0.5, b2=0.999, ema_decay=0.99):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = Generator(latent_dim, width)
        self.discriminator = Discriminator(width)
        self.generator.apply(weights_init)
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.register_buffer("fixed_z", torch.randn(16, latent_dim))

    def forward(self, z):
        return self.generator_ema(z)

    def adversarial_loss(self, logits, real):
        target = torch.full_like(logits, 1.0 if real else 0.0)
        return F.binary_cross_entropy_with_logits(logits, target)

    def training_step(self, batch, batch_idx):
        images, _ = batch
        optimizer_g, optimizer_d = self.optimizers()
        z = torch.randn(len(images), self.hparams.latent_dim, device=self.device).type_as(images)

        self.toggle_optimizer(optimizer_g)
        g_loss = self.adversarial_loss(self.discriminator(self.generator(z)), real=True)
        optimizer_g.zero_grad()
        self.manual_backward(g_loss)
        optimizer_g.step()
        self.untoggle_optimizer(optimizer_g)

        self.toggle_optimizer(optimizer_d)
        real_loss = self.adversarial_loss(self.discriminator(images), real=True)
        fake_loss = self.adversarial_loss(self.discriminator(self.generator(z).detach()), real=False)
        d_loss = (real_loss + fake_loss) / 2
        optimizer_d.zero_grad()
        self.manual_backward(d_loss)
        optimizer_d.step()
        self.untoggle_optimizer(optimizer_d)

        self.log_dict({"g_loss": g_loss, "d_loss": d_loss}, prog_bar=True)

    @torch.no_grad()
    def on_train_batch_end(self, outputs, batch, batch_idx):
        decay = self.hparams.ema_decay
        for average, current in zip(self.generator_ema.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(current, 1 - decay)
        for average, current in zip(self.generator_ema.buffers(), self.generator.buffers(), strict=True):
            average.copy_(current)

    def on_train_epoch_start(self):
        self.generator_ema.eval()

    def configure_optimizers(self):
        betas = (self.hparams.b1, self.hparams.b2)
        optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=self.hparams.lr, betas=betas)
        optimizer_d = torch.optim.Adam(self.discriminator.parameters(), lr=self.hparams.lr, betas=betas)
        return [optimizer_g, optimizer_d], []


class DigitsDataModule(L.LightningDataModule):
    def __init__(self, batch_size=64):
        super().__init__()
        self.batch_size = batch_size

    def prepare_data(self):
        load_digits()

    def setup(self, stage=None):
        digits = load_digits()
        images = torch.from_numpy(digits.images).float().unsqueeze(1) / 8 - 1
        self.train = TensorDataset(images, torch.from_numpy(digits.target))

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True, drop_last=True)


SETUP = {
    "model": GAN,
    "data": DigitsDataModule,
    "hparams": {"latent_dim": 16, "lr": 2e-4},
    "trainer": {"max_epochs": 60, "accelerator": "cpu"},
}
