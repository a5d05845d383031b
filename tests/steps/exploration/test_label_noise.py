import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

import art_training as art
from art_training.setup.task import Task, TaskKind
from art_training.steps import ExploreData
from art_training.steps.exploration.label_noise import estimate
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, inputs=("0",), target="1")


def explore(x, y, task=CLASSES, *, label_noise="linear"):
    return ExploreData(label_noise=label_noise, pictures=False, near=0).run(ReadingBench(art.data((x, y)), task))


def codes(outcome):
    return {one.code for one in outcome.findings}


@pytest.mark.parametrize("load", [load_digits, load_breast_cancer])
def test_a_tenth_of_flipped_labels_is_found_and_measured(load):
    x, y = load(return_X_y=True)
    classes, generator = int(y.max()) + 1, np.random.default_rng(0)
    flipped = generator.choice(len(y), len(y) // 10, replace=False)
    y[flipped] = (y[flipped] + generator.integers(1, classes, size=len(flipped))) % classes
    outcome = explore(x, y)
    score = outcome.score("train/label_noise")
    assert score.interval.low < 0.1 < score.interval.high + 0.02
    assert "ART117" in codes(outcome)
    named = [row["example"] for row in outcome.reading("suspicious labels").value]
    assert len(set(named) & set(flipped.tolist())) >= 0.75 * len(named)  # by chance, it would be a tenth


@pytest.mark.parametrize("load", [load_digits, load_iris, load_wine, load_breast_cancer])
def test_clean_labels_are_not_accused(load):
    outcome = explore(*load(return_X_y=True))
    assert "ART117" not in codes(outcome)
    assert outcome.score("train/label_noise").interval.low < 0.05


def test_boosting_sees_what_a_line_does_not():
    generator = np.random.default_rng(0)
    x = generator.uniform(-1, 1, size=(600, 4))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    flipped = generator.choice(600, 60, replace=False)
    y[flipped] = 1 - y[flipped]
    outcome = explore(x, y, label_noise="boosting")
    named = [row["example"] for row in outcome.reading("suspicious labels").value]
    assert len(set(named) & set(flipped.tolist())) >= 0.8 * len(named)
    assert "of a boosting model" in outcome.score("train/label_noise").note


def test_labels_of_texts_are_judged_by_their_words():
    generator = np.random.default_rng(0)
    good, bad = ["fine", "lovely", "warm", "bright"], ["dull", "cold", "poor", "grim"]
    rows, flipped = [], set(range(0, 200, 20))
    for at in range(200):
        words = generator.choice(good if at % 2 else bad, 4).tolist() + generator.choice(["the", "a", "of"], 4).tolist()
        rows.append({"text": " ".join(words), "label": (at % 2) ^ (at in flipped)})
    outcome = explore_rows(rows)
    named = {row["example"] for row in outcome.reading("suspicious labels").value}
    assert len(named & flipped) >= 9
    assert len(named - flipped) <= 1


def explore_rows(rows):
    task = Task(TaskKind.CLASSIFICATION, inputs=("text",), target="label")
    return ExploreData(label_noise=True, pictures=False, near=0).run(ReadingBench(art.data(rows), task))


def test_labels_may_be_any_numbers_and_rare_classes_are_left_out():
    x, y = load_iris(return_X_y=True)
    y = y * 10 + 5
    y[0] = 99
    outcome = explore(x, y)
    assert outcome.score("train/label_noise").rows == 149
    assert {row["suggested"] for row in outcome.reading("suspicious labels").value} <= {5, 15, 25}


def test_where_there_are_no_classes_it_is_said():
    task = Task(TaskKind.REGRESSION, inputs=("0",), target="1")
    outcome = explore(*load_diabetes(return_X_y=True), task)
    assert outcome.reading("train/label_noise").note == "it is estimated for classes, and the task is regression"


def test_the_estimate_is_that_of_the_paper():
    """Of 100 labels a class, a model that is sure of the truth, where 20 labels of the first class are of the second."""
    truth = np.repeat([0, 1], 100)
    labels = np.where(np.arange(200) < 20, 1, truth)
    sure = np.where(truth[:, None] == np.arange(2), 0.9, 0.1)
    noise = estimate(sure, labels, seed=0)
    assert noise.rate == pytest.approx(0.1)
    assert noise.interval.low < 0.1 < noise.interval.high
    assert set(noise.suspicious.tolist()) == set(range(20))
    assert (noise.suggested[:20] == 0).all()


@pytest.mark.parametrize("width", [1, 12])
def test_a_model_that_learns_nothing_judges_no_labels(width):
    generator = np.random.default_rng(0)
    outcome = explore(generator.normal(size=(200, width)), generator.integers(0, 2, 200))
    assert "train/label_noise" not in outcome.scores
    assert outcome.reading("train/label_noise").note.endswith("it cannot tell wrong labels from hard examples")


def test_labels_that_are_missing_are_left_out():
    x, y = load_wine(return_X_y=True)
    outcome = explore(x, np.where(np.arange(178) < 20, np.nan, y))
    assert outcome.score("train/label_noise").rows == 158
    assert all(row["example"] >= 20 for row in outcome.reading("suspicious labels").value)
