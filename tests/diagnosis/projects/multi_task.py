"""A digit and which way it leans, of one trunk with two heads: learned weights of the tasks, dataclass outputs."""

from dataclasses import dataclass
from functools import partial

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics import MeanAbsoluteError
from torchmetrics.classification import MulticlassAccuracy


@dataclass
class Predictions:
    logits: Tensor
    lean: Tensor


def lean(images):
    """How much lighter the right half is than the left."""
    return images[..., 4:].mean((1, 2)) - images[..., :4].mean((1, 2))


class LeaningDigits(Dataset):
    def __init__(self, images, labels, mean, std):
        self.images = torch.tensor(images / 16, dtype=torch.float32).unsqueeze(1)
        self.labels = torch.tensor(labels)
        self.lean = torch.tensor((lean(images) - mean) / std, dtype=torch.float32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {"image": self.images[index], "digit": self.labels[index], "lean": self.lean[index]}


class MultiTaskData(L.LightningDataModule):
    def __init__(self, batch_size=64):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        digits = load_digits()
        rest, test = train_test_split(range(1797), test_size=0.15, stratify=digits.target, random_state=4)
        train, val = train_test_split(rest, test_size=0.15, stratify=digits.target[rest], random_state=4)
        known = lean(digits.images[train])
        self.splits = {
            name: LeaningDigits(digits.images[rows], digits.target[rows], known.mean(), known.std())
            for name, rows in (("train", train), ("val", val), ("test", test))
        }

    def train_dataloader(self):
        return DataLoader(self.splits["train"], self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.splits["val"], self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.splits["test"], self.batch_size)


class MultiTaskNet(nn.Module):
    def __init__(self, width=16, classes=10):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.GroupNorm(4, width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * 16, 64),
            nn.ReLU(),
        )
        self.heads = nn.ModuleDict({"digit": nn.Linear(64, classes), "lean": nn.Linear(64, 1)})

    def forward(self, image):
        features = self.trunk(image)
        return Predictions(self.heads["digit"](features), self.heads["lean"](features).squeeze(1))


class MultiTaskModule(L.LightningModule):
    def __init__(self, width=16, lr=2e-3):
        super().__init__()
        self.save_hyperparameters()
        self.net = MultiTaskNet(width)
        self.log_vars = nn.Parameter(torch.zeros(2))  # of the tasks, as homoscedastic uncertainties
        self.metrics = nn.ModuleDict(
            {
                stage: nn.ModuleDict({"acc": MulticlassAccuracy(10, average="micro"), "mae": MeanAbsoluteError()})
                for stage in ("fit", "val", "test")
            }
        )

    def forward(self, image):
        return self.net(image)

    def losses(self, batch, predictions):
        digit = F.cross_entropy(predictions.logits, batch["digit"])
        lean = F.huber_loss(predictions.lean, batch["lean"])
        weighted = (torch.stack([digit, lean]) * torch.exp(-self.log_vars) + 0.5 * self.log_vars).sum()
        return {"loss": weighted, "digit": digit, "lean": lean}

    def step(self, batch, stage):
        predictions = self(batch["image"])
        losses = self.losses(batch, predictions)
        metrics, size = self.metrics[stage], len(batch["digit"])
        metrics["acc"](predictions.logits, batch["digit"])
        metrics["mae"](predictions.lean, batch["lean"])
        self.log_dict({f"{stage}_{name}": value for name, value in losses.items()}, batch_size=size)
        self.log_dict({f"{stage}_{name}": metric for name, metric in metrics.items()}, batch_size=size)
        return losses

    def training_step(self, batch, batch_idx):
        return self.step(batch, "fit")

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val")

    def test_step(self, batch, batch_idx):
        self.step(batch, "test")

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(
            [{"params": self.net.parameters()}, {"params": [self.log_vars], "lr": 5 * self.hparams.lr}],
            lr=self.hparams.lr,
        )
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.3)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


SETUP = {
    "model": MultiTaskModule,
    "data": MultiTaskData,
    "trainer": {
        "max_epochs": 30,
        "accelerator": "cpu",
        "callbacks": [partial(ModelCheckpoint, monitor="val_acc", mode="max")],
    },
}
