import numpy as np
import pytest
from scipy.stats import skew
from sklearn.datasets import load_breast_cancer, load_diabetes

import art_training as art
from art_training.records import Severity
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")
VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1")


def explore(x, y, task=VALUES):
    return ExploreData(pictures=False, near=0).run(ReadingBench(art.data((x, y)), task))


def finding(outcome, code):
    return next((one for one in outcome.findings if one.code == code), None)


@pytest.fixture
def diabetes():
    return load_diabetes(return_X_y=True)


def test_the_distribution_of_numbers_is_told(diabetes):
    x, y = diabetes
    row = explore(x, y).reading("target distribution").value[0]
    assert row["count"] == 442
    assert row["50%"] == pytest.approx(np.median(y))
    assert row["skewness"] == pytest.approx(skew(y), rel=1e-4)
    assert row["distinct"] == len(np.unique(y))


def test_a_constant_target_is_an_error(diabetes):
    x, _ = diabetes
    assert finding(explore(x, np.full(442, 3.0)), "ART113").severity is Severity.ERROR


def test_one_of_several_outputs_may_be_constant(diabetes):
    x, y = diabetes
    outcome = explore(x, np.stack([y, np.ones(442)], 1))
    assert finding(outcome, "ART113").message.startswith("target[1] is 1 in every example")


def test_clipped_targets_are_noted(diabetes):
    x, y = diabetes
    found = finding(explore(x, np.minimum(y, 250)), "ART114")
    assert found.evidence["end"] == "highest"
    assert found.evidence["share"] == pytest.approx((y >= 250).mean(), abs=1e-6)


def test_a_target_in_another_unit_is_found(diabetes):
    x, y = diabetes
    y[40] *= 1000
    found = finding(explore(x, y), "ART120")
    assert found.evidence["examples"] == [40]
    assert found.category == "labels"


def test_a_rare_class_is_told_with_what_the_frequent_one_reaches():
    x, y = load_breast_cancer(return_X_y=True)
    kept = np.sort(np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:6]]))
    outcome = explore(x[kept], y[kept], CLASSES)
    found = finding(outcome, "ART112")
    assert found.severity is Severity.WARNING
    assert found.evidence["rare"] == [0]
    assert "always answering 1 is right in 98.3%" in found.message
    assert outcome.score("train/rarest_class").value == 6
