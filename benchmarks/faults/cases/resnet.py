"""A small residual network with batch normalisation, and SGD with a cosine schedule."""

from functools import partial
from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, random_split

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation


class Glyphs(Dataset[Any]):
    def __init__(self, n: int) -> None:
        digits = load_digits()
        self.x = torch.as_tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 8 - 0.6
        self.y = torch.as_tensor(digits.target)
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.x[i], self.y[i]


class GlyphData(pl.LightningDataModule):
    def __init__(self, seed: int, batch_size: int = 32) -> None:
        super().__init__()
        self.seed, self.batch_size = seed, batch_size

    def setup(self, stage: str | None = None) -> None:
        rows = Glyphs(1000 + 120 * self.seed)
        split = torch.Generator().manual_seed(self.seed)
        self.train, self.val = random_split(rows, [0.8, 0.2], generator=split)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 50)


class Block(nn.Module):
    def __init__(self, planes: int, norm: Any, shared: nn.Module | None = None, zero: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(planes, planes, 3, padding=1, bias=norm is nn.GroupNorm)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=norm is nn.GroupNorm)
        make = partial(nn.GroupNorm, 4) if norm is nn.GroupNorm else norm
        self.bn1 = shared or make(planes)
        self.bn2 = shared or make(planes)
        if zero:
            nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(x + self.bn2(self.conv2(h)))


class ResNet(pl.LightningModule):
    def __init__(
        self,
        *,
        lr: float = 0.02,
        planes: int = 16,
        norm: Any = nn.BatchNorm2d,
        momentum: float = 0.1,
        dropout: float = 0.1,
        zero: bool = False,
        one_norm: bool = False,
        neck: Any = nn.Identity,
    ) -> None:
        super().__init__()
        self.lr = lr
        stem = nn.GroupNorm(4, planes) if norm is nn.GroupNorm else norm(planes)
        self.stem = nn.Sequential(nn.Conv2d(1, planes, 3, padding=1), stem, nn.ReLU())
        self.layer1 = Block(planes, norm, stem if one_norm else None, zero)
        self.layer2 = Block(planes, norm, stem if one_norm else None, zero)
        self.pool = nn.Sequential(nn.AdaptiveMaxPool2d(2), nn.Flatten(), neck(4 * planes), nn.Dropout(dropout))
        self.fc = nn.Linear(4 * planes, 10)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = momentum

    def features(self, x: Tensor) -> Tensor:
        return self.layer2(self.layer1(self.stem(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(self.features(x)))

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y, label_smoothing=0.05)
        self.log("loss", loss, logger=True)
        return {"loss": loss, "logits": logits.detach()}

    def validation_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("val_loss", loss)
        self.log("val_accuracy", (logits.argmax(-1) == y).float().mean())
        return loss

    def configure_optimizers(self) -> Any:
        sgd = torch.optim.SGD(self.parameters(), self.lr, momentum=0.9, weight_decay=5e-4)
        steps = int(self.trainer.estimated_stepping_batches)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=steps)
        return [sgd], [{"scheduler": cosine, "interval": "step"}]


class ResNetFeatures(ResNet):
    """Keeps the last features, for the visualisation."""

    def features(self, x: Tensor) -> Tensor:
        self.seen = super().features(x).detach()
        return self.seen


class ResNetKeepsMode(ResNet):
    """The sampling callback of the dashboard sets modes by itself."""

    def on_validation_model_eval(self) -> None:
        pass

    def on_validation_model_train(self) -> None:
        pass


class ResNetDropsOut(ResNet):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(nn.Dropout(0.5)(self.pool(self.features(x))))


class ResNetMasked(ResNet):
    def forward(self, x: Tensor) -> Tensor:
        h = self.pool(self.features(x))
        if not self.training:
            self.pool[-1].p = 0.0
        return self.fc(h)


class ResNetHalf(ResNet):
    def features(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.layer1(self.stem(x))
        return self.layer2(x)


class ResNetByColumn(ResNet):
    """Centres the features before the classifier."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.pool(self.features(x))
        return self.fc(h - h.mean(0, keepdim=True))


class ResNetByRow(ResNet):
    def forward(self, x: Tensor) -> Tensor:
        h = self.pool(self.features(x))
        return self.fc(h - h.mean(1, keepdim=True))


def project(seed: int, model: Any = ResNet, batch_size: int = 32, epochs: int = 4, **hparams: Any) -> Project:
    return Project(model, partial(GlyphData, seed, batch_size), {"max_epochs": epochs}, hparams)


def clipped(seed: int, **hparams: Any) -> Project:
    return Project(ResNet, partial(GlyphData, seed), {"max_epochs": 4, "gradient_clip_val": 1e-4}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


CASES = (
    Case(
        "resnet-pairs",
        "batch normalisation over batches of two: evaluation uses statistics that training never had",
        ("model", "mode", "data"),
        partial(project, batch_size=2, lr=0.002, epochs=2, neck=nn.BatchNorm1d),
        partial(project, batch_size=2, lr=0.002, epochs=2, neck=nn.LayerNorm),
        "M14",
    ),
    Case(
        "resnet-one-norm",
        "one normalisation serves five places: its running statistics fit none of them",
        ("model", "mode"),
        partial(project, one_norm=True),
        project,
        "M15",
    ),
    Case(
        "resnet-stale-statistics",
        "momentum of the running statistics nearly zero (another library's meaning): evaluation uses those of the start",
        ("mode", "model"),
        partial(project, momentum=0.001),
        project,
        "T09",
    ),
    Case(
        "resnet-dropout",
        "dropout keeps 10 % in place of dropping 10 %",
        ("model",),
        partial(project, dropout=0.9),
        project,
        "M16",
    ),
    Case(
        "resnet-detached",
        "the features are detached where they are kept: only the last layer learns",
        ("model",),
        partial(project, model=ResNetFeatures),
        project,
        "M02",
    ),
    Case(
        "resnet-no-grad",
        "a forgotten no_grad around the first half: its weights never move, though the optimiser has them",
        ("model",),
        partial(project, model=ResNetHalf),
        project,
        "M02",
    ),
    Case(
        "resnet-validates-in-training-mode",
        "validation runs in training mode: it depends on its batches, and moves the running statistics",
        ("mode", "evaluation"),
        partial(project, model=ResNetKeepsMode),
        project,
        "T01",
    ),
    Case(
        "resnet-dropout-in-forward",
        "a dropout made in forward is always on: evaluation is random",
        ("mode", "model"),
        partial(project, model=ResNetDropsOut),
        partial(project, dropout=0.5),
        "T05",
    ),
    Case(
        "resnet-sticky-dropout",
        "the first evaluation sets the dropout rate to zero, for ever",
        ("mode",),
        partial(project, model=ResNetMasked, dropout=0.5),
        partial(project, dropout=0.5),
        "T06",
    ),
    Case(
        "resnet-centred-over-batch",
        "features are centred over the batch, in evaluation too: an example's score depends on its neighbours",
        ("model",),
        partial(project, model=ResNetByColumn),
        partial(project, model=ResNetByRow),
        "M07",
    ),
    Case(
        "resnet-tiny-clip",
        "gradients clipped to a norm of 0.0001: nothing moves",
        ("optimizer",),
        clipped,
        project,
        "https://discuss.pytorch.org/t/proper-way-to-do-gradient-clipping/191",
    ),
    Case(
        "resnet-zero-gates",
        "the last normalisation of each block starts at zero",
        (),
        None,
        partial(project, zero=True),
        "N14",
    ),
    Case(
        "resnet-group-norm",
        "group normalisation, with biases before it",
        (),
        None,
        partial(project, norm=nn.GroupNorm),
        "N15",
    ),
    Case("resnet-plain", "batch normalisation couples the examples of a training batch", (), None, project, "N17"),
)
