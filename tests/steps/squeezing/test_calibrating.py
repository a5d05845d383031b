"""A temperature is applied where it is beyond doubt that it helps, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from art_training.setup.scores.calibration import tempered
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.task import Task, TaskKind
from art_training.steps.delivering.predictions import Predictions
from art_training.steps.squeezing.calibrating import Calibrated, calibrate, diagram, scores, told

CLASSES = Task(TaskKind.CLASSIFICATION, target="1", loss="cross_entropy", classes=4)


def drawn(rows: int, seed: int, *, width: float = 2.0, too_sure: float = 1.0) -> Predictions:
    """Targets of true probabilities, and predictions that say so many times more."""
    generator = np.random.default_rng(seed)
    raised = np.exp(width * generator.normal(size=(rows, 4)))
    own = raised / raised.sum(1, keepdims=True)
    targets = (own.cumsum(1) < generator.random((rows, 1))).sum(1).clip(0, 3)
    return Predictions(Pool(torch.tensor(tempered(own, 1 / too_sure)), torch.tensor(targets)), CLASSES, rows)


def calibrated(predictions: Predictions) -> Calibrated:
    return calibrate(MetricCalculator({}), predictions, seed=0)


def test_a_split_that_is_classified_without_an_error_makes_no_model_surer() -> None:
    """The validation rows are all right, those of the test are not: what was delivered was ten times worse there."""
    whole = drawn(4000, 0, width=8.0)
    right = whole.pool.predictions.argmax(1) == whole.pool.targets
    first = torch.cumsum(right, 0) <= 100
    validation, test = whole.part(right & first), whole.part(~first)
    assert validation.count == 100
    found = calibrated(validation)
    assert found.temperature > 0.3
    assert test.at(found.temperature).loss() < 1.3 * test.loss()
    assert found.applied == 1
    assert found.delivered is validation
    note = told(found)
    assert note.startswith("not applied: ")
    if found.temperature < 1:
        assert "all 100 validation examples are right" in note


def test_examples_that_are_all_right_sharpen_nothing_however_little_the_model_said() -> None:
    pool = Pool(torch.tensor([[0.6, 0.4]]).double().repeat(40, 1), torch.zeros(40, dtype=torch.long))
    found = calibrated(Predictions(pool, CLASSES, 40))
    assert found.temperature < 1
    assert found.applied == 1
    assert "all 40 validation examples are right, so that nothing there tells what being surer costs" in told(found)


def test_a_gain_that_is_not_beyond_doubt_is_told_and_not_applied() -> None:
    doubtful = [found for seed in range(30) if (found := calibrated(drawn(60, seed))).gained.value > 0]
    assert doubtful, "no draw gained by chance"
    unsure = [found for found in doubtful if found.gained.interval is not None and found.gained.interval.low <= 0]
    assert len(unsure) >= len(doubtful) - 2
    for found in unsure:
        assert found.applied == 1
        assert f"the gain of {found.gained.value:.2g} [" in told(found)
        assert "is not beyond doubt" in told(found)
        shown = scores(diagram(found, seed=0), 60)
        assert "that temperature is not applied" in shown["ece"].note


def test_too_few_examples_for_an_interval_apply_nothing_and_say_so() -> None:
    found = calibrated(drawn(20, 0, too_sure=4.0))
    assert found.applied == 1
    assert "20 examples are fewer than 30" in told(found)


def test_a_gain_beyond_doubt_is_applied() -> None:
    found = calibrated(drawn(500, 0, too_sure=3.0))
    assert found.gained.better
    assert found.applied == found.temperature > 2
    assert found.delivered is found.predictions
    assert "too sure of itself" in told(found)


@pytest.mark.parametrize("loss", ["", "multi_margin_loss", "cross_entropy"])
def test_the_gain_needs_no_loss_of_the_user(loss: str) -> None:
    """A cross-entropy that is written by hand has no value per example, and is calibrated as one of torch."""
    task = Task(TaskKind.CLASSIFICATION, target="1", loss=loss, classes=4)
    by_hand = replace(drawn(400, 0, too_sure=3.0), task=task)
    found, usual = calibrated(by_hand), calibrated(drawn(400, 0, too_sure=3.0))
    assert found.gained.value == usual.gained.value > 0
    assert found.gained.interval == usual.gained.interval
    assert not found.why_not_applied
