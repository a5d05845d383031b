"""What a validation predicted, batch by batch, so that its metrics can be computed again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from art_training.probes.counted import Values
from art_training.probes.evaluation import Evaluation
from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.losses import LOSSES
from art_training.setup.scores.outputs import read_outputs
from art_training.setup.scores.step_loss import total_loss
from art_training.setup.task import Task

ONCE, BY_SIZE = "the mean over batches, each of which counts once,", "a mean over batches"


@dataclass(frozen=True)
class Batch:
    """What one batch of a validation predicted.

    Attributes:
        predictions: (rows, classes) probabilities, or (rows,) probabilities or values.
        targets: (rows,) classes, or values of the shape of the predictions.
        raw: what entered the loss in place of the probability of a yes, where that is a logit; of the shape of predictions.
        owners: (rows,) which example of the batch a row belongs to; None where a row is an example.
        all_rows: rows with those that the loss ignores.
        loss: of the step; None where it has none.
        weight: examples.
        crossed: (rows,) the class that is chosen after a softmax over another axis than that of the classes, by the axis.
        scores: (rows, classes) what entered a cross entropy, where it has a row for every prediction; None elsewhere.
    """

    predictions: Values
    targets: Values
    raw: Values | None
    owners: NDArray[np.int64] | None
    all_rows: int
    loss: float | None
    weight: int
    crossed: Mapping[int, Values] = field(default_factory=dict[int, Values])
    scores: Values | None = None


@dataclass(frozen=True)
class Candidate:
    """A value that a metric would have, and how it comes about.

    Attributes:
        how: in words.
        value: over the whole validation.
        right: what the same metric is of all predictions, made as it should be.
        by_batch: of each batch; empty where it has none.
        mistake: the kind of it.
    """

    how: str
    value: float
    right: float
    by_batch: tuple[float, ...] = ()
    mistake: str = ""


def batches_of(evaluation: Evaluation, task: Task | None) -> tuple[Batch, ...] | None:
    """What every batch predicted; None where that is not known of some.

    What the step of training compares comes before what metrics of a validation are given, which may be decisions.
    """
    for seen in (evaluation.learned, evaluation.observations):
        found = [_batch(one, task) for one in seen]
        if found and not any(one is None for one in found):
            return tuple(one for one in found if one is not None)
    return None


def compares(observation: BatchObservation) -> bool:
    """Whether a step was seen to compare predictions with targets, by a loss of torch."""
    return any(LOSSES[call.name].paired for call in observation.losses)


def _batch(observation: BatchObservation, task: Task | None) -> Batch | None:
    if observation.compared and not compares(observation):
        return _subtracted(observation)
    outputs = read_outputs(observation, task, None)
    if outputs.predictions is None or outputs.targets is None:
        return None
    call = outputs.call
    raw = None
    if call is not None and call.name == "binary_cross_entropy_with_logits":
        same = call.prediction.numel() == outputs.predictions.numel()
        raw = _array(call.prediction.reshape(outputs.predictions.shape)) if same else None
    rows = len(outputs.targets)
    if call is not None and call.name in {"cross_entropy", "nll_loss"} and not call.target.is_floating_point():
        rows = call.target.numel()
    predictions, targets = _array(outputs.predictions), _array(outputs.targets)
    owners = None if outputs.example is None else outputs.example.cpu().numpy()
    crossed = {} if call is None else _crossed(call, len(outputs.targets))
    scores = None
    if call is not None and call.name == "cross_entropy" and tuple(call.prediction.shape) == predictions.shape:
        scores = _array(call.prediction)
    return Batch(predictions, targets, raw, owners, rows, outputs.loss, observation.weight, crossed, scores)


def _crossed(call: LossCall, rows: int) -> dict[int, Values]:
    """Classes chosen after a softmax over each axis that is not theirs."""
    scores, target = call.prediction, call.target
    if call.name not in {"cross_entropy", "nll_loss"} or scores.ndim != target.ndim + 1 or target.is_floating_point():
        return {}
    counted = target.reshape(-1) != call.options.get("ignore_index")
    chosen = {
        axis: scores.softmax(axis).argmax(1).reshape(-1)[counted]
        for axis in range(scores.ndim)
        if axis != 1 and scores.shape[axis] > 1
    }
    return {axis: _array(one) for axis, one in chosen.items() if len(one) == rows}


def _subtracted(observation: BatchObservation) -> Batch | None:
    """Predictions and targets of a loss that a step writes itself as a difference; None where it is made of several."""
    pairs = [
        one
        for one in observation.compared
        if not one.equal and one.target.is_floating_point() and one.target.shape[:1] == (observation.weight,)
    ]
    first = pairs[0] if pairs else None
    if first is None or any(not torch.equal(one.prediction, first.prediction) for one in pairs):
        return None
    predictions, targets = (_array(one) for one in (first.prediction, first.target))
    if predictions.shape[1:] == (1,):
        predictions, targets = predictions[:, 0], targets[:, 0]
    return Batch(predictions, targets, None, None, len(targets), total_loss(observation), observation.weight)


def _array(tensor: Tensor) -> Values:
    return tensor.detach().to(torch.float64).cpu().numpy()


def decided(batch: Batch) -> Values:
    """Decisions: (rows, labels) of 0 and 1 where a row may have several, else (rows,) the number of the class."""
    predictions = batch.predictions
    if batch.targets.ndim == 1 and predictions.ndim == 2 and predictions.shape[1] > 1:
        return predictions.argmax(1).astype(np.float64)
    return (predictions.reshape(batch.targets.shape) > 0.5).astype(np.float64)


def classes_of(batch: Batch) -> int:
    """How many classes or labels there are; a yes or no has two."""
    return batch.predictions.shape[1] if batch.predictions.ndim > 1 and batch.predictions.shape[1] > 1 else 2


def is_decision(batch: Batch) -> bool:
    """Whether targets are classes, or labels of which a row may have several, and predictions their probabilities."""
    predictions, targets = batch.predictions, batch.targets
    if not bool(((predictions >= 0) & (predictions <= 1)).all()) or not bool((targets == np.round(targets)).all()):
        return False
    if targets.ndim == 2:
        return predictions.shape == targets.shape and targets.shape[1] > 1 and bool(np.isin(targets, (0.0, 1.0)).all())
    return targets.ndim == 1 and bool(((targets >= 0) & (targets < classes_of(batch))).all())


def pooled(batches: Sequence[Batch]) -> Batch:
    """All batches as one; its loss is that of all examples."""
    firsts = np.cumsum([0, *(one.weight for one in batches)]).tolist()
    owners = [one.owners for one in batches]
    known = [each + first for each, first in zip(owners, firsts, strict=False) if each is not None]
    raws = [one.raw for one in batches if one.raw is not None]
    losses = [one.loss for one in batches if one.loss is not None]
    return Batch(
        predictions=np.concatenate([one.predictions for one in batches]),
        targets=np.concatenate([one.targets for one in batches]),
        raw=np.concatenate(raws) if len(raws) == len(batches) else None,
        owners=np.concatenate(known) if len(known) == len(batches) else None,
        all_rows=sum(one.all_rows for one in batches),
        loss=_average(losses, batches) if len(losses) == len(batches) else None,
        weight=sum(one.weight for one in batches),
    )


def _average(losses: Sequence[float], batches: Sequence[Batch]) -> float:
    return float(np.average(losses, weights=[one.weight for one in batches]))


def averages(by_batch: Sequence[float], batches: Sequence[Batch]) -> Iterator[tuple[str, float]]:
    """Values of batches, averaged, each counting once, and each by its examples; those that are NaN are left out."""
    values = np.asarray(by_batch, np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return
    yield ONCE, float(values[known].mean())
    weights = np.asarray([one.weight for one in batches], np.float64)
    yield BY_SIZE, float(np.average(values[known], weights=weights[known]))
