import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

import art_training as art
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.steps.exploration.axis_questions import End, cut_ends, far_out
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")


def explore(x, y, **settings):
    return ExploreData(pictures=False, near=0, **settings).run(
        ReadingBench(art.data((x, y)), CLASSES, folder=Path.cwd())
    )


def finding(outcome, code):
    return next(one for one in outcome.findings if one.code == code)


def test_a_wrong_unit_is_found_with_its_example():
    x, y = load_wine(return_X_y=True)
    x[77, 4] *= 1000
    outcome = explore(x, y)
    found = finding(outcome, "ART120").evidence["axes"]
    assert [(one["axis"], one["examples"]) for one in found] == [("0[4]", [77])]
    assert outcome.score("train/axes_with_outliers").value == 1


def test_a_code_for_missing_values_is_found_at_the_lower_end():
    x, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).choice(len(x), 15, replace=False)
    x[rows, 3] = -999_999
    found = finding(explore(x, y), "ART120").evidence["axes"]
    assert [one["axis"] for one in found] == ["0[3]"]
    assert found[0]["examples"] == sorted(rows)


def test_an_outlier_that_the_sample_missed_is_found_by_the_whole():
    x = np.random.default_rng(0).normal(size=(5_000, 3))
    x[4_321, 1] = 500
    found = finding(explore(x, np.zeros(5_000, int), sample=100), "ART120").evidence["axes"]
    assert [(one["axis"], one["examples"]) for one in found] == [("0[1]", [4_321])]


@pytest.mark.parametrize("name", ["normal", "exponential", "lognormal", "uniform"])
def test_long_tails_are_no_outliers(name):
    for seed in range(20):
        values = getattr(np.random.default_rng(seed), name)(size=1_000)
        assert far_out(values, End(values.max(), 0), 1) is None
        assert far_out(values, End(values.min(), 0), -1) is None


def test_of_few_examples_nothing_is_far_out():
    assert far_out(np.array([1.0, 2, 3, 1e9]), End(1e9, 3), 1) is None


def test_overexposed_images_are_found():
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 1, 8, 8)
    x[12] = np.where(x[12] > 12, 9, 16)
    outcome = explore(x, y)
    assert outcome.score("train/saturated_inputs").value == 1
    assert finding(outcome, "ART115").evidence["examples"] == [12]


def test_ends_of_all_axes_are_kept_with_their_examples():
    x, y = load_diabetes(return_X_y=True)
    outcome = explore(x, y)
    row = outcome.reading("ends of the axes").value[2]
    assert (row["axis"], row["low_at"], row["high_at"]) == ("0[2]", int(x[:, 2].argmin()), int(x[:, 2].argmax()))
    assert row["high"] == pytest.approx(x[:, 2].max(), rel=1e-5)
    assert outcome.artifact("axes.csv").kind == "table"


def test_a_clipped_feature_is_noted():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(600, 3))
    x[:, 1] = np.minimum(x[:, 1], 1)
    found = finding(explore(x, np.zeros(600, int)), "ART116").evidence["features"]
    assert [(one["axis"], one["end"], one["value"]) for one in found] == [("0[1]", "highest", 1)]
    assert cut_ends(generator.integers(0, 5, 500).astype(float)) == []  # few values, each of many


def test_colour_images_have_axes_of_their_own():
    x = np.random.default_rng(0).integers(0, 255, size=(40, 3, 8, 8)).astype(np.uint8)
    outcome = explore(x, np.zeros(40, int))
    names = {row["axis"] for row in _rows(outcome)}
    assert {"brightness of 0", "contrast of 0", "sharpness of 0", "colour of 0"} <= names


def _rows(outcome):
    with Path(outcome.artifact("axes.csv").name).open() as file:
        return list(csv.DictReader(file))
