"""Segmentation of shapes on noise; few pixels are foreground."""

from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics import Metric

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import pooled, validation


class Shapes(Dataset[Any]):
    """Items: an image (1, 24, 24) and a mask (24, 24) of 0 and 1."""

    def __init__(self, n: int, seed: int, flip: str = "none", hard_last: bool = False) -> None:
        rng = np.random.default_rng(seed)
        self.flip = flip
        self.images = rng.normal(0, 0.35, (n, 24, 24)).astype(np.float32)
        self.masks = np.zeros((n, 24, 24), dtype=np.int64)
        rows, columns = np.mgrid[:24, :24]
        for image, mask in zip(self.images, self.masks, strict=True):
            y, x, radius = rng.integers(5, 19), rng.integers(3, 13), rng.uniform(2, 4)
            inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
            bright = rng.uniform(0.7, 1.5)
            image[inside] += bright
            mask[inside] = 1
        if hard_last:
            contrast = (self.images * self.masks).sum((1, 2)) / self.masks.sum((1, 2))
            order = np.argsort(-contrast)
            self.images, self.masks = self.images[order], self.masks[order]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        image, mask = torch.from_numpy(self.images[index]), torch.from_numpy(self.masks[index])
        if self.flip != "none" and torch.rand(()) < 0.5:
            image = image.flip(1)
            mask = mask.flip(1) if self.flip == "both" else mask
        return {"image": image[None], "mask": mask}


class ShapeData(L.LightningDataModule):
    def __init__(self, seed: int = 0, flip: str = "both", drop_last: bool = False, hard_last: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        h = self.hparams
        self.train = Shapes(320 + 40 * h["seed"], 2 * h["seed"] + 10, h["flip"])
        self.val = Shapes(90 + 5 * h["seed"], 2 * h["seed"] + 11, hard_last=h["hard_last"])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=16, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=64, drop_last=self.hparams["drop_last"])


class Overlap(Metric):
    """Intersection over union of the foreground, over all pixels."""

    higher_is_better = True
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("both", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("either", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, mask: Tensor) -> None:
        self.both += (predicted & mask).sum()
        self.either += (predicted | mask).sum()

    def compute(self) -> Tensor:
        return self.both / self.either.clamp(min=1)


class Segmenter(L.LightningModule):
    def __init__(self, lr: float = 5e-3, width: int = 12, objective: str = "dice", ignore: int = -100) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.down = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.middle = nn.Sequential(nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU())
        self.up = nn.Sequential(nn.ConvTranspose2d(2 * width, width, 2, stride=2), nn.ReLU())
        self.out = nn.Conv2d(width + 1, 2, 3, padding=1)
        self.val_iou = Overlap()

    def forward(self, image: Tensor) -> Tensor:
        return self.out(torch.cat([self.up(self.middle(self.down(image))), image], dim=1))

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        pixels = F.cross_entropy(logits, mask, ignore_index=self.hparams["ignore"])
        if self.hparams["objective"] != "dice":
            return pixels
        foreground = logits.softmax(1)[:, 1]
        dice = 2 * (foreground * mask).sum() / (foreground.sum() + mask.sum() + 1)
        return pixels + 1 - dice

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch["image"]), batch["mask"])
        self.log("train/loss", loss, batch_size=len(batch["mask"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["image"])
        self.log("val/loss", self.loss(logits, batch["mask"]), batch_size=len(batch["mask"]))
        self.score(logits.argmax(1).bool(), batch["mask"].bool())

    def score(self, predicted: Tensor, mask: Tensor) -> None:
        self.val_iou.update(predicted, mask)
        self.log("val/iou", self.val_iou, on_epoch=True, batch_size=len(mask))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


class SegmenterByBatch(Segmenter):
    def score(self, predicted: Tensor, mask: Tensor) -> None:
        overlap = (predicted & mask).sum((1, 2)).float() / (predicted | mask).sum((1, 2)).clamp(min=1)
        self.log("val/iou", overlap.mean(), batch_size=1)


class SegmenterByImage(Segmenter):
    def score(self, predicted: Tensor, mask: Tensor) -> None:
        overlap = (predicted & mask).sum((1, 2)).float() / (predicted | mask).sum((1, 2)).clamp(min=1)
        self.log("val/iou", overlap.mean(), batch_size=len(mask))


class SegmenterOverRows(Segmenter):
    """Probabilities over the two classes."""

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        foreground = logits.softmax(0)[:, 1]
        dice = 2 * (foreground * mask).sum() / (foreground.sum() + mask.sum() + 1)
        return F.cross_entropy(logits, mask) + 4 * (1 - dice)


class SegmenterTransposed(Segmenter):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).transpose(2, 3)


def project(seed: int, model: Any = Segmenter, hparams: Any = None, **options: Any) -> Project:
    declarations = {"imbalance_expected": True}
    return Project(model, partial(ShapeData, seed, **options), {"max_epochs": 4}, hparams or {}, declarations)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    logits, mask = pooled(model, validation(clean), lambda m, b: m(b["image"]), lambda b: b["mask"].bool())
    predicted = logits.argmax(1).bool()
    return ((predicted & mask).sum() / (predicted | mask).sum()).item(), mask.float().mean().item()


CASES = (
    Case(
        "segmentation-flip-image",
        "the image is flipped, its mask is not: half of the training masks are wrong",
        ("preprocessing", "labels", "data"),
        partial(project, flip="image"),
        project,
        "P10",
    ),
    Case(
        "segmentation-ignored-foreground",
        "ignore_index is the foreground's id: the loss never sees a foreground pixel",
        ("loss", "labels"),
        partial(project, hparams={"ignore": 1, "objective": "pixels"}),
        partial(project, hparams={"objective": "pixels"}),
        "L12",
    ),
    Case(
        "segmentation-mean-of-batches",
        "the short last batch has the hardest images and counts as much as a full one",
        ("metrics", "evaluation"),
        partial(project, model=SegmenterByBatch, hard_last=True),
        partial(project, model=SegmenterByImage, hard_last=True),
        "K01",
    ),
    Case(
        "segmentation-drop-last",
        "the last, hardest, third of the validation images is never evaluated",
        ("evaluation", "data"),
        partial(project, drop_last=True, hard_last=True),
        partial(project, hard_last=True),
        "E07",
    ),
    Case(
        "segmentation-softmax-over-batch",
        "a softmax over the batch in place of the classes: the loss couples images and fights itself",
        ("loss", "model"),
        partial(project, model=SegmenterOverRows),
        project,
        "M07",
    ),
    Case(
        "segmentation-transposed",
        "the output's height and width are swapped: the network has to turn what it sees",
        ("model", "preprocessing"),
        partial(project, model=SegmenterTransposed),
        project,
        "P06",
    ),
    Case("segmentation-rare-foreground", "one pixel in twenty is foreground", (), None, project, "own"),
    Case(
        "segmentation-by-image",
        "overlap averaged over images",
        (),
        None,
        partial(project, model=SegmenterByImage),
        "K01",
    ),
)
