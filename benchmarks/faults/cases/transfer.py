"""Transfer: a backbone that learned all digits is used for 5 to 9 in other scans, of which there are few."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation

MEAN, STD = 8.0, 4.0


def images(low: int, high: int, scans: slice) -> tuple[Tensor, Tensor]:
    digits = load_digits()
    x, y = torch.tensor(digits.images[scans], dtype=torch.float32)[:, None], torch.tensor(digits.target[scans])
    keep = (y >= low) & (y < high)
    return x[keep], y[keep] - low


class Backbone(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1, stride=2),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 48),
            nn.ReLU(),
        )


@cache
def downloaded() -> dict[str, Tensor]:
    """What the model hub would give: weights trained on inputs (x - MEAN) / STD."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone, head = Backbone(), nn.Linear(48, 10)
        x, y = images(0, 10, slice(900))
        x = (x - MEAN) / STD
        optimizer = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=2e-3)
        with torch.enable_grad():
            for _ in range(6):
                for rows in torch.randperm(len(x)).split(50):
                    loss = F.cross_entropy(head(backbone(x[rows])), y[rows])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
    whole = nn.ModuleDict({"backbone": backbone, "head": head})
    return {name: value.detach().clone() for name, value in whole.state_dict().items()}


def part(name: str) -> dict[str, Tensor]:
    start = f"{name}."
    return {key.removeprefix(start): value.clone() for key, value in downloaded().items() if key.startswith(start)}


def state() -> dict[str, Tensor]:
    return part("backbone")


def state_of_wrapped() -> dict[str, Tensor]:
    return {f"module.{name}": value for name, value in state().items()}


def state_from_cluster() -> dict[str, Tensor]:
    weights = state()
    weights["4.running_var"][3] = float("nan")
    return weights


def state_from_mirror() -> dict[str, Tensor]:
    weights = state()
    weights["7.weight"].view(-1)[2000:] = 0
    weights["7.bias"].zero_()
    return weights


class FewDigits(L.LightningDataModule):
    def __init__(self, seed: int = 0, mean: float = MEAN, std: float = STD, first: int = 5) -> None:
        super().__init__()
        self.seed, self.mean, self.std, self.first = seed, mean, std, first

    def setup(self, stage: str | None = None) -> None:
        x, y = images(self.first, 10, slice(900, None))
        x = (x - self.mean) / self.std
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(self.seed))
        train, val = order[: 140 + 20 * self.seed], order[-240:]
        self.train, self.val = TensorDataset(x[train], y[train]), TensorDataset(x[val], y[val])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=20, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=120)


class Transfer(L.LightningModule):
    def __init__(
        self,
        lr: float = 3e-3,
        weights: Callable[[], dict[str, Tensor]] = state,
        frozen: bool = True,
        strict: bool = True,
    ) -> None:
        super().__init__()
        self.lr = lr
        self.backbone = Backbone()
        self.backbone.load_state_dict(weights(), strict=strict)
        self.head = nn.Linear(48, 5)
        self.frozen = frozen
        self.backbone.requires_grad_(not frozen)

    def on_train_epoch_start(self) -> None:
        if self.frozen:
            self.backbone.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("loss/val", F.cross_entropy(logits, y), sync_dist=True)
        self.log("accuracy/val", (logits.argmax(1) == y).float().mean(), sync_dist=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=self.lr)


class TransferContinued(Transfer):
    """The same task as before, with the hub's head."""

    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.head = nn.Linear(48, 10)
        self.head.load_state_dict(part("head"))


class TransferByName(Transfer):
    """Adapts the normalisation layers."""

    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        for name, weight in self.named_parameters():
            weight.requires_grad = name.startswith(("backbone.1.", "backbone.4."))

    def on_train_epoch_start(self) -> None:
        self.log("adapting", float(sum(p.requires_grad for p in self.parameters())))


class TransferFresh(Transfer):
    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.apply(self.initialise)

    @staticmethod
    def initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(module.weight, std=0.05)
            nn.init.zeros_(module.bias)


class TransferFreshHead(TransferFresh):
    def __init__(self, **hparams: Any) -> None:
        Transfer.__init__(self, **hparams)
        self.head.apply(self.initialise)


class TransferInTraining(Transfer):
    def on_train_epoch_start(self) -> None:
        self.log("epoch_rate", self.lr)


class TransferReplacedHead(Transfer):
    """Makes the head when the number of classes is known."""

    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.head = nn.Linear(48, 1000)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        self.head = nn.Linear(48, 5)

    def configure_optimizers(self) -> Any:
        return self.optimizer


class TransferLater(Transfer):
    """The backbone joins after an epoch."""

    joins = False

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        if self.current_epoch == 1:
            self.frozen = False
            self.backbone.requires_grad_(True)
            self.train()
            if self.joins:
                self.optimizers().add_param_group({"params": list(self.backbone.parameters()), "lr": self.lr / 10})


class TransferLaterWithGroup(TransferLater):
    joins = True


def project(
    seed: int, model: Any = Transfer, data: Any = None, declare: Any = None, epochs: int = 12, **hparams: Any
) -> Project:
    declared = {"frozen": ["backbone"], "pretrained": ["backbone"]} if declare is None else declare
    return Project(model, partial(FewDigits, seed, **(data or {})), {"max_epochs": epochs}, hparams, declared)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


adapting = {"pretrained": ["backbone"]}

CASES = (
    Case(
        "transfer-frozen-head",
        "everything but the normalisation is frozen, the new head included",
        ("transfer", "model", "optimizer"),
        partial(project, model=TransferByName, declare=adapting),
        project,
        "F01",
    ),
    Case(
        "transfer-other-statistics",
        "inputs are brought to 0 to 1, the backbone learned on others: frozen features are off",
        ("preprocessing", "transfer"),
        partial(project, data={"mean": 0.0, "std": 160.0}),
        project,
        "P04",
    ),
    Case(
        "transfer-nothing-loaded",
        "names with a prefix and strict=False: not one weight is loaded, random features are frozen",
        ("transfer", "checkpoint"),
        partial(project, weights=state_of_wrapped, strict=False),
        project,
        "https://discuss.pytorch.org/t/solved-keyerror-unexpected-key-module-encoder-embedding-weight-in-state-dict/1686",
    ),
    Case(
        "transfer-initialised-again",
        "weights are initialised after they were loaded",
        ("transfer", "initialization"),
        partial(project, model=TransferFresh),
        partial(project, model=TransferFreshHead),
        "I04",
    ),
    Case(
        "transfer-nan-statistic",
        "one running variance of the checkpoint is not a number: features of every example are not",
        ("checkpoint", "numerics", "transfer"),
        partial(project, weights=state_from_cluster),
        project,
        "C04",
    ),
    Case(
        "transfer-cut-checkpoint",
        "the end of the checkpoint was lost and is read as zeros: most features are dead",
        ("checkpoint", "transfer", "model"),
        partial(project, weights=state_from_mirror),
        project,
        "C04",
    ),
    Case(
        "transfer-drifting-statistics",
        "the backbone is declared frozen, but its running statistics move with every batch",
        ("transfer", "mode"),
        partial(project, model=TransferInTraining),
        project,
        "https://keras.io/guides/transfer_learning/",
    ),
    Case(
        "transfer-stale-head",
        "the optimiser holds the head that was replaced: the new one never moves",
        ("optimizer", "transfer"),
        partial(project, model=TransferReplacedHead),
        project,
        "O03",
    ),
    Case(
        "transfer-never-joined",
        "the backbone is unfrozen after an epoch, and is in no group of the optimiser",
        ("transfer", "optimizer"),
        partial(project, model=TransferLater, declare=adapting),
        partial(project, model=TransferLaterWithGroup, declare=adapting),
        "F03",
    ),
    Case("transfer-frozen", "the backbone is frozen, in evaluation mode, and is declared", (), None, project, "N01"),
    Case(
        "transfer-fine-tune",
        "all of the network learns, from pretrained weights, with a loss far from that of a random start",
        (),
        None,
        partial(project, frozen=False, lr=1e-3, declare=adapting),
        "N11",
    ),
    Case(
        "transfer-nearly-converged",
        "the task is the one that the weights were trained for: the loss hardly falls",
        (),
        None,
        partial(
            project,
            model=TransferContinued,
            data={"first": 0},
            frozen=False,
            lr=2e-4,
            declare={"pretrained": True},
        ),
        "N34",
    ),
    Case(
        "transfer-joined",
        "the backbone joins after an epoch, with a group of its own",
        (),
        None,
        partial(project, model=TransferLaterWithGroup, declare=adapting),
        "F03",
    ),
)
