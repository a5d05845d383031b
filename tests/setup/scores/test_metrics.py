"""Metrics are declared once, by name, and what the user gave is never changed."""

from typing import Any

import pytest
import torch
from torch import nn
from torchmetrics import MetricCollection, MinMaxMetric
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassF1Score,
)
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, PearsonCorrCoef, R2Score

from art_training.errors import ProjectError, UnknownMetric
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.task import Task, TaskKind

TASK = Task(TaskKind.CLASSIFICATION, loss="cross_entropy", classes=3, activation="softmax")
REGRESSION = Task(TaskKind.REGRESSION, loss="mse_loss")
G = torch.Generator().manual_seed(0)
P, Y = torch.randn(50, 3, generator=G).softmax(1), torch.randint(0, 3, (50,), generator=G)


def accuracy() -> Any:
    return MulticlassAccuracy(num_classes=3)


def test_names_keep_their_order() -> None:
    assert MetricCalculator({"b": accuracy(), "a": accuracy()}).names == ("b", "a")
    assert MetricCalculator().names == ()


def test_a_metric_may_be_left_out() -> None:
    metrics = MetricCalculator({"a": accuracy(), "b": accuracy()})
    assert metrics.without(["a"]).names == ("b",)
    assert metrics.names == ("a", "b")
    with pytest.raises(UnknownMetric, match="no metric 'c' in this project; it has: a, b"):
        metrics.without(["c"])


def test_directions_come_from_the_metric() -> None:
    up = lambda p, t: 1.0
    up.higher_is_better = True  # type: ignore[attr-defined]
    metrics = MetricCalculator({"acc": accuracy(), "mae": MeanAbsoluteError(), "f": lambda p, t: 1.0, "up": up})
    assert metrics.direction("acc") == "maximize"
    assert metrics.direction("acc.0") == "maximize"
    assert metrics.direction("mae") == "minimize"
    assert metrics.direction("loss") == "minimize"
    assert metrics.direction("f") is None
    assert metrics.direction("up") == "maximize"
    with pytest.raises(UnknownMetric):
        metrics.direction("nothing")


def test_a_metric_object_is_found_by_identity() -> None:
    first, second = accuracy(), accuracy()
    metrics = MetricCalculator({"first": first, "second": second})
    assert metrics.name_of(second) == "second"
    with pytest.raises(UnknownMetric, match="none of the project's metrics: first, second"):
        metrics.name_of(accuracy())


def test_two_metrics_of_one_class_are_told_apart() -> None:
    metrics = MetricCalculator({"macro": accuracy(), "micro": MulticlassAccuracy(num_classes=3, average="micro")})
    described = metrics.described()
    assert described["macro"] != described["micro"]
    scores = metrics.score(P, Y, task=TASK)
    assert scores["macro"].value != scores["micro"].value


def test_a_description_is_class_and_configuration_and_no_state() -> None:
    metric = accuracy()
    before = MetricCalculator({"a": metric}).described()
    metric.update(P, Y)
    assert MetricCalculator({"a": metric}).described() == before
    assert before["a"]["num_classes"] == 3  # type: ignore[index, call-overload]
    assert before["a"]["class"].endswith("MulticlassAccuracy")  # type: ignore[index, call-overload, union-attr]


def test_a_changed_function_is_a_changed_metric() -> None:
    one = MetricCalculator({"f": lambda p, t: (p.argmax(1) == t).float().mean()})
    two = MetricCalculator({"f": lambda p, t: (p.argmax(1) != t).float().mean()})
    assert one.described() != two.described()


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        ({"loss": accuracy()}, "the name of the model's own loss"),
        ({"validation/acc": accuracy()}, "give its name alone"),
        ({"two words": accuracy()}, "is not a metric name"),
        ({3: accuracy()}, "a metric is called 3"),
        ({"a": MulticlassAccuracy}, "is the class MulticlassAccuracy; give an object"),
        ({"a": MetricCollection([accuracy()])}, "give its metrics one by one"),
        ({"a": "accuracy"}, "neither an object of torchmetrics nor a function"),
        ([accuracy()], "is not a mapping"),
    ],
)
def test_a_wrong_declaration_is_one_sentence(metrics: Any, sentence: str) -> None:
    with pytest.raises(ProjectError) as caught:
        MetricCalculator(metrics)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_users_object_is_never_changed() -> None:
    metric = accuracy()
    metric.update(P[:3], Y[:3])
    before = metric.metric_state
    before = {name: value.clone() for name, value in before.items()}
    MetricCalculator({"a": metric}).score(P, Y, task=TASK)
    assert all(torch.equal(before[name], value) for name, value in metric.metric_state.items())


def test_pooled_scores_equal_torchmetrics() -> None:
    objects = {
        "f1": MulticlassF1Score(num_classes=3),
        "auroc": MulticlassAUROC(num_classes=3),
        "accuracy": accuracy(),
    }
    scores = MetricCalculator(objects).score(P, Y, task=TASK)
    for name, metric in objects.items():
        assert scores[name].value == pytest.approx(float(metric(P, Y)), abs=1e-7)
        assert scores[name].rows == 50
        interval = scores[name].interval
        assert interval is not None
        assert interval.low <= scores[name].value <= interval.high


def test_regression_scores() -> None:
    target = torch.randn(60, generator=G)
    predicted = target + 0.3 * torch.randn(60, generator=G)
    objects = {"mse": MeanSquaredError(), "r2": R2Score(), "pearson": PearsonCorrCoef()}
    for given in (predicted, predicted[:, None]):
        scores = MetricCalculator(objects).score(given, target, task=REGRESSION)
        for name, metric in objects.items():
            assert scores[name].value == pytest.approx(float(metric.clone()(predicted, target)), rel=1e-5)
            interval = scores[name].interval
            assert interval is not None, scores[name].note
            assert interval.low < scores[name].value < interval.high


def test_binary_metrics_take_two_columns_and_decisions_written_as_numbers() -> None:
    target = torch.randint(0, 2, (40,), generator=G)
    chance = torch.rand(40, generator=G)
    metrics = MetricCalculator({"acc": BinaryAccuracy(), "f1": BinaryF1Score(), "auroc": BinaryAUROC()})
    one = metrics.score(chance, target.float(), task=TASK)
    two = metrics.score(torch.stack([1 - chance, chance], 1), target, task=TASK)
    for name in metrics.names:
        assert one[name].value == pytest.approx(two[name].value)
    both = MetricCalculator({"acc": MulticlassAccuracy(num_classes=2, average="micro")})
    assert both.score(chance, target.float(), task=TASK)["acc"].value == pytest.approx(one["acc"].value)


def test_a_metric_that_gives_several_numbers_has_a_score_each() -> None:
    scores = MetricCalculator({"acc": MulticlassAccuracy(num_classes=3, average=None)}).score(P, Y, task=TASK)
    assert list(scores) == ["acc.0", "acc.1", "acc.2"]
    scores = MetricCalculator({"range": MinMaxMetric(accuracy())}).score(P, Y, task=TASK)
    assert set(scores) == {"range.raw", "range.min", "range.max"}


def test_a_metric_that_cannot_use_the_predictions_is_nan_with_a_sentence_and_spoils_no_other() -> None:
    metrics = MetricCalculator({"auroc": MulticlassAUROC(num_classes=3), "acc": accuracy()})
    scores = metrics.score(P.argmax(1), Y, task=TASK)
    assert scores["auroc"].value != scores["auroc"].value
    assert "metric 'auroc' raised" in scores["auroc"].note
    assert "int64" in scores["auroc"].note
    assert "\n" not in scores["auroc"].note
    assert scores["acc"].value == pytest.approx(float(accuracy()(P.argmax(1), Y)))


def test_a_function_sees_pooled_tensors() -> None:
    def top_two(predictions: torch.Tensor, targets: torch.Tensor) -> float:
        assert predictions.device.type == "cpu"
        return float((predictions.topk(2).indices == targets[:, None]).any(1).float().mean())

    score = MetricCalculator({"top": top_two}).score(P, Y, task=TASK)["top"]
    assert score.value == pytest.approx(top_two(P, Y))
    assert score.interval is not None


def test_a_module_may_be_a_metric() -> None:
    score = MetricCalculator({"mae": nn.L1Loss()}).score(torch.zeros(20), torch.ones(20), task=REGRESSION)["mae"]
    assert score.value == 1.0


def test_rows_of_one_example_are_resampled_together() -> None:
    """Twenty copies of each decision are no new information: the interval stays that of the examples."""
    correct = torch.rand(40, generator=G) < 0.7
    predicted = torch.where(correct, 1, 0)
    one = MetricCalculator({"acc": BinaryAccuracy()}).score(predicted, torch.ones(40).long(), task=TASK)["acc"]
    many = MetricCalculator({"acc": BinaryAccuracy()}).score(
        predicted.repeat_interleave(20), torch.ones(800).long(), task=TASK, rows_weight=[20] * 40
    )["acc"]
    assert one.interval is not None
    assert many.interval is not None
    assert many.value == pytest.approx(one.value)
    assert many.interval.high - many.interval.low == pytest.approx(one.interval.high - one.interval.low, rel=0.2)


def test_importing_metrics_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, art_training.setup.scores.metrics, art_training.setup.inference; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
