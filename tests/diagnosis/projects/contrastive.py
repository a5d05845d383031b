"""Representations of digits from pairs of views: NT-Xent with negatives in the batch, a projection head, warm-up."""

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import LearningRateMonitor
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from torch.utils.data import DataLoader, Dataset


class TwoViews:
    """Applies one random transform twice."""

    def __init__(self, transform):
        self.transform = transform

    def __call__(self, image):
        return self.transform(image), self.transform(image)


def augment(image):
    """A random shift, brightness, noise and erased patch."""
    padded = F.pad(image, (1, 1, 1, 1))
    top, left = torch.randint(0, 3, (2,)).tolist()
    image = padded[:, top : top + 8, left : left + 8] * (0.7 + 0.6 * torch.rand(()))
    row, column = torch.randint(0, 6, (2,)).tolist()
    image = image.clone()
    image[:, row : row + 2, column : column + 2] = 0
    return image + 0.05 * torch.randn_like(image)


class UnlabelledDigits(Dataset):
    def __init__(self, images, transform):
        self.images, self.transform = images, transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform((self.images[index] - 0.305) / 0.376)


class ContrastiveData(L.LightningDataModule):
    def __init__(self, batch_size=128):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 16
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        self.train = UnlabelledDigits(images[order[:1500]], TwoViews(augment))
        self.val = UnlabelledDigits(images[order[1500:]], TwoViews(augment))

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self):
        return DataLoader(self.val, self.batch_size)


class SimCLR(L.LightningModule):
    def __init__(self, *, width=16, projection=32, temperature=0.2, lr=2e-3, weight_decay=1e-4, warmup_epochs=3):
        super().__init__()
        self.save_hyperparameters()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        features = 8 * width
        self.projection_head = nn.Sequential(
            nn.Linear(features, features, bias=False),
            nn.BatchNorm1d(features),
            nn.ReLU(),
            nn.Linear(features, projection, bias=False),
        )

    def forward(self, x):
        return self.backbone(x)

    def nt_xent(self, views):
        first, second = views
        z = F.normalize(self.projection_head(self(torch.cat([first, second]))), dim=1)
        similarity = z @ z.T / self.hparams.temperature
        similarity.fill_diagonal_(float("-inf"))
        rows = len(first)
        positives = torch.arange(2 * rows, device=z.device).roll(rows)
        return F.cross_entropy(similarity, positives), similarity, positives

    def training_step(self, batch, batch_idx):
        loss, similarity, positives = self.nt_xent(batch)
        top1 = (similarity.argmax(1) == positives).float().mean()
        self.log_dict({"train/loss": loss, "train/top1": top1}, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        loss, _, _ = self.nt_xent(batch)
        self.log("val/loss", loss)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr, weight_decay=self.hparams.weight_decay)
        warmup = self.hparams.warmup_epochs
        scheduler = SequentialLR(
            optimizer,
            [
                LinearLR(optimizer, start_factor=0.1, total_iters=warmup),
                CosineAnnealingLR(optimizer, T_max=self.trainer.max_epochs - warmup),
            ],
            milestones=[warmup],
        )
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


SETUP = {
    "model": SimCLR,
    "data": ContrastiveData,
    "trainer": {
        "max_epochs": 40,
        "accelerator": "cpu",
        "callbacks": [LearningRateMonitor],
    },
    "couples_examples": True,  # negatives are the other rows of the batch
    "stochastic_eval": True,  # views of validation are drawn too
}
