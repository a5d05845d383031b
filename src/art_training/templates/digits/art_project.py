"""Handwritten digits anywhere on a canvas of 12 x 12 pixels: the whole recipe, from a look at the data to the test, each step checked.

    art run        runs what is new or changed, and recalls the rest
    art status     shows where each step stands

Change something below - the learning rate, the network, a limit - and type `art run` again: only what depends on the
change runs again.
"""

from functools import partial

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import BeatsBaseline, Below
from art_training.steps import (
    CheckLossOnInit,
    Diagnose,
    EvaluateBaseline,
    ExploreData,
    FinalTest,
    Overfit,
    OverfitOneBatch,
    Regularize,
    Squeeze,
    TransferLearning,
    Tune,
)


class DigitsNet(L.LightningModule):
    def __init__(self, lr, width=16, dropout=0.0):
        super().__init__()
        self.lr = lr
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(dropout),
        )  # fmt: skip
        self.head = nn.Linear(18 * width, 10)

    def forward(self, images):
        return self.head(self.body(images))

    def training_step(self, batch, batch_idx):
        images, labels = batch
        return F.cross_entropy(self(images), labels)

    def validation_step(self, batch, batch_idx):
        images, labels = batch
        self.log("val_loss", F.cross_entropy(self(images), labels))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Moving(Dataset):
    """The same images, each by up to two pixels elsewhere whenever it is asked for."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image, label = self.images[index]
        return image.roll(torch.randint(-2, 3, (2,)).tolist(), (1, 2)), label


class DigitsData(L.LightningDataModule):
    """Each digit somewhere on a canvas of 12 x 12 pixels. Only those from `first` to `last`, at most `most` to train on."""

    def __init__(self, first=0, last=9, most=None):
        super().__init__()
        self.first, self.last, self.most = first, last, most
        self.moves = False

    def setup(self, stage):
        pixels, labels = load_digits(return_X_y=True)
        pixels, labels = torch.tensor(pixels / 16, dtype=torch.float32).reshape(-1, 8, 8), torch.tensor(labels)
        corners = torch.randint(5, (len(pixels), 2), generator=torch.Generator().manual_seed(0))
        images = torch.zeros(len(pixels), 1, 12, 12)
        for image, digit, (top, left) in zip(images, pixels, corners.tolist(), strict=True):
            image[0, top : top + 8, left : left + 8] = digit
        chosen = (self.first <= labels) & (labels <= self.last)
        digits = TensorDataset(images[chosen], labels[chosen])
        train, self.validation, self.test = random_split(digits, [0.6, 0.2, 0.2], torch.Generator().manual_seed(0))
        train = Subset(train, range(len(train))[: self.most])
        self.train = Moving(train) if self.moves else train

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=64, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.validation, batch_size=64)

    def test_dataloader(self):
        return DataLoader(self.test, batch_size=64)


setup = art.Setup(
    model=DigitsNet,
    hparams={"lr": 3e-3},
    data=DigitsData,
    trainer={"max_epochs": 30},
)


def moved(data):
    data.moves = True
    return data


low = setup.but(data=partial(DigitsData, last=4))  # many digits from 0 to 4, to learn from
few = setup.but(data=partial(DigitsData, first=5, most=50))  # and of those from 5 to 9 about ten each

project = art.ArtProject(
    "digits",
    setup,
    metrics={"accuracy": MulticlassAccuracy(num_classes=10, average="micro")},
    steps=[
        ExploreData(),
        Diagnose(),
        EvaluateBaseline(inputs="zeroed"),
        CheckLossOnInit(),
        OverfitOneBatch(),
        # Looks at so short a training may take three batches in a hundred, where otherwise one is enough.
        Overfit(checks=[BeatsBaseline("validation/accuracy"), Below("train/loss", 0.05)], share=0.03),
        Overfit(name="Pretrain", setup=low),  # a line of its own: what is learned on some digits helps with others
        TransferLearning(setup=few, pretrained="Pretrain", fresh="head.*"),
        Regularize({"dropout 0.3": art.Variant(hparams={"dropout": 0.3}), "moved": art.Variant(data=moved)}, seeds=2),
        Tune({"lr": art.space.log_uniform(1e-3, 1e-2)}, trials=6, top=2, seeds_for_winner=2),
        Squeeze(ensemble=3),
        FinalTest(),
    ],
)
if __name__ == "__main__":
    print(project.run())
