"""Shapes on noisy ground by a small U-Net: dictionaries, paired augmentation, Dice beside cross entropy, a plateau."""

from functools import partial

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import MulticlassJaccardIndex

CLASSES = ("background", "disc", "square")


def draw(rng, size=16):
    """An image (3, size, size) of a disc and a square on noisy ground, and its mask (size, size)."""
    rows, columns = np.mgrid[:size, :size]
    ground = rng.uniform(0.1, 0.4, (3, 1, 1))
    image = np.broadcast_to(ground, (3, size, size)).copy()
    mask = np.zeros((size, size), np.int64)
    for label in (1, 2):
        row, column = rng.uniform(4, size - 4, 2)
        radius = rng.uniform(2.5, 4)
        if label == 1:
            inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
            colour = rng.uniform([0.5, 0.1, 0.1], [0.9, 0.4, 0.4])
        else:
            inside = np.maximum(np.abs(rows - row), np.abs(columns - column)) < 0.8 * radius
            colour = rng.uniform([0.1, 0.1, 0.5], [0.4, 0.4, 0.9])
        image[:, inside] = colour[:, None]
        mask[inside] = label
    return (image + rng.normal(0, 0.08, image.shape)).astype(np.float32), mask


class RandomFlip:
    def __call__(self, image, mask):
        for axis in (-1, -2):
            if torch.rand(()) < 0.5:
                image, mask = image.flip(axis), mask.flip(axis)
        return image, mask


class ShapesDataset(Dataset):
    def __init__(self, images, masks, augment=None):
        self.images, self.masks, self.augment = images, masks, augment

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image, mask = torch.from_numpy(self.images[index]), torch.from_numpy(self.masks[index])
        image = (image - 0.35) / 0.25
        if self.augment is not None:
            image, mask = self.augment(image, mask)
        return {"image": image, "mask": mask, "index": index}


class ShapesDataModule(L.LightningDataModule):
    def __init__(self, rows=240, batch_size=16):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage=None):
        rng = np.random.default_rng(7)
        images, masks = map(np.stack, zip(*(draw(rng) for _ in range(self.hparams.rows)), strict=True))
        cut = int(0.8 * len(images))
        self.train = ShapesDataset(images[:cut], masks[:cut], augment=RandomFlip())
        self.valid = ShapesDataset(images[cut:], masks[cut:])

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.valid, batch_size=self.hparams.batch_size)


class DoubleConv(nn.Sequential):
    def __init__(self, in_channels, out_channels):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    def __init__(self, in_channels=3, num_classes=3, width=6):
        super().__init__()
        self.down1 = DoubleConv(in_channels, width)
        self.down2 = DoubleConv(width, 2 * width)
        self.bottom = DoubleConv(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.conv2 = DoubleConv(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.conv1 = DoubleConv(2 * width, width)
        self.out = nn.Conv2d(width, num_classes, 1)

    def forward(self, x):
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        x = self.bottom(F.max_pool2d(second, 2))
        x = self.conv2(torch.cat([self.up2(x), second], 1))
        x = self.conv1(torch.cat([self.up1(x), first], 1))
        return self.out(x)


class DiceLoss(nn.Module):
    """One minus the soft Dice coefficient, averaged over classes."""

    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, target):
        probabilities = logits.softmax(1)
        onehot = F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(probabilities)
        axes = (0, 2, 3)
        both = (probabilities * onehot).sum(axes)
        total = probabilities.sum(axes) + onehot.sum(axes)
        return 1 - ((2 * both + self.smooth) / (total + self.smooth)).mean()


class SegmentationModel(L.LightningModule):
    def __init__(self, num_classes=3, width=6, lr=3e-3, dice_weight=1.0):
        super().__init__()
        self.save_hyperparameters()
        self.net = UNet(3, num_classes, width)
        self.ce = nn.CrossEntropyLoss()
        self.dice = DiceLoss()
        self.val_iou = MulticlassJaccardIndex(num_classes)

    def forward(self, x):
        return self.net(x)

    def shared_step(self, batch):
        logits = self(batch["image"])
        ce = self.ce(logits, batch["mask"])
        dice = self.dice(logits, batch["mask"])
        return ce + self.hparams.dice_weight * dice, ce, dice, logits

    def training_step(self, batch, batch_idx):
        loss, ce, dice, _ = self.shared_step(batch)
        self.log_dict({"train/loss": loss, "train/ce": ce, "train/dice": dice}, batch_size=len(batch["image"]))
        return loss

    def validation_step(self, batch, batch_idx):
        loss, _, _, logits = self.shared_step(batch)
        self.val_iou(logits, batch["mask"])
        self.log("val/loss", loss, batch_size=len(batch["image"]))
        self.log("val/iou", self.val_iou, prog_bar=True, batch_size=len(batch["image"]))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=3)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val/iou"}}


SETUP = {
    "model": SegmentationModel,
    "data": ShapesDataModule,
    "trainer": {
        "max_epochs": 40,
        "accelerator": "cpu",
        "gradient_clip_val": 1.0,
        "callbacks": [partial(ModelCheckpoint, monitor="val/iou", mode="max", filename="{epoch}")],
    },
}
