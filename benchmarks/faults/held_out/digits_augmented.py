"""Digits with augmentation in the dataset, and preprocessing on the device in a hook."""

from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation

Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def shift(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    down, right = rng.integers(-1, 2, size=2)
    return np.roll(image, (down, right), axis=(0, 1))


def turn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.rot90(image, 2 * rng.integers(2)).copy()


class DigitImages(Dataset[Any]):
    """Items are an image (8, 8) and its class."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Transform | None = None) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(torch.randint(2**31, (1,)).item())

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.images[index]
        if self.transform is not None:
            image = self.transform(image, self.generator())
        return torch.from_numpy(np.ascontiguousarray(image)).float(), int(self.labels[index])


class DigitImagesWithGenerator(DigitImages):
    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Transform | None = None) -> None:
        super().__init__(images, labels, transform)
        self.rng = np.random.default_rng(7)

    def generator(self) -> np.random.Generator:
        return self.rng


class DigitImagesByEntropy(DigitImages):
    def generator(self) -> np.random.Generator:
        return np.random.default_rng()


class AugmentedDigits(L.LightningDataModule):
    def __init__(
        self,
        seed: int = 0,
        transform: Transform | None = shift,
        dataset: type[DigitImages] = DigitImages,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.seed, self.transform, self.dataset, self.workers = seed, transform, dataset, workers

    def prepare(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        digits = load_digits()
        order = np.random.default_rng(self.seed).permutation(len(digits.target))
        return digits.images, digits.target, order[: 1300 + 200 * self.seed]

    def setup(self, stage: str) -> None:
        images, labels, order = self.prepare()
        cut = int(0.75 * len(order))
        self.train = Subset(self.dataset(images, labels, self.transform), order[:cut].tolist())
        self.val = Subset(self.dataset(images, labels), order[cut:].tolist())

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, 32, shuffle=True, num_workers=self.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 64)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        x, y = batch
        return (x.unsqueeze(1) - 4.88) / 6.02, y


class SubsetsOfOne(AugmentedDigits):
    def setup(self, stage: str) -> None:
        images, labels, order = self.prepare()
        cut = int(0.75 * len(order))
        everything = self.dataset(images, labels, self.transform)
        self.train = Subset(everything, order[:cut].tolist())
        self.val = Subset(everything, order[cut:].tolist())
        self.val.dataset.transform = None


class TrainingStandardised(AugmentedDigits):
    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        x, y = batch
        if self.trainer.training:
            return (x.unsqueeze(1) - 4.88) / 6.02, y
        return x.unsqueeze(1), y


class SplitWithoutSeed(AugmentedDigits):
    def prepare(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        digits = load_digits()
        order = np.random.default_rng().permutation(len(digits.target))
        return digits.images, digits.target, order[: 1300 + 200 * self.seed]


class Classifier(L.LightningModule):
    def __init__(self, lr: float = 4e-3, channels: int = 16) -> None:
        super().__init__()
        self.lr = lr
        self.features = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1),
            nn.GELU(),
        )
        self.classify = nn.Sequential(nn.Flatten(), nn.Linear(channels * 16, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))

    def _step(self, batch: Any, stage: str) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = nn.functional.cross_entropy(logits, y)
        self.log_dict(
            {f"{stage}/loss": loss, f"{stage}/acc": (logits.argmax(1) == y).float().mean()},
            on_step=False,
            on_epoch=True,
            batch_size=len(y),
        )
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self._step(batch, "val")

    def configure_optimizers(self) -> Any:
        return {"optimizer": torch.optim.AdamW(self.parameters(), lr=self.lr)}


class NoisyEvaluation(Classifier):
    """Averages over a few jittered copies of each image, in training and in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(
            [super(NoisyEvaluation, self).forward(x + 0.1 * torch.randn_like(x)) for _ in range(3)]
        ).mean(0)


class RowsOfColour(Classifier):
    """Red, green and blue in the last axis, as the files have them."""

    def __init__(self, lr: float = 4e-3, channels: int = 16, to_channels: str = "permute") -> None:
        super().__init__(lr, channels)
        self.to_channels = to_channels
        self.features[0] = nn.Conv2d(3, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x, x.square() - 1, x.flip(1)], dim=1).permute(0, 2, 3, 1).contiguous()
        n, height, width, colours = x.shape
        x = x.permute(0, 3, 1, 2) if self.to_channels == "permute" else x.reshape(n, colours, height, width)
        return super().forward(x)


def project(
    seed: int, model: Any = Classifier, data: Any = AugmentedDigits, hparams: Any = None, **options: Any
) -> Project:
    return Project(model, partial(data, seed=seed, **options), {"max_epochs": 6}, hparams or {})


def declared(seed: int) -> Project:
    plain = project(seed, NoisyEvaluation)
    return Project(plain.model, plain.data, plain.trainer, plain.hparams, {"stochastic_eval": True})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    def predict(model: Any, batch: Any) -> Tensor:
        return model((batch[0].unsqueeze(1) - 4.88) / 6.02)

    return accuracy(*pooled(model, validation(clean), predict))


CASES = (
    Case(
        "digits-augmented-one-dataset",
        "taking the transform from the validation subset takes it from the training subset: no augmentation at all",
        ("data", "preprocessing"),
        partial(project, data=SubsetsOfOne),
        project,
        "P09",
    ),
    Case(
        "digits-augmented-turned",
        "half of the digits are turned by 180 degrees: sixes and nines share a label",
        ("preprocessing", "labels", "data"),
        partial(project, transform=turn),
        project,
        "P10",
    ),
    Case(
        "digits-augmented-training-scaled",
        "only training batches are standardised: the model is evaluated on inputs that it never saw",
        ("preprocessing", "evaluation"),
        partial(project, data=TrainingStandardised),
        project,
        "P03",
    ),
    Case(
        "digits-augmented-cloned-generator",
        "each worker has a copy of one generator: augmentation repeats across workers and epochs",
        ("data", "reproducibility", "preprocessing"),
        partial(project, dataset=DigitImagesWithGenerator, workers=2),
        partial(project, workers=2),
        "D12",
    ),
    Case(
        "digits-augmented-entropy",
        "augmentation draws from the system's entropy: no seed makes two runs the same",
        ("reproducibility", "data"),
        partial(project, dataset=DigitImagesByEntropy),
        project,
        "R01",
    ),
    Case(
        "digits-augmented-split-by-entropy",
        "the split is drawn anew, without a seed, whenever the data are set up: scores of runs are of other rows",
        ("reproducibility", "split"),
        partial(project, data=SplitWithoutSeed),
        project,
        "R01",
    ),
    Case(
        "digits-augmented-reshaped",
        "reshape in place of permute: channels and positions are scrambled",
        ("preprocessing", "model"),
        partial(project, model=RowsOfColour, hparams={"to_channels": "reshape"}),
        partial(project, model=RowsOfColour),
        "P06",
    ),
    Case(
        "digits-augmented-own-generator",
        "a generator kept in the dataset, read in one process",
        (),
        None,
        partial(project, dataset=DigitImagesWithGenerator),
        "D12",
    ),
    Case("digits-augmented-averaged", "evaluation is random, and is declared so", (), None, declared, "N31"),
)
