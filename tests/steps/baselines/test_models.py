"""The dummy, the linear model and the boosted trees, for each kind of task."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from tests.steps.baselines.tasks import ACCURACY, CLASSES, VALUES, evaluate, rng, value
from torch import nn
from torchmetrics.classification import BinaryAccuracy, MulticlassAccuracy, MultilabelF1Score
from torchmetrics.regression import MeanAbsoluteError

import art_training as art
from art_training.errors import SetupError
from art_training.setup.task import Task, TaskKind
from art_training.steps.baselines.models import Baseline


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_regression_takes_flat_targets_and_columns(shape):
    x, y = load_diabetes(return_X_y=True)
    y = y.reshape(shape)
    outcome = evaluate(art.data((x[:350], y[:350]), (x[350:], y[350:])), VALUES, {"mae": MeanAbsoluteError()})
    assert outcome.parameters["by"] == "validation/mae"
    assert value(outcome, "linear", "validation/mae") < value(outcome, "dummy", "validation/mae")
    expected = float(((y[350:] - y[:350].mean()) ** 2).mean())
    assert value(outcome, "dummy", "validation/loss") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "shape", "dtype"),
    [("binary_cross_entropy_with_logits", (-1, 1), float), ("binary_cross_entropy", (-1,), float), ("", (-1,), int)],
)
def test_two_classes_with_one_output(loss, shape, dtype):
    x, y = load_breast_cancer(return_X_y=True)
    y = y.reshape(shape).astype(dtype)
    task = Task(TaskKind.CLASSIFICATION, ("0",), "1", loss, classes=2, activation="sigmoid")
    metrics = {"accuracy": MulticlassAccuracy(num_classes=2) if not loss else BinaryAccuracy()}
    outcome = evaluate(art.data((x[:400], y[:400]), (x[400:], y[400:])), task, metrics)
    assert value(outcome, "linear") > 0.9
    assert ("validation/loss" in outcome.scores) == bool(loss)


def test_several_labels():
    x = rng().normal(size=(300, 5))
    y = np.stack([x[:, 0] > 0, x[:, 1] > 1, np.zeros(300)], 1).astype(float)
    task = Task(TaskKind.MULTI_LABEL, ("0",), "1", "binary_cross_entropy_with_logits", classes=3, activation="sigmoid")
    metrics = {"f1": MultilabelF1Score(num_labels=3, average="micro")}
    outcome = evaluate(art.data((x[:200], y[:200]), (x[200:], y[200:])), task, metrics)
    assert value(outcome, "linear", "validation/f1") > value(outcome, "dummy", "validation/f1")


def test_a_sequence_gets_the_token_prior_and_says_why_not_the_others():
    tokens = rng().choice(4, size=(60, 7), p=[0.7, 0.1, 0.1, 0.1])
    tokens[:, 6] = -100
    task = Task(TaskKind.SEQUENCE, ("ids",), "labels", "cross_entropy", {"ignore_index": -100}, 4, "softmax")
    metrics = {"accuracy": MulticlassAccuracy(num_classes=4, average="micro")}
    data = art.data({"ids": tokens, "labels": tokens}, {"ids": tokens[:20], "labels": tokens[:20]})
    outcome = evaluate(data, task, metrics)
    assert value(outcome, "dummy") == pytest.approx((tokens[:20, :6] == 0).mean())
    assert outcome.candidate("dummy").scores["validation/accuracy"].rows == 20
    shares = np.bincount(tokens[:, :6].ravel()) / (60 * 6)
    expected = -np.log(shares[tokens[:20, :6].ravel()]).mean()
    assert value(outcome, "dummy", "validation/loss") == pytest.approx(expected, rel=1e-5)
    assert "one target an example is needed" in outcome.candidate("linear").note
    assert outcome.candidate("boosting").scores == {}


def test_a_reconstruction_gets_the_mean():
    x = rng().normal(size=(50, 2, 3)).astype(np.float32)
    task = Task(TaskKind.RECONSTRUCTION, ("0",), "0", "mse_loss")
    outcome = evaluate(art.data((x[:40],), (x[40:],)), task)
    expected = ((x[40:] - x[:40].mean(0)) ** 2).mean()
    assert value(outcome, "dummy", "validation/loss") == pytest.approx(expected, rel=1e-5)


def test_inputs_of_varying_size_leave_the_dummy():
    rows = [(torch.zeros(2 + index % 3), index % 2) for index in range(40)]

    def collate(examples):
        width = max(len(x) for x, _ in examples)
        return torch.stack([nn.functional.pad(x, (0, width - len(x))) for x, _ in examples]), torch.tensor(
            [y for _, y in examples]
        )

    outcome = evaluate(art.data(rows, rows, batch_size=2, collate=collate), CLASSES, ACCURACY)
    assert value(outcome, "dummy") == 0.5
    assert "inputs vary in size" in outcome.candidate("linear").note


def test_missing_values_do_not_stop_the_baselines():
    x, y = load_digits(return_X_y=True)
    x[::7, 5], x[3, 3] = np.nan, np.inf
    outcome = evaluate(art.data((x[:600], y[:600]), (x[600:900], y[600:900])), CLASSES, ACCURACY)
    assert value(outcome, "linear") > 0.8


def test_a_model_that_cannot_learn_is_a_note_and_not_the_end():
    x = rng().normal(size=(60, 3))
    data = art.data((x, np.zeros(60, int)), (x, np.zeros(60, int)))
    outcome = evaluate(data, CLASSES, ACCURACY)
    assert "it could not learn" in outcome.candidate("linear").note
    assert value(outcome, "dummy") == 1


class Warns(Baseline):
    def fit(self, inputs, targets):
        warnings.warn("did not converge\n(see the manual)", UserWarning, stacklevel=2)

    def predict(self, inputs):
        return inputs


def test_what_scikit_learn_warns_of_is_a_note():
    baseline = Warns("linear", {})
    baseline.learn(np.zeros((2, 2)), np.zeros(2))
    assert baseline.notes == ["did not converge"]


@pytest.mark.parametrize("loss", ["binary_cross_entropy_with_logits", "soft_margin_loss"])
def test_a_mask_of_yes_and_no_gets_how_often_it_is_yes(loss):
    masks = (rng().random((60, 1, 4, 4)) < 0.25).astype(np.float32)
    images = rng().random((60, 1, 4, 4)).astype(np.float32)
    told = 2 * masks - 1 if loss == "soft_margin_loss" else masks
    task = Task(TaskKind.SEQUENCE, inputs=("0",), target="1", loss=loss, classes=2, activation="sigmoid")
    outcome = evaluate(
        art.data((images[:40], told[:40]), (images[40:], told[40:])), task, {"accuracy": BinaryAccuracy()}
    )
    assert value(outcome, "dummy") == pytest.approx(1 - float(masks[40:].mean()))


@pytest.mark.parametrize(
    ("labels", "told"),
    [([1, 2], "subtract 1 from the labels"), ([0, 3], "mend the labels")],
    ids=["off by one", "one too large"],
)
def test_labels_that_the_task_has_no_class_for_are_told_in_a_sentence(labels, told):
    x, y = rng().normal(size=(40, 3)).astype(np.float32), np.array(labels)[np.arange(40) % 2]
    task = Task(
        TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=2, activation="softmax"
    )
    with pytest.raises(SetupError, match=f"a task of 2 classes has 0 to 1; {told}"):
        evaluate(art.data((x, y), (x, y)), task)


def test_labels_that_the_loss_ignores_are_no_classes():
    x, y = rng().normal(size=(40, 3)).astype(np.float32), np.array([0, 1, 255, 1])[np.arange(40) % 4]
    task = Task(
        TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=2, activation="softmax",
        loss_options={"ignore_index": 255},
    )  # fmt: skip
    assert evaluate(art.data((x, y % 255), (x, y % 255)), task).candidate("dummy").scores
