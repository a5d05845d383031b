"""Intervals of metrics whose classes may be missing from a resample."""

import pytest
import torch
from torchmetrics.classification import (
    BinaryAUROC,
    MulticlassAUROC,
    MulticlassF1Score,
    MultilabelAUROC,
)

from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metric_intervals import of_metric


def rows(count: int, rare: int) -> Pool:
    """Three classes, the last of them with a few examples, and predictions that are often right."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(2, (count,), generator=generator)
    targets[:rare] = 2
    predictions = torch.nn.functional.one_hot(targets, 3) * 2.0 + torch.randn(count, 3, generator=generator)
    return Pool(predictions.softmax(1), targets)


@pytest.mark.parametrize("metric", [MulticlassAUROC(3), MulticlassAUROC(3, thresholds=50)])
def test_a_resample_without_a_rare_class_does_not_count(metric):
    # One in twenty resamples lacks the class, for which torchmetrics gives 0: a third of the whole would be lost.
    pool = rows(60, 3)
    value = float(metric.clone()(pool.predictions, pool.targets))
    interval = of_metric(metric, value, pool, seed=0).interval
    assert interval is not None
    assert value - 0.2 < interval.low < value < interval.high


def test_where_many_resamples_lack_a_class_there_is_no_interval():
    pool = rows(60, 1)
    value = float(MulticlassAUROC(3)(pool.predictions, pool.targets))
    estimated = of_metric(MulticlassAUROC(3), value, pool, seed=0)
    assert estimated == (None, "no interval: the metric is not defined on many resamples")
    by_example = of_metric(MulticlassAUROC(3, average="weighted"), value, pool, seed=0)
    assert by_example.interval is not None  # a class that is not there has no weight


def test_a_class_that_is_never_there_is_not_waited_for():
    pool = rows(60, 0)
    value = float(MulticlassF1Score(3)(pool.predictions, pool.targets))
    assert of_metric(MulticlassF1Score(3), value, pool, seed=0).interval is not None


def test_one_positive_in_a_hundred_is_enough_where_there_are_many_examples():
    # Dealt out at random, about one in eight groups of a hundred examples more would hold no positive at all.
    generator = torch.Generator().manual_seed(0)
    targets = torch.zeros(10_000, dtype=torch.long)
    targets[torch.randperm(10_000, generator=generator)[:100]] = 1
    pool = Pool((targets * 1.5 + torch.randn(10_000, generator=generator)).sigmoid(), targets)
    value = float(BinaryAUROC()(pool.predictions, pool.targets))
    interval = of_metric(BinaryAUROC(), value, pool, seed=0).interval
    assert interval is not None
    error = ((value * (1 - value)) / 100) ** 0.5  # above the standard error of an area (Hanley and McNeil 1982)
    assert value - 2 * error < interval.low < value < interval.high < value + 2 * error


def test_each_label_needs_yes_and_no():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(2, (40, 2), generator=generator)
    targets[:, 1] = 0
    targets[0, 1] = 1
    predictions = torch.rand(40, 2, generator=generator)
    value = float(MultilabelAUROC(2)(predictions, targets))
    assert of_metric(MultilabelAUROC(2), value, Pool(predictions, targets), seed=0).interval is None
