"""Handwritten digits, 8 x 8 pixels: from data to a trained network, in five steps that are each checked.

    art run        runs what is new or changed, and recalls the rest
    art status     shows where each step stands

Change something below - the learning rate, the network, a limit - and type `art run` again: only what depends on the
change runs again.
"""

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import BeatsBaseline, Below
from art_training.steps import CheckLossOnInit, EvaluateBaseline, ExploreData, Overfit, OverfitOneBatch


class DigitsNet(L.LightningModule):
    def __init__(self, lr):
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(128, 10),
        )  # fmt: skip

    def training_step(self, batch, batch_idx):
        images, labels = batch
        return F.cross_entropy(self.net(images), labels)

    def validation_step(self, batch, batch_idx):
        images, labels = batch
        self.log("val_loss", F.cross_entropy(self.net(images), labels))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class DigitsData(L.LightningDataModule):
    def setup(self, stage):
        images, labels = load_digits(return_X_y=True)
        images = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
        digits = TensorDataset(images, torch.tensor(labels))
        self.train, self.validation = random_split(digits, [0.8, 0.2], torch.Generator().manual_seed(0))

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=64, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.validation, batch_size=64)


setup = art.Setup(
    model=DigitsNet,
    hparams={"lr": 3e-3},
    data=DigitsData,
    trainer={"max_epochs": 20},
)
project = art.ArtProject(
    "digits",
    setup,
    metrics={"accuracy": MulticlassAccuracy(num_classes=10)},
    steps=[
        ExploreData(),
        EvaluateBaseline(),
        CheckLossOnInit(),
        OverfitOneBatch(),
        Overfit(checks=[BeatsBaseline("validation/accuracy"), Below("train/loss", 0.05)]),
    ],
)
if __name__ == "__main__":
    print(project.run())
