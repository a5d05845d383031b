"""Scores of classes and slices, and the gap between two splits, against what they should be."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy

from art_training.records import Interval, Score
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.intervals import wilson
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.task import Task, TaskKind
from art_training.steps.final.parts import as_scores, class_scores, gaps, slice_scores

CLASSES = Task(TaskKind.CLASSIFICATION, classes=3)


def labelled(called: list[int], true: list[int]) -> Examples:
    predictions = torch.nn.functional.one_hot(torch.tensor(called), 3).float()
    return Examples(len(true), Pool(predictions, torch.tensor(true)))


def test_recall_and_precision_count_what_they_say() -> None:
    found = class_scores(labelled([0, 0, 0, 1, 2, 2], [0, 0, 1, 1, 1, 2]), CLASSES)
    assert [one.support for one in found] == [2, 3, 1]
    assert [one.recall and one.recall.value for one in found] == pytest.approx([1.0, 1 / 3, 1.0])
    assert [one.precision and one.precision.value for one in found] == pytest.approx([2 / 3, 1.0, 0.5])
    assert found[1].recall is not None
    assert found[1].recall.interval == wilson(1 / 3, 3)


def test_a_class_that_never_occurs_has_no_recall_rather_than_one_of_zero() -> None:
    found = class_scores(labelled([0, 1, 1], [0, 0, 1]), CLASSES)
    assert found[2].recall is None
    assert found[2].precision is None
    assert "test/class_recall.2" not in as_scores(found)


def test_probabilities_of_one_label_are_two_classes() -> None:
    examples = Examples(4, Pool(torch.tensor([0.9, 0.8, 0.2, 0.1]), torch.tensor([1.0, 0.0, 0.0, 0.0])))
    found = class_scores(examples, Task(TaskKind.CLASSIFICATION))
    assert [one.support for one in found] == [3, 1]
    assert [one.recall and one.recall.value for one in found] == pytest.approx([2 / 3, 1.0])


def test_labels_of_a_multi_label_task_are_looked_at_one_by_one() -> None:
    predictions = torch.tensor([[0.9, 0.9], [0.1, 0.9], [0.9, 0.1]])
    targets = torch.tensor([[1, 1], [1, 0], [1, 1]])
    found = class_scores(Examples(3, Pool(predictions, targets)), Task(TaskKind.MULTI_LABEL))
    assert [one.support for one in found] == [3, 2]
    assert [one.recall and one.recall.value for one in found] == pytest.approx([2 / 3, 1 / 2])


def test_positions_of_one_sequence_are_no_independent_examples() -> None:
    generator = np.random.default_rng(0)
    right = generator.random(40) < 0.6  # a sequence is right as a whole, or wrong as a whole
    rows = torch.from_numpy(np.repeat(right, 25).astype(int))
    pool = Pool(torch.nn.functional.one_hot(rows, 2).float(), torch.ones(1000, dtype=torch.long))
    by_row = class_scores(Examples(1000, pool), Task(TaskKind.SEQUENCE))[1].recall
    owned = Pool(pool.predictions, pool.targets, torch.arange(40).repeat_interleave(25))
    by_sequence = class_scores(Examples(40, owned), Task(TaskKind.SEQUENCE))[1].recall
    assert by_row is not None
    assert by_sequence is not None
    assert by_row.value == by_sequence.value
    assert width(by_sequence) > 3 * width(by_row)


def test_values_have_no_classes() -> None:
    examples = Examples(3, Pool(torch.zeros(3), torch.ones(3)))
    assert class_scores(examples, Task(TaskKind.REGRESSION)) == []


def test_a_slice_is_scored_on_its_own_examples_alone() -> None:
    examples = labelled([0, 1, 2, 0], [0, 1, 1, 1])
    losses, weights = np.array([1.0, 2.0, 3.0, 9.0]), np.array([1.0, 1.0, 3.0, 1.0])
    whole = Examples(4, examples.pool, losses, weights)
    metrics = MetricCalculator({"accuracy": MulticlassAccuracy(num_classes=3, average="micro")})
    mask = np.array([False, True, True, False])
    found = slice_scores(whole, {"dark": mask}, metrics, CLASSES, seed=0)
    assert found["test:dark/accuracy"].value == pytest.approx(1 / 2)
    assert found["test:dark/loss"].value == pytest.approx((2 + 3 * 3) / 4)
    assert found["test:dark/loss"].rows == 2


def test_a_slice_of_sequences_takes_all_positions_of_its_own() -> None:
    pool = Pool(torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 1, 1, 1, 0]), torch.tensor([0, 0, 1, 1, 1]))
    metrics = MetricCalculator(
        {"agreement": lambda predictions, targets: float((predictions == targets).float().mean())}
    )
    mask = np.array([False, True])
    found = slice_scores(Examples(2, pool), {"second": mask}, metrics, Task(TaskKind.SEQUENCE), seed=0)
    assert found["test:second/agreement"].value == pytest.approx(2 / 3)


def test_the_gap_is_positive_where_test_is_worse_whichever_way_is_better() -> None:
    scores = {
        "validation/accuracy": Score(0.9, direction="maximize"),
        "test/accuracy": Score(0.8, direction="maximize"),
        "validation/loss": Score(0.5, direction="minimize"),
        "test/loss": Score(0.7, direction="minimize"),
        "test/unknown": Score(1.0),
    }
    found = gaps(scores)
    assert {name: score.value for name, score in found.items()} == pytest.approx(
        {"test/validation_gap.accuracy": 0.1, "test/validation_gap.loss": 0.2}
    )


def test_the_interval_of_the_gap_holds_the_true_one_as_often_as_it_says() -> None:
    # Two independent accuracies of 0.92 and 0.85 on 360 examples each: 1,500 simulations, whose own 99 % band is ± 0.0145.
    generator = np.random.default_rng(1)
    covered = 0
    for validation, test in generator.binomial(360, [0.92, 0.85], (1_500, 2)) / 360:
        scores = {
            "validation/accuracy": Score(validation, wilson(validation, 360), direction="maximize"),
            "test/accuracy": Score(test, wilson(test, 360), direction="maximize"),
        }
        interval = gaps(scores)["test/validation_gap.accuracy"].interval
        assert interval is not None
        covered += interval.low <= 0.07 <= interval.high
    assert covered / 1_500 == pytest.approx(0.95, abs=0.0145)


def test_intervals_of_other_levels_are_not_mixed() -> None:
    scores = {
        "validation/loss": Score(0.5, Interval(0.4, 0.6), direction="minimize"),
        "test/loss": Score(0.5, Interval(0.4, 0.6, level=0.9), direction="minimize"),
    }
    assert gaps(scores)["test/validation_gap.loss"].interval is None


def width(score: Score) -> float:
    assert score.interval is not None
    return score.interval.high - score.interval.low
