"""Learning rates and their schedules, in every form that `configure_optimizers` can have."""

from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import LearningRateMonitor
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation

EPOCHS = 5


class Digits(L.LightningDataModule):
    def __init__(self, seed: int = 0, batch_size: int = 25) -> None:
        super().__init__()
        self.seed, self.batch_size = seed, batch_size

    def setup(self, stage: str) -> None:
        digits = load_digits()
        order = torch.randperm(1797, generator=torch.Generator().manual_seed(self.seed))
        x, y = torch.tensor(digits.data, dtype=torch.float32)[order] / 8 - 1, torch.tensor(digits.target)[order]
        n = 1000 + 100 * self.seed
        self.train, self.val = TensorDataset(x[:n], y[:n]), TensorDataset(x[-400:], y[-400:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=200)


class Dense(L.LightningModule):
    def __init__(
        self,
        lr: float = 0.1,
        depth: int = 2,
        activation: str = "ReLU",
        schedule: Callable[..., Any] | None = None,
        **optimizer: Any,
    ) -> None:
        super().__init__()
        self.lr, self.schedule, self.options = lr, schedule, optimizer
        layers: list[nn.Module] = [nn.Linear(64, 64)]
        for _ in range(depth - 1):
            layers += [getattr(nn, activation)(), nn.Linear(64, 64)]
        self.net = nn.Sequential(*layers, getattr(nn, activation)(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val/loss", F.cross_entropy(logits, y))
        self.log("val/acc", (logits.argmax(1) == y).float().mean())

    def optimizer(self) -> torch.optim.Optimizer:
        if "eps" in self.options:
            return torch.optim.Adam(self.parameters(), self.lr, **self.options)
        return torch.optim.SGD(self.parameters(), self.lr, **{"momentum": 0.9, **self.options})

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer()
        if self.schedule is None:
            return optimizer
        return self.schedule(optimizer, int(self.trainer.estimated_stepping_batches))


class DenseByHook(Dense):
    """Warms up by hand, then hands over to the schedule."""

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        if self.trainer.global_step < 5 and self.current_epoch > EPOCHS:
            scheduler.step()


class DenseScheduled(Dense):
    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        scheduler.step()


class DenseWarmed(Dense):
    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        rate = min(1.0, (self.trainer.global_step + 1) / 100) * self.lr
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step(closure=optimizer_closure)


class DenseWarmedLong(Dense):
    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        rate = min(1.0, (self.trainer.global_step + 1) / 100_000) * self.lr
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step(closure=optimizer_closure)


class DenseTwoGroups(Dense):
    """Weights decay, biases do not."""

    which = ("weight", "bias")

    def optimizer(self) -> torch.optim.Optimizer:
        groups = [
            {"params": [p for name, p in self.named_parameters() if name.endswith(kind)], "weight_decay": decay}
            for kind, decay in zip(self.which, (1e-4, 0.0), strict=True)
        ]
        return torch.optim.SGD(groups, self.lr, momentum=0.9)


class DenseGroupsByName(DenseTwoGroups):
    which = ("0.weight", "bias")


class Residual(Dense):
    """A deep network of sigmoids with a path around each layer."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.net[0](x)
        for i in range(1, len(self.net) - 2, 2):
            x = x + self.net[i + 1](self.net[i](x) - 0.5)
        return self.net[-1](x)


def warm_then_linear(optimizer: Any, steps: int) -> Any:
    def factor(step: int) -> float:
        return step / 40 if step < 40 else max(0.0, 1 - (step - 40) / (steps - 40))

    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": lr_scheduler.LambdaLR(optimizer, factor), "interval": "step"},
    }


def warm_for_long(optimizer: Any, steps: int) -> Any:
    def factor(step: int) -> float:
        return step / (100 * steps) if step < 100 * steps else 1.0

    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": lr_scheduler.LambdaLR(optimizer, factor), "interval": "step"},
    }


def cosine(optimizer: Any, steps: int) -> Any:
    return [optimizer], [{"scheduler": lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps), "interval": "step"}]


def cosine_of_epochs(optimizer: Any, steps: int) -> Any:
    return [optimizer], [{"scheduler": lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS), "interval": "step"}]


def cosine_per_epoch(optimizer: Any, steps: int) -> Any:
    return [optimizer], [lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)]


def one_cycle(optimizer: Any, steps: int) -> Any:
    schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=0.15, total_steps=steps)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step", "frequency": 1}}


def warm_per_epoch(optimizer: Any, steps: int) -> Any:
    settings = warm_then_linear(optimizer, steps)
    settings["lr_scheduler"]["interval"] = "epoch"
    return settings


def decay_steps(optimizer: Any, steps: int) -> Any:
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": lr_scheduler.StepLR(optimizer, 1, 0.1), "interval": "step"},
    }


def decay_epochs(optimizer: Any, steps: int) -> Any:
    return [optimizer], [lr_scheduler.StepLR(optimizer, 2, 0.3)]


def project(seed: int, model: Any = Dense, batch_size: int = 25, **hparams: Any) -> Project:
    trainer = {"max_epochs": EPOCHS, "callbacks": [] if "schedule" not in hparams else [LearningRateMonitor("step")]}
    return Project(model, partial(Digits, seed, batch_size), trainer, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


adam = partial(project, lr=1e-3)

CASES = (
    Case(
        "schedules-decay-per-step",
        "a tenth with every batch: the learning rate is 1e-10 before the first epoch is half done",
        ("schedule",),
        partial(project, schedule=decay_steps),
        partial(project, schedule=decay_epochs),
        "S02",
    ),
    Case(
        "schedules-cosine-per-epoch",
        "a cosine over all steps that is stepped once an epoch: it never leaves its start",
        ("schedule",),
        partial(project, schedule=cosine_per_epoch, lr=0.2),
        partial(project, schedule=cosine, lr=0.2),
        "S02",
    ),
    Case(
        "schedules-cosine-repeats",
        "a cosine over the epochs that is stepped with every batch: the rate swings up and down all the time",
        ("schedule",),
        partial(project, schedule=cosine_of_epochs),
        partial(project, schedule=cosine),
        "S02",
    ),
    Case(
        "schedules-warm-per-epoch",
        "a warm-up of forty steps that is stepped once an epoch: the first epoch trains with a rate of zero",
        ("schedule",),
        partial(project, schedule=warm_per_epoch),
        partial(project, schedule=warm_then_linear),
        "S02",
    ),
    Case(
        "schedules-never-warm",
        "a warm-up a hundred times longer than training: the learning rate never gets there",
        ("schedule",),
        partial(project, schedule=warm_for_long),
        partial(project, schedule=warm_then_linear),
        "own",
    ),
    Case(
        "schedules-warm-by-hook",
        "the hook warms up over 100,000 steps of which there are 200",
        ("schedule", "optimizer"),
        partial(project, model=DenseWarmedLong),
        partial(project, model=DenseWarmed),
        "own",
    ),
    Case(
        "schedules-hook-never-steps",
        "a hook's condition is never true: the schedule is there and is never stepped",
        ("schedule",),
        partial(project, model=DenseByHook, schedule=decay_epochs),
        partial(project, model=DenseScheduled, schedule=decay_epochs),
        "own",
    ),
    Case(
        "schedules-epsilon",
        "Adam with an epsilon of 10: steps are a thousandth of what the learning rate says",
        ("optimizer",),
        partial(adam, eps=10.0),
        partial(adam, eps=1e-8),
        "O07",
    ),
    Case(
        "schedules-weight-decay",
        "a weight decay of one in SGD: weights shrink faster than they learn",
        ("optimizer", "loss"),
        partial(project, lr=0.05, weight_decay=1.0),
        partial(project, lr=0.05, weight_decay=1e-4),
        "L17",
    ),
    Case(
        "schedules-tiny-rate",
        "a learning rate of 1e-6: nothing visible is learned in the epochs that there are",
        ("optimizer",),
        partial(project, lr=1e-6),
        project,
        "https://blog.slavv.com/37-reasons-why-your-neural-network-is-not-working-4020854bd607",
    ),
    Case(
        "schedules-group-left-out",
        "parameter groups by name miss the weights of all layers but the first",
        ("optimizer",),
        partial(project, model=DenseGroupsByName),
        partial(project, model=DenseTwoGroups),
        "O03",
    ),
    Case(
        "schedules-deep-sigmoids",
        "fourteen layers of sigmoids: the first ones get no gradient to speak of",
        ("model", "initialization"),
        partial(project, depth=14, activation="Sigmoid"),
        partial(project, model=Residual, depth=14, activation="Sigmoid", lr=0.02),
        "M11",
    ),
    Case(
        "schedules-warm-from-zero",
        "the learning rate is zero at the first step",
        (),
        None,
        partial(project, schedule=warm_then_linear),
        "N08",
    ),
    Case(
        "schedules-one-cycle",
        "the learning rate rises to 0.15 and the loss with it",
        (),
        None,
        partial(project, schedule=one_cycle),
        "N32",
    ),
    Case(
        "schedules-warm-hook",
        "the learning rate is set by hand in a hook",
        (),
        None,
        partial(project, model=DenseWarmed),
        "own",
    ),
)
