"""LightningModules in the styles that people write get right scores without an adapter, or a sentence that says why not."""

from typing import Any

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score

from art_training.engines import EvaluateJob
from art_training.engines.lightning import LightningEngine
from art_training.records import Split
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup
from art_training.setup.task import TaskKind

G = torch.Generator().manual_seed(0)
X, Y = torch.randn(90, 5, generator=G), torch.randint(0, 3, (90,), generator=G)


class Rows(Dataset[Any]):
    def __init__(self, first: int, last: int, *, named: bool) -> None:
        self.x, self.y, self.named = X[first:last], Y[first:last], named

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        if self.named:
            return {"features": self.x[index], "label": self.y[index]}
        return self.x[index], self.y[index]


class Data(L.LightningDataModule):
    """A last batch that is short: 41 validation rows in batches of 16."""

    named = False

    def train_dataloader(self) -> Any:
        return DataLoader(Rows(0, 49, named=self.named), batch_size=16, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(Rows(49, 90, named=self.named), batch_size=16)


class NamedData(Data):
    named = True


class Style(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.net = nn.Linear(5, 3)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class ReturnsNothing(Style):
    """validation_step returns nothing, and the root is never called through forward."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self.net(x), y))


class LossModule(Style):
    """The loss is a module, the model is called through forward, and a metric object is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.criterion = nn.CrossEntropyLoss()
        self.val_accuracy = MulticlassAccuracy(num_classes=3)

    def forward(self, x: Any) -> Any:
        return self.net(x)

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        scores = self(x)
        self.val_accuracy(scores, y)
        self.log("val_accuracy", self.val_accuracy)
        return self.criterion(scores, y)


class Manual(Style):
    """Manual optimisation."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer = self.optimizers()
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/loss", F.cross_entropy(self.net(batch[0]), batch[1]))


class Named(Style):
    """Batches are dictionaries, and one step serves all."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self._step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        return self._step(batch, "val")

    def _step(self, batch: Any, stage: str) -> Any:
        loss = F.cross_entropy(self.net(batch["features"]), batch["label"])
        self.log_dict({f"{stage}_loss": loss})
        return loss


class OnlyTraining(Style):
    """No validation_step at all: training_step is what can be evaluated."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return {"loss": loss}


class HandWritten(Style):
    """A hand-written loss beside a metric object."""

    def __init__(self) -> None:
        super().__init__()
        self.f1 = MulticlassF1Score(num_classes=3)

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        scores = self.net(x)
        self.f1.update(scores, y)
        return -scores.log_softmax(1)[torch.arange(len(y)), y].mean()


class Unseen(Style):
    """A hand-written loss alone."""

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        x, y = batch
        return -self.net(x).log_softmax(1)[torch.arange(len(y)), y].mean()


def objects() -> dict[str, Any]:
    return {
        "accuracy": MulticlassAccuracy(num_classes=3),
        "f1": MulticlassF1Score(num_classes=3),
        "auroc": MulticlassAUROC(num_classes=3),
    }


def scored(model: Any, data: Any = Data, outputs: Any = None) -> Any:
    setup = Setup(model, data, trainer={"accelerator": "cpu", "max_epochs": 1}, outputs=outputs)
    engine = LightningEngine()
    scorer = MetricCalculator(objects()).scorer(setup.task, setup.outputs, 0)
    result = engine.evaluate(EvaluateJob(setup, 0, (Split.VALIDATION,)), scorer.see, lambda _: None)
    return setup.task, *scorer.result(result.rows, result.logged)


def assert_right(scores: Any) -> None:
    with torch.no_grad():
        given = Style().net(X[49:])
    for name, metric in objects().items():
        assert scores[f"validation/{name}"].value == pytest.approx(float(metric(given.softmax(1), Y[49:])), abs=1e-6)
        assert scores[f"validation/{name}"].rows == 41
    assert scores["validation/loss"].value == pytest.approx(float(F.cross_entropy(given, Y[49:])), rel=1e-5)


@pytest.mark.parametrize(
    ("model", "data"),
    [(ReturnsNothing, Data), (LossModule, Data), (Manual, Data), (Named, NamedData), (OnlyTraining, Data)],
)
def test_scores_are_right_without_an_adapter(model: Any, data: Any) -> None:
    task, scores, findings = scored(model, data)
    assert task.kind is TaskKind.CLASSIFICATION
    assert (task.loss, task.classes) == ("cross_entropy", 3)
    assert task.target == ("label" if data is NamedData else "1")
    assert_right(scores)
    assert findings == ()


def test_a_hand_written_loss_is_helped_by_a_metric_object() -> None:
    task, scores, _ = scored(HandWritten)
    assert_right(scores)
    assert scores["validation/accuracy"].source == "MulticlassF1Score call"
    assert any("declare Setup(task={'loss'" in note for note in task.notes)


def test_a_hand_written_loss_alone_says_why_and_what_to_give() -> None:
    _, scores, findings = scored(Unseen)
    assert list(scores) == ["validation/loss"]
    assert len(findings) == 3
    assert all("Setup(outputs=" in finding.message for finding in findings)


class Returning(Unseen):
    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        return {"loss": super().validation_step(batch, batch_idx), "net": self.net(batch[0])}


def test_an_adapter_helps_where_nothing_can_be_seen() -> None:
    _, scores, findings = scored(Returning, outputs=lambda batch, returned: (returned["net"].softmax(1), batch[1]))
    assert_right(scores)
    assert scores["validation/f1"].source == "outputs= adapter"
    assert findings == ()
