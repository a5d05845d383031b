"""Species of leaves from few measured ones: a large network that soon knows them by heart, and callbacks that should help."""

from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from sklearn.datasets import make_classification
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled

FEATURES, SPECIES = 24, 4


class Herbarium(L.LightningDataModule):
    """`chooses` says which leaves choose the epoch: some of their own, or those of the test."""

    def __init__(self, seed: int = 0, chooses: str = "validation", held: int = 200) -> None:
        super().__init__()
        self.seed, self.chooses, self.held = seed, chooses, held

    def setup(self, stage: str | None = None) -> None:
        x, y = make_classification(
            4000, FEATURES, n_informative=6, n_redundant=4, n_classes=SPECIES, n_clusters_per_class=1, class_sep=0.8,
            flip_y=0.15, random_state=30 + self.seed,
        )  # fmt: skip
        x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
        n = 240 + 20 * self.seed
        cuts = [n, n + self.held, n + 2 * self.held]
        self.train = TensorDataset(x[: cuts[0]], y[: cuts[0]])
        self.test = TensorDataset(x[cuts[1] : cuts[2]], y[cuts[1] : cuts[2]])
        self.val = self.test if self.chooses == "test" else TensorDataset(x[cuts[0] : cuts[1]], y[cuts[0] : cuts[1]])
        self.field = TensorDataset(x[-2000:], y[-2000:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=24, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=100)

    def test_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.test, batch_size=100)


class Species(L.LightningModule):
    def __init__(self, width: int = 256, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, SPECIES)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def _judge(self, batch: Any, part: str) -> None:
        x, y = batch
        scores = self(x)
        self.log(f"{part}_loss", F.cross_entropy(scores, y))
        self.log(f"{part}_acc", (scores.argmax(1) == y).float().mean())

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._judge(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._judge(batch, "test")

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


class PutBack(Callback):
    """Ends with the weights of the checkpoint, where there is one."""

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        kept = trainer.checkpoint_callback
        if kept is not None and kept.best_model_path:
            pl_module.load_state_dict(torch.load(kept.best_model_path, weights_only=True)["state_dict"])


def best(mode: str = "min", monitor: str = "val_loss") -> list[Callback]:
    return [ModelCheckpoint(monitor=monitor, mode=mode), PutBack()]


def patient() -> list[Callback]:
    return [EarlyStopping("val_loss", patience=4), *best()]


def project(
    seed: int, callbacks: Any = best, epochs: int = 14, trainer: Any = None, data: Any = None, **hparams: Any
) -> Project:
    settings = {"max_epochs": epochs, "callbacks": callbacks(), **(trainer or {})}
    return Project(Species, partial(Herbarium, seed, **(data or {})), settings, hparams, {"label_noise": True})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Less the loss in nats, of two thousand leaves that are in no split; the dummy knows how common the species are."""
    data = clean.data()
    data.setup("fit")
    scores, species = pooled(model, DataLoader(data.field, batch_size=500))
    common = species.bincount().float() / len(species)
    return -F.cross_entropy(scores, species).item(), (common * common.log()).sum().item()


def judged(model: Any, clean: Project) -> float:
    """Share of those leaves whose species is found."""
    data = clean.data()
    data.setup("fit")
    return accuracy(*pooled(model, DataLoader(data.field, batch_size=500)))[0]


few = {"held": 70}

CASES = (
    Case(
        "leaves-chosen-on-test",
        "the epoch is chosen by the leaves of the test: what they say of it afterwards is too good",
        ("split", "evaluation"),
        partial(
            project, callbacks=partial(best, "max", "val_acc"), data={**few, "chooses": "test"}, epochs=30, lr=5e-3
        ),
        partial(project, callbacks=partial(best, "max", "val_acc"), data=few, epochs=30, lr=5e-3),
        "E01",
    ),
    Case(
        "leaves-largest-loss",
        "the checkpoint keeps the epoch with the largest loss, which is put back for the test",
        ("checkpoint", "evaluation"),
        partial(project, callbacks=partial(best, "max")),
        project,
        "E04",
    ),
    Case(
        "leaves-not-due",
        "validation is due every 2,000 steps, of which there are 168 at most: nothing stops or chooses",
        ("evaluation",),
        partial(
            project,
            callbacks=patient,
            trainer={"check_val_every_n_epoch": None, "val_check_interval": 2000},
        ),
        partial(project, callbacks=patient),
        "E06",
    ),
)
