"""Metrics of a validation computed again from its predictions: as they are defined, and as they are often written wrongly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from art_training.probes.evaluation import Evaluation
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.outputs import read_outputs
from art_training.setup.task import Task

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """What one batch of a validation predicted.

    Attributes:
        predictions: (rows, classes) probabilities, or (rows,) probabilities or values.
        targets: (rows,) classes, or values of the shape of the predictions.
        raw: what entered the loss in place of the probability of a yes, where that is a logit.
        all_rows: rows with those that the loss ignores.
        loss: of the step; None where it has none.
        weight: examples.
    """

    predictions: Values
    targets: Values
    raw: Values | None
    all_rows: int
    loss: float | None
    weight: int


@dataclass(frozen=True)
class Candidate:
    """A value that a metric would have, and how it comes about.

    Attributes:
        how: in words; empty for the metric as it is defined.
        value: over the whole validation.
        by_batch: of each batch; empty where it has none.
    """

    how: str
    value: float
    by_batch: tuple[float, ...] = ()


def batches_of(evaluation: Evaluation, task: Task | None) -> tuple[Batch, ...] | None:
    """What every batch predicted; None where that is not known of some."""
    found = [_batch(one, task) for one in evaluation.observations]
    return None if not found or any(one is None for one in found) else tuple(one for one in found if one is not None)


def _batch(observation: BatchObservation, task: Task | None) -> Batch | None:
    outputs = read_outputs(observation, task, None)
    if outputs.predictions is None or outputs.targets is None:
        return None
    call = outputs.call
    raw = None
    if call is not None and call.name == "binary_cross_entropy_with_logits":
        raw = _array(call.prediction.reshape(-1))
        raw = raw if len(raw) == outputs.predictions.numel() else None
    rows = len(outputs.targets)
    if call is not None and call.name in {"cross_entropy", "nll_loss"} and not call.target.is_floating_point():
        rows = call.target.numel()
    predictions, targets = _array(outputs.predictions), _array(outputs.targets)
    return Batch(predictions, targets, raw, rows, outputs.loss, observation.weight)


def _array(tensor: Tensor) -> Values:
    return tensor.detach().to(torch.float64).cpu().numpy()


def decided(predictions: Values) -> Values:
    """Classes of probabilities."""
    if predictions.ndim > 1 and predictions.shape[1] > 1:
        return predictions.argmax(1).astype(np.float64)
    return (predictions.reshape(-1) > 0.5).astype(np.float64)


def is_decision(batch: Batch) -> bool:
    """Whether targets are classes and predictions their probabilities."""
    whole = bool((batch.targets == np.round(batch.targets)).all()) and batch.targets.ndim == 1
    inside = bool(((batch.predictions >= 0) & (batch.predictions <= 1)).all())
    return whole and inside


def accuracy(predictions: Values, targets: Values) -> float:
    """Share of decisions that are right."""
    return float((decided(predictions) == targets).mean())


def accuracies(predictions: Values, targets: Values) -> tuple[float, ...]:
    """What is called accuracy, rightly: of rows, of classes on average, among the best few."""
    right = decided(predictions) == targets
    by_class = [float(right[targets == one].mean()) for one in np.unique(targets)]
    found = [float(right.mean()), float(np.mean(by_class))]
    if predictions.ndim > 1:
        seen = max(predictions.shape[1], 1)
        found.append(float(np.sum(by_class)) / seen)
        order = np.argsort(-predictions, axis=1)
        found += [float((order[:, :k] == targets[:, None]).any(1).mean()) for k in range(2, min(6, seen))]
    return tuple(found)


def f1_scores(predictions: Values, targets: Values) -> tuple[float, ...]:
    """Binary, macro, micro and weighted F1."""
    chosen = decided(predictions)
    classes = np.unique(np.concatenate([chosen, targets]))
    each: list[float] = []
    for one in classes:
        both = float(((chosen == one) & (targets == one)).sum())
        named = float((chosen == one).sum() + (targets == one).sum())
        each.append(2 * both / named if named else 0.0)
    weights = [float((targets == one).mean()) for one in classes]
    micro = float((chosen == targets).mean())
    binary = each[-1] if len(classes) <= 2 and classes[-1] == 1 else float(np.mean(each))
    return binary, float(np.mean(each)), micro, float(np.dot(each, weights))


def auroc(scores: Values, targets: Values) -> float:
    """The chance that a positive is ranked above a negative, ties counting half; NaN where one of them is missing."""
    scores = scores[:, 1] if scores.ndim > 1 and scores.shape[1] == 2 else scores
    if scores.ndim > 1:
        return float("nan")
    positive, negative = int((targets == 1).sum()), int((targets == 0).sum())
    if not positive or not negative or positive + negative != len(targets):
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse.reshape(-1)]
    return float((ranks[targets == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def mean_absolute(predictions: Values, targets: Values) -> float:
    """Mean absolute error."""
    return float(np.abs(predictions - targets).mean())


def mean_squared(predictions: Values, targets: Values) -> float:
    """Mean squared error."""
    return float(((predictions - targets) ** 2).mean())


def root_mean_squared(predictions: Values, targets: Values) -> float:
    """Root of the mean squared error."""
    return mean_squared(predictions, targets) ** 0.5


def r_squared(predictions: Values, targets: Values) -> float:
    """Share of the variance that is explained."""
    spread = float(((targets - targets.mean(0)) ** 2).sum())
    return 1 - float(((predictions - targets) ** 2).sum()) / spread if spread else float("nan")


def pooled(batches: Sequence[Batch]) -> tuple[Values, Values]:
    """Predictions and targets of all batches."""
    return np.concatenate([one.predictions for one in batches]), np.concatenate([one.targets for one in batches])


def averages(batches: Sequence[Batch], metric: Callable[[Values, Values], float], *, weighed: bool) -> list[Candidate]:
    """A metric averaged over batches: each counting once, and each by its examples.

    Args:
        batches: of a validation.
        metric: of predictions and targets.
        weighed: also by examples, which is another number where the metric is no mean itself.
    """
    by_batch = [metric(one.predictions, one.targets) for one in batches]
    return of_batches(by_batch, batches, weighed=weighed)


def of_batches(by_batch: Sequence[float], batches: Sequence[Batch], *, weighed: bool) -> list[Candidate]:
    """Values of batches, averaged."""
    known = tuple(by_batch)
    found = [Candidate("the mean over batches, each of which counts once", float(np.mean(known)), known)]
    if weighed:
        weights = [one.weight for one in batches]
        found.append(Candidate("a mean over batches", float(np.average(known, weights=weights)), known))
    return found
