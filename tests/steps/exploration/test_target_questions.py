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


def test_targets_far_from_standardised_are_told_with_the_numbers_and_both_remedies(diabetes):
    x, y = diabetes
    found = finding(explore(x, y), "ART123")
    assert found.severity is Severity.INFO
    assert found.evidence == {
        "mean": pytest.approx(y.mean(), rel=1e-5),
        "deviation": pytest.approx(y.std(), rel=1e-5),
        "targets": [0],
    }
    assert "a mean of 152.1 and a deviation of 77.01" in found.message
    assert "(y - 152.1) / 77.01" in found.remedy
    assert "net(x) * 77.01 + 152.1" in found.remedy


def test_targets_that_fresh_weights_may_predict_are_no_finding(diabetes):
    x, y = diabetes
    for fine in ((y - y.mean()) / y.std(), y / 100, (y - y.mean()) / 20):
        assert finding(explore(x, fine), "ART123") is None
    counts = Task(TaskKind.REGRESSION, inputs=("0",), target="1", loss="poisson_nll_loss")
    assert finding(explore(x, y, counts), "ART123") is None  # whose numbers must stay counts


@pytest.mark.parametrize("far", [1e-3, 1e4])
def test_one_of_several_targets_may_be_far(diabetes, far):
    x, y = diabetes
    z = (y - y.mean()) / y.std()
    found = finding(explore(x, np.stack([z, z * far, z + 50], 1)), "ART123")
    assert found.evidence["targets"] == [1, 2]
    assert found.message.startswith("target[1] of train has")
    assert "(2 of 3 targets are so)" in found.message


def test_a_rare_class_is_told_with_what_the_frequent_one_reaches():
    x, y = load_breast_cancer(return_X_y=True)
    kept = np.sort(np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:6]]))
    outcome = explore(x[kept], y[kept], CLASSES)
    found = finding(outcome, "ART112")
    assert found.severity is Severity.WARNING
    assert found.evidence["rare"] == [0]
    assert "always answering 1 is right in 98.3%" in found.message
    assert outcome.score("train/rarest_class").value == 6
