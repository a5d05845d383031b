"""A line in pure Python, and what it is trained on."""

import random
from collections.abc import Iterator
from typing import TypeAlias, cast

from art_training.engines import Change
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.setup import Setup
from art_training.testing.data import Point, Points

Batch: TypeAlias = tuple[list[float], list[float]]


class Line:
    """`y = weight x + bias`, trained by gradient descent on the mean squared error."""

    def __init__(self, lr: float = 0.1) -> None:
        self.lr = lr
        self.weight = self.bias = 0.0

    def begin(self, generator: random.Random) -> None:
        """Draw the first weights."""
        self.weight, self.bias = generator.gauss(0, 1), generator.gauss(0, 1)

    def predict(self, xs: list[float]) -> list[float]:
        """The line at `xs`."""
        return [self.weight * x + self.bias for x in xs]

    def loss(self, batch: Batch) -> float:
        """Mean squared error."""
        xs, ys = batch
        return sum((p - y) ** 2 for p, y in zip(self.predict(xs), ys, strict=True)) / len(xs)

    def learn(self, batch: Batch) -> float:
        """One step; returns the loss before it."""
        xs, ys = batch
        before = self.loss(batch)
        errors = [p - y for p, y in zip(self.predict(xs), ys, strict=True)]
        self.weight -= self.lr * 2 * sum(e * x for e, x in zip(errors, xs, strict=True)) / len(xs)
        self.bias -= self.lr * 2 * sum(errors) / len(xs)
        return before


def points_of(setup: Setup) -> Points:
    """The data of a setup.

    Raises:
        SetupError: they are none that the fake engine reads.
    """
    if not isinstance(setup.data, Points):
        raise SetupError(
            f"data={setup.data!r} cannot be read by the fake engine; give art_training.testing.data.points()"
        )
    if Split.TRAIN not in setup.data.splits:
        raise SetupError("the data has no training loader; give points(train=...) at least one")
    return setup.data


def epochs_of(setup: Setup) -> int:
    """How many epochs a setup trains.

    Raises:
        SetupError: it gives a factory of a Trainer.
    """
    if callable(setup.trainer):
        raise SetupError("the fake engine makes no Trainer; give trainer={'max_epochs': ...}")
    return int(setup.trainer.get("max_epochs", 3))


def model_of(setup: Setup, generator: random.Random) -> Line:
    """A fresh model, its first weights drawn.

    Raises:
        SetupError: it is none that the fake engine trains.
    """
    model = setup.model(**setup.hparams)
    if not all(hasattr(model, name) for name in ("begin", "learn", "predict", "loss")):
        raise SetupError(
            f"model returned {model!r}, which the fake engine cannot train; give art_training.testing.Line"
        )
    line = cast("Line", model)
    line.begin(generator)
    return line


def batches_of(those: tuple[Point, ...], batch_size: int) -> Iterator[Batch]:
    """Points in batches, in their order."""
    for start in range(0, len(those), batch_size):
        some = those[start : start + batch_size]
        yield [x for x, _ in some], [y for _, y in some]


def changed(batch: Batch, change: Change | None) -> Batch:
    """A batch as it enters the model."""
    return batch if change is None else change(batch)
