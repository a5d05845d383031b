"""Handwritten digits, from data to a trained network, in five steps that are each checked.

    art run        runs what is new, changed or failed
    art status     shows where each step stands

Change something below - the learning rate, the network, a limit - and type `art run` again: only what depends on the
change runs again.
"""

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import BeatsBaseline, Below
from art_training.steps import CheckLossOnInit, EvaluateBaseline, ExploreData, Overfit, OverfitOneBatch


class DigitsData(L.LightningDataModule):
    """1797 images of 8 x 8 pixels: four fifths to train, one fifth to validate."""

    def __init__(self, batch_size: int = 64) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str | None = None) -> None:
        pixels, targets = load_digits(return_X_y=True)
        images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16.0  # in 0..1
        labels = torch.tensor(targets)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        train, validation = order[: len(order) * 4 // 5], order[len(order) * 4 // 5 :]
        self.train = TensorDataset(images[train], labels[train])
        self.validation = TensorDataset(images[validation], labels[validation])

    def train_dataloader(self) -> DataLoader[tuple[torch.Tensor, ...]]:
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[tuple[torch.Tensor, ...]]:
        return DataLoader(self.validation, batch_size=256)


class DigitsNet(L.LightningModule):
    """A small convolutional network."""

    def __init__(self, lr: float = 1e-3, width: int = 32) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * width * 4 * 4, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:
        images, labels = batch
        self.log("val_loss", F.cross_entropy(self(images), labels))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


setup = art.Setup(
    model=DigitsNet,
    hparams={"lr": 1e-3},
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
