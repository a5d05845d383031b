"""Predictions of a whole split, and their scores by the project's metrics and by the task's own loss."""

from typing import TYPE_CHECKING, Any

from art_training.records import Score
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.setup.task import Task, TaskKind
from art_training.steps.delivering.predictions import Predictions

if TYPE_CHECKING:
    from torch import Tensor

MOST_NUMBERS = 30_000_000  # predicted numbers that are kept
_SMALLEST = 1e-7  # probabilities are kept away from 0 and 1, whose logarithms are infinite
_LOGARITHM = {"cross_entropy", "nll_loss"}
_VALUES = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}


class Pooled:
    """Predictions and targets of one loader, batch by batch.

    Attributes:
        examples: how many there are.
        left_out: how many were too many to be kept.
    """

    def __init__(self, task: Task) -> None:
        self.examples = self.left_out = 0
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
        return scores if loss is None else {**scores, LOSS: loss}

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


def loss_of(predictions: "Tensor", targets: "Tensor", rows: "Tensor", task: Task, *, seed: int) -> Score | None:
    """The task's loss of probabilities or values.

    Args:
        predictions: (rows, ...).
        targets: (rows, ...).
        rows: (examples,) rows of each example.
        task: says which loss, and with which options.
        seed: of the interval.

    Returns:
        None where the task's loss is not known, or does not follow from predictions alone.
    """
    import torch

    from art_training.setup.observation import LossCall
    from art_training.setup.scores.intervals import of_mean
    from art_training.setup.scores.losses import floor_of_mean, terms

    native = _native(predictions, task)
    if native is None:
        return None
    options = {
        name: torch.tensor(value) if isinstance(value, list) else value for name, value in task.loss_options.items()
    }
    options.pop("reduction", None)
    target = targets if task.loss in _LOGARITHM and not targets.is_floating_point() else targets.float()
    try:
        value = getattr(torch.nn.functional, task.loss)(native, target, **options)
    except (RuntimeError, TypeError, ValueError):  # options or shapes that only the user's own model fits
        return None
    found = terms(LossCall(task.loss, native, target, options, value))
    note = "the task's loss alone, without what a step may add to it"
    if found is None:
        return Score(float(value), rows=len(rows), direction="minimize", source=task.loss, note=note)
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


def _native(predictions: "Tensor", task: Task) -> Any:
    """Predictions as the task's loss takes them; None where they cannot be made so."""
    if not predictions.is_floating_point():
        return None
    if task.loss in _LOGARITHM:
        return predictions.clamp_min(_SMALLEST).log()
    if task.loss == "binary_cross_entropy":
        return predictions.clamp(_SMALLEST, 1 - _SMALLEST)
    if task.loss == "binary_cross_entropy_with_logits":
        return predictions.clamp(_SMALLEST, 1 - _SMALLEST).logit()
    return predictions if task.loss in _VALUES else None
