"""Predictions of a whole split, and their scores by the project's metrics and by the task's own loss."""

import math
from typing import TYPE_CHECKING

from art_training.records import Score
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.setup.scores.told_loss import told_loss
from art_training.setup.task import Task, TaskKind
from art_training.steps.delivering.predictions import Predictions

if TYPE_CHECKING:
    from torch import Tensor

MOST_NUMBERS = 30_000_000  # predicted numbers that are kept
_SMALLEST = 1e-7  # what was never seen has the probability 0 to some, whose logarithm is infinite


class Pooled:
    """Predictions and targets of one loader, batch by batch.

    Attributes:
        examples: how many there are.
        left_out: how many were too many to be kept.
        why_no_loss: why the task's loss of them is not known; empty where it is, and before they are scored.
    """

    def __init__(self, task: Task) -> None:
        self.examples = self.left_out = 0
        self.why_no_loss = ""
        self._task = task
        self._predictions: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._rows: list[Tensor] = []
        self._numbers = 0

    def add(self, prediction: "Tensor", target: "Tensor") -> None:
        """Take in a batch of one row an example.

        Raises:
            ValueError: the shapes do not belong together.
        """
        import torch

        from art_training.setup.scores.alignment import Raw, aligned

        count = len(target)
        if self._numbers + prediction.numel() > MOST_NUMBERS and self.examples:
            self.left_out += count
            return
        ignored = self._task.loss_options.get("ignore_index", -100)
        has_ignored = self._task.kind in {TaskKind.SEQUENCE, TaskKind.CLASSIFICATION}
        raw = Raw(prediction, target, "none", ignore_index=ignored if has_ignored else None)
        rows = aligned(raw, count)
        self._predictions.append(rows.predictions)
        self._targets.append(rows.targets)
        each = torch.ones(count, dtype=torch.long)
        self._rows.append(each if rows.example is None else torch.bincount(rows.example, minlength=count))
        self._numbers += prediction.numel()
        self.examples += count

    def scores(self, metrics: MetricCalculator, *, seed: int, source: str) -> dict[str, Score]:
        """Scores by name, the task's loss last where it can be told from predictions."""
        predictions, targets, rows = self._together()
        weight = None if bool((rows == 1).all()) else rows.tolist()
        scores = metrics.score(predictions, targets, task=self._task, rows_weight=weight, seed=seed, source=source)
        loss = loss_of(predictions, targets, rows, self._task, seed=seed)
        if isinstance(loss, Score):
            return {**scores, LOSS: loss}
        self.why_no_loss = loss
        return scores

    def predictions(self) -> Predictions:
        """All of them, for a comparison example by example."""
        import torch

        predictions, targets, rows = self._together()
        alone = bool((rows == 1).all())
        example = None if alone else torch.arange(len(rows)).repeat_interleave(rows)
        return Predictions(Pool(predictions, targets, example), self._task, len(rows))

    def _together(self) -> "tuple[Tensor, Tensor, Tensor]":
        """(rows, ...) predictions, (rows, ...) targets, and (examples,) rows of each example."""
        import torch

        return torch.cat(self._predictions), torch.cat(self._targets), torch.cat(self._rows)


def loss_of(predictions: "Tensor", targets: "Tensor", rows: "Tensor", task: Task, *, seed: int) -> Score | str:
    """The task's loss of probabilities or values, or why it is not known.

    Args:
        predictions: (rows, ...).
        targets: (rows, ...).
        rows: (examples,) rows of each example.
        task: says which loss, and with which options.
        seed: of the interval.
    """
    import torch

    from art_training.setup.scores.intervals import of_mean
    from art_training.setup.scores.losses import floor_of_mean

    told = told_loss(predictions, targets, task, smallest=_SMALLEST)
    found, value = told.terms, told.value
    note = "the task's loss alone, without what a step may add to it"
    if found is None:
        if math.isnan(value):
            return told.why_none
        note += f"; no interval: {told.why_none}"
        return Score(value, rows=len(rows), direction="minimize", source=task.loss, note=note)
    owner = torch.arange(len(rows)).repeat_interleave(rows)
    total = torch.zeros(len(rows), dtype=torch.double).index_add_(0, owner, found.total)
    weight = torch.zeros(len(rows), dtype=torch.double).index_add_(0, owner, found.weight)
    if task.loss_options.get("reduction") == "sum":  # told as a mean over examples
        weight = torch.ones_like(weight)
    estimated = of_mean(total.numpy(), weight.numpy(), seed=seed, floor=floor_of_mean(task.loss))
    mean = float(total.sum() / weight.sum())
    note = "; ".join(part for part in (note, estimated.note) if part)
    between = None if estimated.interval is None else estimated.interval.holding(mean)
    return Score(mean, between, len(rows), "minimize", task.loss, note)
