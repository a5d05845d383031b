"""Intervals of metrics whose classes may be missing from a resample."""

import numpy as np
import pytest
import torch
from torchmetrics import Metric
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    MulticlassAccuracy,
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


def in_labels(generator: np.random.Generator, *, ignore: bool) -> Pool:
    """A hundred rows of five labels: four in five rows are nearly all right, the others nearly all wrong."""
    right = generator.random((100, 1)) < 0.8
    targets = (generator.random((100, 5)) < 0.5).astype(int)
    hit = np.where(generator.random((100, 5)) < 0.9, right, ~right)
    predictions = np.where(hit, targets, 1 - targets).astype(np.float32)
    if ignore:
        targets = np.where(generator.random((100, 5)) < 0.1, -1, targets)
    return Pool(torch.tensor(predictions), torch.tensor(targets))


@pytest.mark.parametrize("ignored", [None, -1])
@pytest.mark.parametrize("flat", [False, True])
def test_labels_of_an_example_are_not_independent(ignored: int | None, flat: bool):
    metric, truth, covered = BinaryAccuracy(ignore_index=ignored), 0.8 * 0.9 + 0.2 * 0.1, 0
    for seed in range(150):
        pool = in_labels(np.random.default_rng(seed), ignore=ignored is not None)
        if flat:
            pool = Pool(pool.predictions.flatten(), pool.targets.flatten(), torch.arange(100).repeat_interleave(5))
        value = float(metric(pool.predictions, pool.targets))
        interval = of_metric(metric, value, pool, seed=seed).interval
        assert interval is not None
        assert interval.low <= value <= interval.high
        covered += interval.low <= truth <= interval.high
    assert covered >= 0.89 * 150  # the 99 % band of 150 intervals that are right in 95 of 100 cases


def test_labels_that_have_nothing_to_do_with_each_other_each_count():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(2, (200, 5), generator=generator)
    predictions = (targets + (torch.rand(200, 5, generator=generator) < 0.2)) % 2 * 1.0
    metric = BinaryAccuracy(ignore_index=-1)
    value = float(metric(predictions, targets))
    interval = of_metric(metric, value, Pool(predictions, targets), seed=0).interval
    assert interval is not None
    assert interval.high - interval.low < 0.06  # 0.05 of a thousand labels, 0.11 of two hundred


@pytest.mark.parametrize("top_k", [1, 2])
def test_positions_of_a_map_are_counted_by_image(top_k: int):
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(4, (40, 6, 6), generator=generator)
    targets[0] = 9
    predictions = torch.randn(40, 4, 6, 6, generator=generator)
    metric = MulticlassAccuracy(4, average="micro", top_k=top_k, ignore_index=9)
    value = float(metric(predictions, targets))
    interval = of_metric(metric, value, Pool(predictions, targets), seed=0).interval
    assert interval is not None
    assert interval.low < value < interval.high
    assert "in 39 examples" in interval.method


def test_a_metric_of_the_users_own_is_not_taken_for_one_of_the_same_name():
    class BinaryAccuracy(Metric):  # in points, which no share of successes is
        def __init__(self):
            super().__init__()
            self.add_state("points", torch.tensor(0.0), "sum")
            self.add_state("count", torch.tensor(0), "sum")

        def update(self, predictions, targets):
            self.points += (5 * (predictions.round() == targets) - 2.0).sum()
            self.count += len(targets)

        def compute(self):
            return self.points / self.count

    targets = torch.arange(60) % 2
    predictions = (targets + (torch.arange(60) % 5 == 0)) % 2 * 1.0
    interval = of_metric(BinaryAccuracy(), 2.0, Pool(predictions, targets), seed=0).interval
    assert interval is not None
    assert "wilson" not in interval.method
    assert 0.8 < interval.low < 2.0 < interval.high < 3.0


@pytest.mark.parametrize("ignored", [-100, -1, 2])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_ignored_examples_make_nothing_surer_where_all_others_are_right(average: str, ignored: int) -> None:
    targets = torch.tensor([0, 1] * 20 + [ignored] * 60)
    predictions = torch.nn.functional.one_hot(targets.clamp(0, 2), 3).float()
    metric = MulticlassAccuracy(num_classes=3, average=average, ignore_index=ignored)
    alone = MulticlassAccuracy(num_classes=3, average=average)
    found = of_metric(metric, 1.0, Pool(predictions, targets, None), seed=0)
    wanted = of_metric(alone, 1.0, Pool(predictions[:40], targets[:40], None), seed=0)
    assert found.interval is not None
    assert wanted.interval is not None
    assert found.interval.low == pytest.approx(wanted.interval.low)
    assert found.interval.low < 0.92
