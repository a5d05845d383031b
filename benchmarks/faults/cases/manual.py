"""Manual optimisation with accumulation, of a classifier of digits."""

from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation


class Digits(L.LightningDataModule):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str) -> None:
        x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(self.seed))
        x, y = (x[order].float() - 4.9) / 6, y[order]
        self.train = TensorDataset(x[: 1000 + 128 * self.seed], y[: 1000 + 128 * self.seed])
        self.val = TensorDataset(x[-400:], y[-400:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=8, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=200)


class Manual(L.LightningModule):
    def __init__(self, lr: float = 0.1, every: int = 4) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def loss(self, batch: Any) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer = self.optimizers()
        self.manual_backward(self.loss(batch) / self.hparams["every"])
        if (batch_idx + 1) % self.hparams["every"] == 0 or self.trainer.is_last_batch:
            optimizer.step()
            optimizer.zero_grad()

    def on_train_epoch_end(self) -> None:
        self.lr_schedulers().step()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams["lr"], momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.7)]


class ManualWhole(Manual):
    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer = self.optimizers()
        self.manual_backward(self.loss(batch))
        if (batch_idx + 1) % self.hparams["every"] == 0 or self.trainer.is_last_batch:
            optimizer.step()
            optimizer.zero_grad()


class ManualOrdered(Manual):
    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer = self.optimizers()
        loss = self.loss(batch)
        self.manual_backward(loss)
        optimizer.zero_grad()
        optimizer.step()


class ManualEpochs(Manual):
    """The optimiser of each epoch has the epoch's learning rate."""

    def on_train_epoch_start(self) -> None:
        rate = self.hparams["lr"] * 0.7**self.current_epoch
        self.adam = torch.optim.AdamW(self.parameters(), lr=rate, betas=(0.9, 0.9999))

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer = self.adam
        optimizer.zero_grad()
        self.manual_backward(self.loss(batch))
        optimizer.step()

    def on_train_epoch_end(self) -> None:
        self.optimizers()

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


class ManualOne(Manual):
    def on_train_epoch_start(self) -> None:
        for group in self.optimizers().param_groups:
            group["lr"] = self.hparams["lr"] * 0.7**self.current_epoch

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.loss(batch))
        optimizer.step()

    def on_train_epoch_end(self) -> None:
        self.log("rate", self.optimizers().param_groups[0]["lr"])

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], betas=(0.9, 0.9999))


class ManualUnscheduled(Manual):
    def on_train_epoch_end(self) -> None:
        self.log("epoch_rate", self.lr_schedulers().get_last_lr()[0])


class ForwardForward(Manual):
    """Each layer learns by itself to tell an image with its own label from one with another; no backward pass through layers."""

    def __init__(self, lr: float = 3e-3, every: int = 1) -> None:
        super().__init__(lr, every)
        self.net = nn.Sequential(nn.Linear(74, 200), nn.Linear(200, 200))

    def embed(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([x, 3.0 * F.one_hot(y, 10)], dim=1)

    def climb(self, h: Tensor) -> list[Tensor]:
        """The activity of each layer, which sees the direction alone of the one beneath, and no gradient."""
        layers = []
        for layer in self.net:
            h = F.relu(layer(F.normalize(h.detach(), dim=1) * h.shape[1] ** 0.5))
            layers.append(h)
        return layers

    def forward(self, x: Tensor) -> Tensor:
        def goodness(label: int) -> Tensor:
            y = torch.full((len(x),), label, device=x.device)
            return torch.stack([h.square().mean(1) for h in self.climb(self.embed(x, y))]).sum(0)

        return torch.stack([goodness(label) for label in range(10)], dim=1)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        other = (y + torch.randint_like(y, 1, 10)) % 10
        right, wrong = self.climb(self.embed(x, y)), self.climb(self.embed(x, other))
        for number, (optimizer, good, bad) in enumerate(zip(self.optimizers(), right, wrong, strict=True)):
            gap = torch.cat([2 - good.square().mean(1), bad.square().mean(1) - 2])
            loss = F.softplus(gap).mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.log(f"layer_{number}", loss)

    def on_train_epoch_end(self) -> None:
        pass

    def configure_optimizers(self) -> Any:
        return [torch.optim.Adam(layer.parameters(), lr=self.hparams["lr"]) for layer in self.net]


def project(seed: int, model: Any = Manual, epochs: int = 5, **hparams: Any) -> Project:
    return Project(model, partial(Digits, seed), {"max_epochs": epochs}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


CASES = (
    Case(
        "manual-not-divided",
        "eight losses are added up where their mean is meant: with SGD, eight times the learning rate",
        ("optimizer", "loss"),
        partial(project, model=ManualWhole, every=8),
        partial(project, every=8),
        "L19",
    ),
    Case(
        "manual-zeroed-before-step",
        "gradients are set to zero between backward and step: nothing moves",
        ("optimizer",),
        partial(project, model=ManualOrdered),
        project,
        "O02",
    ),
    Case(
        "manual-new-optimizer",
        "a new optimiser each epoch: its moments are lost and each epoch starts cold",
        ("optimizer",),
        partial(project, model=ManualEpochs, lr=2e-3),
        partial(project, model=ManualOne, lr=2e-3),
        "O10",
    ),
    Case(
        "manual-never-scheduled",
        "with manual optimisation nobody steps the schedule: the learning rate stays where it was",
        ("schedule",),
        partial(project, model=ManualUnscheduled),
        project,
        "https://lightning.ai/docs/pytorch/stable/model/manual_optimization.html",
    ),
    Case("manual-accumulation", "gradients kept over four batches, on purpose", (), None, project, "L19"),
    Case(
        "manual-forward-forward",
        "an optimiser a layer, no gradient between layers",
        (),
        None,
        partial(project, model=ForwardForward, epochs=4),
        "N24",
    ),
)
