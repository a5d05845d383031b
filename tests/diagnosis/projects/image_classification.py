"""Digits by a small residual network: augmentation, label smoothing, one cycle, mixed precision, early stopping."""

from functools import partial

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score


class RandomShift:
    """Moves an image by up to so many pixels; what comes in is black."""

    def __init__(self, pixels=1):
        self.pixels = pixels

    def __call__(self, image):
        padded = nn.functional.pad(image, [self.pixels] * 4)
        top, left = torch.randint(0, 2 * self.pixels + 1, (2,)).tolist()
        return padded[:, top : top + image.shape[1], left : left + image.shape[2]]


class RandomNoise:
    def __init__(self, std=0.05):
        self.std = std

    def __call__(self, image):
        return image + self.std * torch.randn_like(image)


class Compose:
    def __init__(self, *transforms):
        self.transforms = transforms

    def __call__(self, image):
        for transform in self.transforms:
            image = transform(image)
        return image


class Normalize:
    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def __call__(self, image):
        return (image - self.mean) / self.std


class DigitsDataset(Dataset):
    def __init__(self, images, labels, transform=None):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.from_numpy(self.images[index]).float().unsqueeze(0) / 16
        if self.transform is not None:
            image = self.transform(image)
        return image, int(self.labels[index])


class DigitsDataModule(L.LightningDataModule):
    def __init__(self, batch_size=64, num_workers=0, seed=42):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage=None):
        digits = load_digits()
        seed = self.hparams.seed
        images, x_test, labels, y_test = train_test_split(
            digits.images, digits.target, test_size=0.2, stratify=digits.target, random_state=seed
        )
        x_train, x_val, y_train, y_val = train_test_split(
            images, labels, test_size=0.15, stratify=labels, random_state=seed
        )
        normalize = Normalize(x_train.mean() / 16, x_train.std() / 16)
        self.train_set = DigitsDataset(x_train, y_train, Compose(RandomShift(1), normalize, RandomNoise(0.05)))
        self.val_set = DigitsDataset(x_val, y_val, normalize)
        self.test_set = DigitsDataset(x_test, y_test, normalize)

    def _loader(self, dataset, **options):
        return DataLoader(dataset, batch_size=self.hparams.batch_size, num_workers=self.hparams.num_workers, **options)

    def train_dataloader(self):
        return self._loader(self.train_set, shuffle=True, drop_last=True)

    def val_dataloader(self):
        return self._loader(self.val_set)

    def test_dataloader(self):
        return self._loader(self.test_set)


class BasicBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        nn.init.zeros_(self.bn2.weight)  # a block begins as its shortcut

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return torch.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, width=8, num_classes=10, dropout=0.1):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.layer1 = BasicBlock(width, width)
        self.layer2 = BasicBlock(width, 2 * width, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * width, num_classes)

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)))
        return self.fc(self.dropout(self.pool(x).flatten(1)))


class LitClassifier(L.LightningModule):
    def __init__(self, width=8, num_classes=10, lr=0.05, weight_decay=5e-4, label_smoothing=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.model = ResNet(width, num_classes)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        metrics = MetricCollection(
            {
                "acc": MulticlassAccuracy(num_classes, average="micro"),
                "f1": MulticlassF1Score(num_classes, average="macro"),
            }
        )
        self.train_metrics = metrics.clone(prefix="train/")
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")

    def forward(self, x):
        return self.model(x)

    def _step(self, batch, metrics, stage):
        x, y = batch
        logits = self(x)
        loss = self.criterion(logits, y)
        metrics.update(logits, y)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log_dict(metrics, on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self._step(batch, self.train_metrics, "train")

    def validation_step(self, batch, batch_idx):
        self._step(batch, self.val_metrics, "val")

    def test_step(self, batch, batch_idx):
        self._step(batch, self.test_metrics, "test")

    def configure_optimizers(self):
        decay = [p for p in self.parameters() if p.ndim > 1]
        no_decay = [p for p in self.parameters() if p.ndim <= 1]
        optimizer = torch.optim.SGD(
            [
                {"params": decay, "weight_decay": self.hparams.weight_decay},
                {"params": no_decay, "weight_decay": 0.0},
            ],
            lr=self.hparams.lr,
            momentum=0.9,
            nesterov=True,
        )
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.hparams.lr, total_steps=int(self.trainer.estimated_stepping_batches)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


SETUP = {
    "model": LitClassifier,
    "data": DigitsDataModule,
    "hparams": {"lr": 0.05, "label_smoothing": 0.1},
    "trainer": {
        "max_epochs": 30,
        "accelerator": "cpu",
        "precision": "bf16-mixed",
        "callbacks": [
            partial(ModelCheckpoint, monitor="val/acc", mode="max", save_last=True),
            partial(EarlyStopping, monitor="val/loss", patience=8),
            partial(LearningRateMonitor, logging_interval="step"),
        ],
    },
}
