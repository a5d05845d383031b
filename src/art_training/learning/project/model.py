"""A small convolutional network."""

import lightning as L
import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy


class DigitsNet(L.LightningModule):
    def __init__(self, lr=3e-3, width=16, epochs=12):
        super().__init__()
        self.save_hyperparameters()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(8 * width, 10)
        self.accuracy = MulticlassAccuracy(10, average="micro")

    def forward(self, images):
        features = F.max_pool2d(F.relu(self.norm(self.first(images))), 2)
        features = F.max_pool2d(F.relu(self.second(features)), 2)
        features = self.dropout(features.flatten(1))
        return self.head(features)

    def training_step(self, batch, batch_idx):
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        images, labels = batch
        scores = self(images)
        self.accuracy(scores.argmax(1), labels)
        self.log("val_loss", F.cross_entropy(scores, labels))
        self.log("val_accuracy", self.accuracy)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.hparams.epochs)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}
