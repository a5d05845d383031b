"""Tasks that have baselines, and what the step says of them."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.records import Outcome
from art_training.setup.task import Task, TaskKind
from art_training.steps.evaluate_baseline import EvaluateBaseline
from art_training.testing.reading import ReadingBench

CLASSES = Task(
    TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=10, activation="softmax"
)
VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1", loss="mse_loss")
ACCURACY = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}


def evaluate(data, task, metrics=None, **fields) -> Outcome:
    return EvaluateBaseline(**fields).run(ReadingBench(data, task, metrics))


def digits(rows: int = 1797):
    x, y = load_digits(return_X_y=True)
    return art.data((x[: rows - 360] / 16, y[: rows - 360]), (x[rows - 360 : rows] / 16, y[rows - 360 : rows]))


def value(outcome: Outcome, name: str, metric: str = "validation/accuracy") -> float:
    return outcome.candidate(name).scores[metric].value


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class Nearest(art.ArtModule):
    def baseline_train(self, batches):
        x, y = self.flattened(batches)
        self.centres = torch.stack([torch.from_numpy(x[y == label].mean(0)) for label in range(10)])

    def predict(self, parsed):
        return {**parsed, "prediction": -torch.cdist(parsed["input"], self.centres)}
