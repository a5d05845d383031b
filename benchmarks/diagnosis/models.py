"""What is diagnosed: a ResNet-18 and a small network on generated images, as a project would have them."""

from collections.abc import Iterator

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

CLASSES, SIDE, BATCH = 10, 32, 64
TRAIN, VALIDATION = 2_048, 512


class Block(nn.Module):
    """Two convolutions and a way around them (He et al., Deep Residual Learning, https://arxiv.org/abs/1512.03385)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.around: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.around = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(h)) + self.around(x))


def blocks() -> Iterator[nn.Module]:
    """The eight blocks of a ResNet-18."""
    before = 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        yield Block(before, width, stride)
        yield Block(width, width, 1)
        before = width


class Classifier(L.LightningModule):
    """A network of images, trained as usual.

    Args:
        network: `resnet18`: its first convolution is 3x3 with stride 1, as for images of 32x32; `resnet18-imagenet`: it is 7x7 with
            stride 2, and pooled, as for images of 224x224; `small`: three convolutions.
    """

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network = network
        if network == "small":
            body = [
                nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
            ]  # fmt: skip
            width = 64
        else:
            stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
            if network == "resnet18-imagenet":
                stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
            body, width = [*stem, *blocks()], 512
        self.body = nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        loss = functional.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", functional.cross_entropy(logits, batch[1]))
        self.log("val_accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.network == "small":
            return torch.optim.Adam(self.parameters(), lr=1e-3)
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)


class Images(L.LightningDataModule):
    """Images of classes: a smooth pattern of each class, moved about, under noise."""

    def setup(self, stage: str) -> None:
        self.train = images(TRAIN, seed=1)
        self.validation = images(VALIDATION, seed=2)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, batch_size=BATCH, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.validation, batch_size=BATCH)


def images(rows: int, seed: int) -> TensorDataset:
    """So many images and their classes; the patterns are the same for every seed."""
    coarse = torch.randn(CLASSES, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    patterns = functional.interpolate(coarse, size=SIDE, mode="bicubic")
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(CLASSES, (rows,), generator=generator)
    moves = torch.randint(-4, 5, (rows, 2), generator=generator).tolist()
    x = torch.stack([patterns[one].roll(tuple(move), (1, 2)) for one, move in zip(y, moves, strict=True)])
    x = x + 0.7 * torch.randn(x.shape, generator=generator)
    return TensorDataset((x - x.mean()) / x.std(), y)
