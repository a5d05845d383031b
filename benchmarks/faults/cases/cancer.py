"""A binary classifier of a table, with one logit."""

from functools import partial
from typing import Any

import lightning as L
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import BinaryAUROC

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import area, pooled, validation


class CancerData(L.LightningDataModule):
    def __init__(self, seed: int = 0, target_is_column: bool = False, short: bool = False) -> None:
        super().__init__()
        self.seed, self.target_is_column, self.short = seed, target_is_column, short

    def table(self) -> tuple[Any, Any]:
        return load_breast_cancer(return_X_y=True)

    def scale(self, train: Any, *others: Any) -> list[Any]:
        scaler = StandardScaler().fit(train)
        return [scaler.transform(part) for part in (train, *others)]

    def setup(self, stage: str | None = None) -> None:
        X, y = self.table()
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=self.seed, stratify=y)
        X, X_val, y, y_val = train_test_split(X, y, test_size=0.3, random_state=self.seed + 1, stratify=y)
        X, X_val, X_test = self.scale(X, X_val, X_test)
        if self.short:  # the hardest cases come last, as the clinic sends them
            hard = abs(X_val[:, 20]).argsort(kind="stable")[::-1]
            X_val, y_val = X_val[hard], y_val[hard]
        self.parts = {
            name: self._rows(a, b) for name, a, b in (("fit", X, y), ("val", X_val, y_val), ("test", X_test, y_test))
        }

    def _rows(self, X: Any, y: Any) -> TensorDataset:
        target = torch.tensor(y, dtype=torch.float32)
        return TensorDataset(torch.tensor(X, dtype=torch.float32), target[:, None] if self.target_is_column else target)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.parts["fit"], batch_size=16 + 8 * self.seed, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.parts["val"], batch_size=64)

    def test_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.parts["test"], batch_size=64)


class ValidateOnTest(CancerData):
    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.parts["test"], batch_size=64)


class UnscaledCancer(CancerData):
    def scale(self, train: Any, *others: Any) -> list[Any]:
        return [train, *others]


class ScaledByPart(CancerData):
    """Measured at three hospitals, each with a device of its own."""

    def scale(self, train: Any, *others: Any) -> list[Any]:
        return [
            StandardScaler().fit_transform(part) if part is train else (part - part.mean(0))
            for part in (train, *others)
        ]


class OrderedByDiagnosis(CancerData):
    """The registry lists malignant tumours first; the last fifth of each list is for validation."""

    def setup(self, stage: str | None = None) -> None:
        X, y = self.table()
        order = y.argsort(kind="stable")
        X, y = X[order], y[order]
        a, b = int(0.6 * len(y)), int(0.8 * len(y))
        X_fit, X_val, X_test = self.scale(X[:a], X[a:b], X[b:])
        self.parts = {
            "fit": self._rows(X_fit, y[:a]),
            "val": self._rows(X_val, y[a:b]),
            "test": self._rows(X_test, y[b:]),
        }


class TumourNet(L.LightningModule):
    def __init__(self, lr: float = 5e-3, hidden: int = 24, threshold: float = 0.0, weight: float = 1.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.body = nn.Sequential(nn.Linear(30, hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, 1))
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
        self.auroc = BinaryAUROC()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).squeeze(1)

    def decide(self, logit: Tensor) -> Tensor:
        return logit > self.hparams["threshold"]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.criterion(self(x), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logit = self(x)
        self.rank(logit, y)
        right = (self.decide(logit) == y.bool()).float().mean()
        self.log("val_loss", self.criterion(logit, y), batch_size=len(y))
        self.log("val_acc", right, batch_size=len(y))
        self.log("val_auroc", self.auroc, on_epoch=True)

    def rank(self, logit: Tensor, y: Tensor) -> None:
        self.auroc.update(torch.sigmoid(logit), y.int())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], weight_decay=1e-4)


class RanksDecisions(TumourNet):
    def rank(self, logit: Tensor, y: Tensor) -> None:
        self.auroc.update(self.decide(logit).float(), y.int())


class OneUnitCrossEntropy(TumourNet):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = nn.functional.cross_entropy(self(x)[:, None], torch.zeros(len(y), dtype=torch.long))
        self.log("train_loss", loss)
        return loss


class ByHand(TumourNet):
    """Binary cross-entropy written out."""

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)

    def error(self, logit: Tensor, y: Tensor) -> Tensor:
        return (nn.functional.softplus(logit) - y * logit).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.error(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logit = self(x)
        self.log("val_loss", self.error(logit, y), batch_size=len(y))
        self.log("val_acc", (self.decide(logit).flatten() == y.flatten().bool()).float().mean(), batch_size=len(y))


class SigmoidTwice(TumourNet):
    def __init__(self, **hparams: Any) -> None:
        super().__init__(**hparams)
        self.body.append(nn.Sigmoid())

    def decide(self, logit: Tensor) -> Tensor:
        return logit > 0.5


class MeanOfBatches(TumourNet):
    def on_validation_epoch_start(self) -> None:
        self.shares: list[float] = []

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logit = self(x)
        self.shares.append((self.decide(logit) == y.bool()).float().mean().item())
        self.log("val_loss", self.criterion(logit, y))

    def on_validation_epoch_end(self) -> None:
        self.log("val_acc", sum(self.shares) / len(self.shares))


class CountsOfBatches(MeanOfBatches):
    def on_validation_epoch_start(self) -> None:
        self.right, self.count = 0, 0

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logit = self(x)
        self.right += int((self.decide(logit) == y.bool()).sum())
        self.count += len(y)
        self.log("val_loss", self.criterion(logit, y))

    def on_validation_epoch_end(self) -> None:
        self.log("val_acc", self.right / self.count)


class WithCode(CancerData):
    def __init__(self, code: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.code = code

    def table(self) -> tuple[Any, Any]:
        X, y = super().table()
        X = X.copy()
        if self.code:
            X[:, 14] = 3.0 * y + 2.0
        return X, y


def project(seed: int, model: Any = TumourNet, data: Any = CancerData, hparams: Any = None, **options: Any) -> Project:
    return Project(model, partial(data, seed=seed, **options), {"max_epochs": 8}, hparams or {})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return area(*pooled(model, validation(clean)))


CASES = (
    Case(
        "cancer-one-unit-softmax",
        "cross-entropy over one unit: the loss is zero whatever the model says, nothing learns",
        ("loss", "model"),
        partial(project, model=OneUnitCrossEntropy),
        project,
        "L05",
    ),
    Case(
        "cancer-broadcast",
        "logits (N, 1) meet targets (N,) in a loss written by hand: every row is paired with every target",
        ("loss",),
        partial(project, model=ByHand),
        partial(project, model=ByHand, target_is_column=True),
        "https://discuss.pytorch.org/t/target-size-that-is-different-to-the-input-size/61579",
    ),
    Case(
        "cancer-sigmoid-twice",
        "a sigmoid before a loss with logits: the loss cannot fall under 0.31 for one class, 0.69 for the other",
        ("loss", "model"),
        partial(project, model=SigmoidTwice),
        project,
        "L01",
    ),
    Case(
        "cancer-threshold",
        "probabilities' threshold used on logits: accuracy is logged of other decisions",
        ("metrics",),
        partial(project, hparams={"threshold": 0.5, "lr": 4e-4}),
        partial(project, hparams={"lr": 4e-4}),
        "K05",
    ),
    Case(
        "cancer-auroc-of-decisions",
        "the area under the curve is computed from decisions: too small, and blind to ranking",
        ("metrics",),
        partial(project, model=RanksDecisions),
        project,
        "K07",
    ),
    Case(
        "cancer-mean-of-batches",
        "mean of batch accuracies with a short last batch of the hardest rows",
        ("metrics", "evaluation"),
        partial(project, model=MeanOfBatches, short=True),
        partial(project, model=CountsOfBatches, short=True),
        "K01",
    ),
    Case(
        "cancer-validate-on-test",
        "validation rows are the test rows: whatever is chosen is chosen on the test",
        ("split", "evaluation"),
        partial(project, data=ValidateOnTest),
        project,
        "E01",
    ),
    Case(
        "cancer-unscaled",
        "columns from 0.001 to 4000, not scaled: two columns drown the others, the loss starts in the hundreds",
        ("preprocessing",),
        partial(project, data=UnscaledCancer),
        project,
        "P01",
    ),
    Case(
        "cancer-training-scaled",
        "training rows are standardised, the others are only centred",
        ("preprocessing", "split"),
        partial(project, data=ScaledByPart),
        project,
        "P03",
    ),
    Case(
        "cancer-ordered-split",
        "rows sorted by class are cut into parts: validation has one class only",
        ("split", "data", "labels"),
        partial(project, data=OrderedByDiagnosis, model=CountsOfBatches),
        partial(project, model=CountsOfBatches),
        "https://karpathy.github.io/2019/04/25/recipe/",
    ),
    Case(
        "cancer-leaked-code",
        "one column is the label in another scale: the score is of copying it",
        ("data", "split", "labels"),
        partial(project, data=WithCode),
        project,
        "https://arxiv.org/abs/2207.07048",
    ),
    Case("cancer-logits", "the threshold of logits is zero, the loss starts at 0.69", (), None, project, "N21"),
    Case(
        "cancer-counted",
        "accuracy counted by hand over batches of unequal size",
        (),
        None,
        partial(project, model=CountsOfBatches, short=True),
        "K01",
    ),
)
