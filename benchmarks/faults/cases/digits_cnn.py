"""A convolutional classifier of digits."""

from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation


class DigitsData(L.LightningDataModule):
    def __init__(self, seed: int = 0, batch_size: int = 32) -> None:
        super().__init__()
        self.seed, self.batch_size = seed, batch_size

    def load(self) -> tuple[Tensor, Tensor]:
        images, labels = load_digits(return_X_y=True)
        rng = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(images), generator=rng)[: 1400 + 150 * self.seed]
        return self.scale(torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8))[order], torch.tensor(labels)[
            order
        ]

    def scale(self, images: Tensor) -> Tensor:
        return (images - 4.9) / 6.0

    def setup(self, stage: str | None = None) -> None:
        x, y = self.load()
        a, b = int(0.7 * len(x)), int(0.85 * len(x))
        self.train_set = TensorDataset(x[:a], y[:a])
        self.val_set = TensorDataset(x[a:b], y[a:b])
        self.test_set = TensorDataset(x[b:], y[b:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train_set, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val_set, batch_size=128)

    def test_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.test_set, batch_size=128)


class DigitsCNN(L.LightningModule):
    def __init__(self, lr: float = 3e-3, width: int = 16, classes: int = 10, optimizer: str = "adam") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, classes),
        )
        self.train_accuracy = MulticlassAccuracy(classes, average="micro")
        self.val_accuracy = MulticlassAccuracy(classes, average="micro")
        self.test_accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def loss(self, scores: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(scores, y)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        scores = self(x)
        loss = self.loss(scores, y)
        self.train_accuracy(scores, y)
        self.log("train_loss", loss)
        self.log("train_acc", self.train_accuracy, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        scores = self(x)
        self.val_accuracy(scores, y)
        self.log("val_loss", self.loss(scores, y), prog_bar=True)
        self.log("val_acc", self.val_accuracy, prog_bar=True)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.test_accuracy(self(x), y)
        self.log("test_acc", self.test_accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.hparams["optimizer"] == "sgd":
            return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"], momentum=0.9)
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


class DigitsCNNWithProbabilities(DigitsCNN):
    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).softmax(dim=1)


class DigitsCNNWithNLL(DigitsCNN):
    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(self.net(x), dim=-1)

    def loss(self, scores: Tensor, y: Tensor) -> Tensor:
        return F.nll_loss(scores, y)


class DigitsCNNWithLogProbabilities(DigitsCNN):
    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.net(x), dim=-1)

    def loss(self, scores: Tensor, y: Tensor) -> Tensor:
        return F.nll_loss(scores, y)


class DigitsCNNRectified(DigitsCNN):
    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        blocks = [
            nn.Sequential(self.net[0], nn.ReLU(), nn.MaxPool2d(2)),
            nn.Sequential(self.net[3], nn.ReLU(), nn.MaxPool2d(2)),
        ]
        head = nn.Sequential(nn.Flatten(), self.net[7], nn.ReLU())
        self.net = nn.Sequential(*blocks, head)


class DigitsCNNInitialised(DigitsCNN):
    def __init__(self, gain: float = 1.0, **hparams: Any) -> None:
        super().__init__(**hparams)
        for name, weight in self.net.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            else:
                nn.init.kaiming_normal_(weight)
                weight.data.mul_(gain)


class DigitsCNNAveraged(DigitsCNN):
    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        with torch.no_grad():
            for layer in (self.net[0], self.net[3], self.net[7]):
                layer.weight.copy_(layer.weight.mean(dim=0, keepdim=True).expand_as(layer.weight))
                layer.bias.zero_()


class SortedDigits(DigitsData):
    def setup(self, stage: str | None = None) -> None:
        super().setup(stage)
        x, y = self.train_set.tensors
        order = y.argsort(stable=True)
        self.train_set = TensorDataset(x[order], y[order])


class SortedDigitsInOrder(SortedDigits):
    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train_set, batch_size=self.batch_size)


class DigitsInOrder(DigitsData):
    """The rows were put into a random order once, when they were loaded."""

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train_set, batch_size=self.batch_size)


class DigitsWithReplacement(DigitsData):
    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(
            self.train_set, batch_size=self.batch_size, sampler=RandomSampler(self.train_set, replacement=True)
        )


class RawDigits(DigitsData):
    def scale(self, images: Tensor) -> Tensor:
        return images * 16


class NamedFolders(DigitsData):
    def load(self) -> tuple[Tensor, Tensor]:
        x, y = super().load()
        folders = [".cache", *(str(digit) for digit in range(10))]
        index = {name: number for number, name in enumerate(sorted(folders))}
        return x, torch.tensor([index[str(int(label))] for label in y])


class CrowdLabels(DigitsData):
    """Each image was labelled by one of ten annotators."""

    def load(self) -> tuple[Tensor, Tensor]:
        x, y = super().load()
        rng = torch.Generator().manual_seed(100 + self.seed)
        annotator = torch.randint(10, (len(y),), generator=rng)
        guess = torch.randint(10, (len(y),), generator=rng)
        return x, torch.where(annotator < 4, guess, y)


class MoreDigits(DigitsData):
    def setup(self, stage: str | None = None) -> None:
        super().setup(stage)
        (x, y), (more_x, more_y) = self.train_set.tensors, self.val_set.tensors
        n = int(0.4 * len(more_x))
        self.train_set = TensorDataset(torch.cat([x, more_x[:n]]), torch.cat([y, more_y[:n]]))


def project(seed: int, model: Any = DigitsCNN, data: Any = DigitsData, **hparams: Any) -> Project:
    return Project(model, partial(data, seed=seed), {"max_epochs": 8}, {"width": 12 + 4 * seed, **hparams})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


sgd = partial(project, lr=0.05, optimizer="sgd")

CASES = (
    Case(
        "digits-cnn-softmax",
        "softmax before cross-entropy: the loss cannot fall under 1.46",
        ("loss", "model"),
        partial(project, model=DigitsCNNWithProbabilities),
        project,
        "L01",
    ),
    Case(
        "digits-cnn-nll",
        "negative log likelihood of probabilities: the loss is negative, gradients vanish where the model errs",
        ("loss", "model"),
        partial(project, model=DigitsCNNWithNLL),
        partial(project, model=DigitsCNNWithLogProbabilities),
        "L02",
    ),
    Case(
        "digits-cnn-relu-logits",
        "a rectified last layer: classes with negative scores get no gradient",
        ("model", "loss"),
        partial(project, model=DigitsCNNRectified),
        project,
        "M04",
    ),
    Case(
        "digits-cnn-zero-weights",
        "all weights start at zero: only the last bias ever learns",
        ("initialization",),
        partial(project, model=DigitsCNNInitialised, gain=0.0),
        partial(project, model=DigitsCNNInitialised),
        "I01",
    ),
    Case(
        "digits-cnn-equal-rows",
        "every unit of a layer starts the same: each layer stays one unit wide",
        ("initialization",),
        partial(project, model=DigitsCNNAveraged),
        project,
        "I01",
    ),
    Case(
        "digits-cnn-hidden-folder",
        "a hidden folder became class 0: every id is shifted and one output never is a target",
        ("labels", "data", "model"),
        partial(project, data=NamedFolders, classes=11),
        project,
        "B03",
    ),
    Case(
        "digits-cnn-crowd",
        "four of ten annotators guess: 36 % of the labels are wrong",
        ("labels",),
        partial(project, data=CrowdLabels),
        project,
        "B01",
    ),
    Case(
        "digits-cnn-sorted",
        "rows sorted by class and not shuffled: each batch has one class, the last one wins",
        ("data",),
        partial(project, data=SortedDigitsInOrder),
        partial(project, data=SortedDigits),
        "D07",
    ),
    Case(
        "digits-cnn-raw-pixels",
        "inputs of 0 to 256 with a learning rate for scaled ones: training breaks down",
        ("preprocessing", "optimizer"),
        partial(sgd, data=RawDigits),
        sgd,
        "P01",
    ),
    Case(
        "digits-cnn-hot",
        "a learning rate a hundred times too high: the classifier stays at chance",
        ("optimizer",),
        partial(project, lr=0.5),
        project,
        "O05",
    ),
    Case(
        "digits-cnn-copied-rows",
        "40 % of the validation rows are in the training rows too: the validation score is not one",
        ("split", "data"),
        partial(project, data=MoreDigits),
        project,
        "D01",
    ),
    Case(
        "digits-cnn-no-shuffle",
        "not shuffled, but the rows are in random order",
        (),
        None,
        partial(project, data=DigitsInOrder),
        "D07",
    ),
    Case(
        "digits-cnn-replacement",
        "a sampler with replacement: about 37 % of the rows are not seen in an epoch",
        (),
        None,
        partial(project, data=DigitsWithReplacement),
        "D09",
    ),
    Case(
        "digits-cnn-small-weights",
        "weights, and so activations, start small; the network learns all the same",
        (),
        None,
        partial(project, model=DigitsCNNInitialised, gain=0.3),
        "N36",
    ),
)
