"""The score on test in parts: class by class, slice by slice, and how far it is from validation."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from art_training.records import Interval, Metric, Score, Split
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.setup.task import Task, TaskKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from art_training.setup.scores.measures import Pool

RECALL = "class_recall"
PRECISION = "class_precision"
GAP = "validation_gap"
MOST_CLASSES = 100  # that are scores of their own; the table holds all
_LABELLED = {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL, TaskKind.SEQUENCE}


@dataclass(frozen=True)
class ClassScores:
    """What is reached on one class.

    Attributes:
        label: its number.
        support: test rows (positions of sequences) that are of it.
        recall: the share of these that were recognised; None where there are none.
        precision: the share of the rows called so that are of it; None where there are none.
    """

    label: int
    support: int
    recall: Score | None
    precision: Score | None


def class_scores(examples: Examples, task: Task) -> list[ClassScores]:
    """Recall and precision of each class or label, with intervals; empty for tasks without classes.

    Rows that are examples get Wilson's interval. Positions of a sequence are not independent of each other: there it has
    as many trials as would vary as the examples do.
    """
    if task.kind not in _LABELLED or examples.pool is None:
        return []
    found = _decisions(examples.pool)
    if found is None:
        return []
    called, true = found  # (rows, classes) each
    owner = None if examples.pool.example is None else examples.pool.example.numpy()
    scores: list[ClassScores] = []
    for label in range(true.shape[1]):
        hit = called[:, label] & true[:, label]
        recall = _share(hit, true[:, label], owner, examples.count)
        precision = _share(hit, called[:, label], owner, examples.count)
        scores.append(ClassScores(label, int(true[:, label].sum()), recall, precision))
    return scores


def as_scores(classes: list[ClassScores]) -> dict[str, Score]:
    """By address, `test/class_recall.3`; none where there are more classes than a person reads."""
    if len(classes) > MOST_CLASSES:
        return {}
    named = [(f"{RECALL}.{one.label}", one.recall) for one in classes]
    named += [(f"{PRECISION}.{one.label}", one.precision) for one in classes]
    return {str(Metric(name, Split.TEST)): score for name, score in named if score is not None}


def write_table(classes: list[ClassScores], path: Path) -> Path:
    """All classes as a CSV file, the worst recognised first."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "support", *(f"{name}{end}" for name in ("recall", "precision") for end in _ENDS)])
        for one in sorted(classes, key=lambda one: (one.recall is None, one.recall.value if one.recall else 0.0)):
            writer.writerow([one.label, one.support, *_cells(one.recall), *_cells(one.precision)])
    return path


def slice_scores(
    examples: Examples, masks: "Mapping[str, NDArray[Any]]", metrics: MetricCalculator, task: Task, *, seed: int
) -> dict[str, Score]:
    """Loss and metrics of the examples of each slice, by address: `test:dark/accuracy`."""
    scores: dict[str, Score] = {}
    for name, mask in masks.items():
        found = _pool_scores(examples, mask, metrics, task, seed=seed, name=name)
        loss = _loss(examples, mask, task, seed=seed, name=name)
        scores |= {
            str(Metric(metric, Split.TEST, name)): score
            for metric, score in {**({} if loss is None else {LOSS: loss}), **found}.items()
        }
    return scores


def gaps(scores: Mapping[str, Score]) -> dict[str, Score]:
    """How much worse each score is on test than on validation, by address: `test/validation_gap.accuracy`.

    The two splits are independent, so that the limits of the difference follow from those of both scores (Zou and Donner,
    Construction of confidence limits about effect measures, Statistics in Medicine 27, 2008, equation 7).
    """
    found: dict[str, Score] = {}
    for text, test in scores.items():
        at = Metric.parse(text)
        validation = scores.get(str(replace(at, split=Split.VALIDATION)))
        if at.split is not Split.TEST or at.loader is not None or validation is None or test.direction is None:
            continue
        worse, better = (test, validation) if test.direction == "minimize" else (validation, test)
        found[str(Metric(f"{GAP}.{at.name}", Split.TEST))] = Score(
            worse.value - better.value,
            _difference(worse, better),
            test.rows,
            "minimize",
            note="how much worse than on validation; below zero it is better",
        )
    return found


def _decisions(pool: "Pool") -> "tuple[NDArray[Any], NDArray[Any]] | None":
    """Which classes each row was called, and which it is: (rows, classes) of truth values; None where it has neither."""
    import numpy as np

    predicted, target = pool.predictions.numpy(), pool.targets.numpy()
    if predicted.ndim == target.ndim == 2 and predicted.shape == target.shape:
        return predicted > 0.5, target > 0.5
    if target.ndim != 1 or predicted.ndim not in {1, 2}:
        return None
    if predicted.ndim == 2:
        labels, classes = predicted.argmax(1), predicted.shape[1]
    else:
        labels, classes = (predicted > 0.5 if predicted.dtype.kind == "f" else predicted).astype(int), 2
    kinds = np.arange(max(classes, int(target.max(initial=0)) + 1, int(labels.max(initial=0)) + 1))
    return labels[:, None] == kinds, target.astype(int)[:, None] == kinds


def _share(hit: "NDArray[Any]", of: "NDArray[Any]", owner: "NDArray[Any] | None", examples: int) -> Score | None:
    import numpy as np

    from art_training.setup.scores.intervals import of_share, wilson

    rows = int(of.sum())
    if rows == 0:
        return None
    value = float(hit.sum() / rows)
    if owner is None:
        return Score(value, wilson(value, rows), rows, "maximize")
    totals = np.bincount(owner, weights=hit, minlength=examples).astype(np.float64)
    weights = np.bincount(owner, weights=of, minlength=examples).astype(np.float64)
    estimated = of_share(totals, weights)
    return Score(value, estimated.interval, rows, "maximize", note=estimated.note)


def _pool_scores(
    examples: Examples, mask: "NDArray[Any]", metrics: MetricCalculator, task: Task, *, seed: int, name: str
) -> dict[str, Score]:
    import torch

    pool = examples.pool
    if pool is None or not metrics.names:
        return {}
    chosen = torch.from_numpy(mask)
    rows = chosen if pool.example is None else chosen[pool.example]
    counts = None
    if pool.example is not None:
        counts = torch.bincount(pool.example, minlength=examples.count)[chosen].tolist()
    return metrics.score(
        pool.predictions[rows],
        pool.targets[rows],
        task=task,
        rows_weight=counts,
        seed=seed,
        source=f"slice {name}",
    )


def _loss(examples: Examples, mask: "NDArray[Any]", task: Task, *, seed: int, name: str) -> Score | None:
    from art_training.setup.scores.intervals import of_mean
    from art_training.setup.scores.losses import floor_of_mean

    if examples.losses is None or examples.weights is None:
        return None
    weights = examples.weights[mask]
    if not weights.sum() > 0:
        return None
    totals = examples.losses[mask] * weights
    estimated = of_mean(totals, weights, seed=seed, floor=floor_of_mean(task.loss))
    note = "; ".join(filter(None, ("of the call of the loss alone", estimated.note)))
    value = float(totals.sum() / weights.sum())
    return Score(value, estimated.interval, int(mask.sum()), "minimize", f"slice {name}", note)


def _difference(first: Score, second: Score) -> Interval | None:
    """The interval of first - second, from the intervals of two independent estimates."""
    if first.interval is None or second.interval is None or first.interval.level != second.interval.level:
        return None
    value = first.value - second.value
    below = math.hypot(first.value - first.interval.low, second.interval.high - second.value)
    above = math.hypot(first.interval.high - first.value, second.value - second.interval.low)
    return Interval(value - below, value + above, first.interval.level, "from both intervals, as of independent scores")


_ENDS = ("", "_low", "_high")


def _cells(score: Score | None) -> list[float | str]:
    if score is None:
        return ["", "", ""]
    between = score.interval
    return [score.value, between.low if between else "", between.high if between else ""]
