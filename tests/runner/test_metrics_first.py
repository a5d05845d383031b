"""Metrics are tried before anything is trained: what cannot be computed is refused, what may be is not."""

import time
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, MulticlassAccuracy, MulticlassF1Score
from torchmetrics.regression import MeanAbsoluteError, R2Score

import art_training as art
from art_training.checks import Exists
from art_training.engines.engine import EvaluateJob, EvaluateResult, Watch
from art_training.engines.lightning import LightningEngine
from art_training.errors import ProjectError
from art_training.project import ArtProject
from art_training.records import Split
from art_training.runner.metrics_first import require_computable
from art_training.setup.observation import See
from art_training.setup.scores.metrics import MetricCalculator
from art_training.steps import Overfit
from art_training.steps.step import only
from art_training.stores.memory import MemoryStore
from art_training.testing.data import diabetes

ROWS = 40


def regression(outputs: Any = None, batch_size: int = 8) -> art.Setup:
    (x, y), (vx, vy) = diabetes()
    scaled = [(np.asarray(a[:ROWS], np.float32), np.asarray(b[:ROWS] / 100, np.float32)) for a, b in ((x, y), (vx, vy))]
    model = art.from_torch(lambda: nn.Sequential(nn.Linear(10, 1), nn.Flatten(0)), loss=nn.MSELoss, lr=0.01)
    data = art.data(train=scaled[0], validation=scaled[1], batch_size=batch_size)
    return art.Setup(model, data, trainer={"max_epochs": 1}, outputs=outputs)


def two_classes(batch_size: int = 8, *, ordered: bool = False) -> art.Setup:
    """Two classes; in order the first batches of a split hold one of them alone."""
    x = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(0))
    y = torch.arange(ROWS) % 2
    y = y.sort().values if ordered else y
    model = art.from_torch(lambda: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), loss=nn.BCEWithLogitsLoss, lr=0.01)
    data = art.data(train=(x, y.float()), validation=(x, y.float()), batch_size=batch_size)
    return art.Setup(model, data, trainer={"max_epochs": 1})


def three_classes() -> art.Setup:
    x = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(0))
    y = torch.arange(ROWS) % 3
    model = art.from_torch(lambda: nn.Linear(3, 3), loss=nn.CrossEntropyLoss, lr=0.01)
    data = art.data(train=(x, y), validation=(x, y), batch_size=8)
    return art.Setup(model, data, trainer={"max_epochs": 1})


def project(setup: art.Setup, metrics: dict[str, Any], **step: Any) -> ArtProject:
    step = {"checks": only(Exists("train/loss")), **step}
    return ArtProject("p", setup, metrics=metrics, steps=[Overfit(**step)], store=MemoryStore())


def test_a_metric_of_another_kind_of_task_is_refused_before_a_long_training() -> None:
    setup = regression().but(trainer={"max_epochs": 100_000})
    began = time.monotonic()
    with pytest.raises(ProjectError) as raised:
        project(setup, {"acc": MulticlassAccuracy(num_classes=10), "mae": MeanAbsoluteError()}).run()
    assert time.monotonic() - began < 30
    told = str(raised.value)
    assert told.startswith(
        "metric 'acc' raised ValueError on predictions (rows) of float32 and targets (rows) of float32: "
    )
    assert "nothing has been trained: this is a regression, so choose R2Score() or MeanAbsoluteError()" in told
    assert told.endswith("skip_metrics=['acc']")
    assert "mae" not in told


def test_a_wrong_number_of_classes_is_refused_with_the_right_one() -> None:
    with pytest.raises(
        ProjectError, match=r"a classification of 3 classes, so choose MulticlassAccuracy\(num_classes=3\)"
    ):
        project(three_classes(), {"f1": MulticlassF1Score(num_classes=7)}).run()


def test_a_function_that_raises_on_any_predictions_is_refused() -> None:
    def broken(predictions: Tensor, targets: Tensor) -> float:
        return float((predictions.argmax(1) == targets).float().mean())

    with pytest.raises(ProjectError, match="metric 'broken' raised IndexError"):
        project(regression(), {"broken": broken}).run()


def test_a_metric_that_the_step_skips_is_not_tried() -> None:
    wrong = {"acc": MulticlassAccuracy(num_classes=10)}
    assert project(regression(), wrong, skip_metrics=["acc"]).run().steps[0].state == "passed"


@pytest.mark.filterwarnings("ignore:No (posi|nega)tive samples")
def test_batches_of_one_class_and_of_one_row_are_no_reason() -> None:
    def by_scikit_learn(predictions: Tensor, targets: Tensor) -> float:
        return float(roc_auc_score(targets.numpy(), predictions.numpy()))

    def not_one_class(predictions: Tensor, targets: Tensor) -> float:
        if len(targets.unique()) < 2:
            raise ValueError("only one class present")
        return 1.0

    metrics = {"auroc": BinaryAUROC(), "sk": by_scikit_learn, "both": not_one_class, "accuracy": BinaryAccuracy()}
    assert project(two_classes(ordered=True), metrics).run().steps[0].state == "passed"
    assert project(regression(batch_size=1), {"r2": R2Score()}).run().steps[0].state == "passed"


def test_a_metric_that_raises_because_of_what_fresh_weights_predict_is_no_reason() -> None:
    def precision(predictions: Tensor, targets: Tensor) -> float:
        positive = int((predictions > 0.99).sum())
        return int(((predictions > 0.99) & (targets > 0.5)).sum()) / positive  # fresh weights are sure of nothing

    found = project(two_classes(), {"precision": precision}).run().steps[0]
    assert found.state == "passed"
    assert found.outcome is not None
    assert [one.code for one in found.outcome.findings].count("ART703") == 2  # told, as ever, where it has come true


class Several(Metric):
    """A metric of the user's own that gives several numbers, and needs more rows than a batch has."""

    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("rows", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        self.total = self.total + (predictions - targets).abs().sum()
        self.rows = self.rows + len(targets)

    def compute(self) -> dict[str, Tensor]:
        if self.rows < 30:
            raise RuntimeError(f"{self.rows} rows are too few")
        return {"mean": self.total / self.rows, "sum": self.total}


def test_a_metric_of_ones_own_that_needs_many_rows_and_gives_several_numbers_is_computed() -> None:
    found = project(regression(), {"several": Several()}).run().steps[0]
    assert found.outcome is not None
    assert {"validation/several.mean", "train/several.sum"} <= set(found.outcome.scores)


class Counting(LightningEngine):
    """Counts the passes that are made."""

    passes = 0

    def evaluate(self, job: EvaluateJob, see: See, watch: Watch) -> EvaluateResult:
        self.passes += 1
        return super().evaluate(job, see, watch)


def test_what_was_found_right_is_not_tried_again() -> None:
    setup, store, engine = regression(), MemoryStore(), Counting()
    job = EvaluateJob(setup, 0, (Split.VALIDATION,))
    for metrics, passes in (
        ({"mae": MeanAbsoluteError()}, 1),
        ({"mae": MeanAbsoluteError()}, 1),
        ({"r2": R2Score()}, 2),
    ):
        require_computable(MetricCalculator(metrics), setup.task, job, engine, store)
        assert engine.passes == passes
