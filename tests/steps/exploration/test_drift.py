import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn.datasets import load_breast_cancer, load_diabetes

import art_training as art
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.steps.exploration.drift import drift
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")
VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1")


def explore(train, validation, task: Task = CLASSES):
    return ExploreData(pictures=False).run(ReadingBench(art.data(train, validation), task))


def test_a_shifted_feature_is_found_and_named():
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    x[400:, 7] += x[:, 7].std()
    outcome = explore((x[:400], y[:400]), (x[400:], y[400:]))
    found = next(one for one in outcome.findings if one.code == "ART110")
    assert found.evidence["features"] == ["0[7]"]
    assert outcome.score("validation/feature_drift").value > 0.3
    assert outcome.reading("validation features against train").value[0]["mean_difference"] == pytest.approx(1, abs=0.2)


def test_targets_that_were_sorted_before_splitting_are_found():
    x, y = load_diabetes(return_X_y=True)
    order = np.argsort(y)
    outcome = explore((x[order[:300]], y[order[:300]]), (x[order[300:]], y[order[300:]]), VALUES)
    assert "ART111" in {one.code for one in outcome.findings}
    assert outcome.score("validation/target_drift").value == 1


def test_numbers_are_those_of_other_libraries():
    generator = np.random.default_rng(0)
    before, after = generator.normal(size=800), generator.normal(0.3, 1.2, size=500)
    found = drift("x", before, after)
    known = ks_2samp(before, after, method="asymp")
    assert found.distance == pytest.approx(known.statistic)
    assert found.probability == pytest.approx(known.pvalue, rel=0.3)
    assert found.mean_difference == pytest.approx(
        (after.mean() - before.mean()) / np.sqrt((before.var() + after.var()) / 2)
    )
    edges = np.quantile(before, np.arange(1, 10) / 10)
    a, b = (np.bincount(np.searchsorted(edges, one), minlength=10) / len(one) for one in (after, before))
    assert found.stability == pytest.approx(((a - b) * np.log(a / b)).sum(), rel=0.02)


def test_what_is_missing_does_not_count():
    with_gaps = np.array([1.0, np.nan, 2.0, np.inf, 3.0])
    assert drift("x", with_gaps, np.array([1.0, 2.0, 3.0])).distance == 0
    assert drift("x", np.array([np.nan]), with_gaps).probability == 1


def test_many_features_raise_no_false_alarm():
    generator = np.random.default_rng(0)
    alarms = 0
    for _ in range(20):
        x = generator.normal(size=(400, 60))
        outcome = explore((x[:300], np.zeros(300, int)), (x[300:], np.zeros(100, int)))
        alarms += any(one.code == "ART110" for one in outcome.findings)
    assert alarms == 0
