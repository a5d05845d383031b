"""Predictions of one split: of a model, or averaged over several; their losses and their scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from art_training.errors import SetupError
from art_training.records import Metric, Score, Split
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.setup.scores.told_loss import ToldLoss, told_loss
from art_training.setup.task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.setup.scores.outputs import Adapter

MOST_KEPT = 50_000_000  # predicted numbers of one model

NOTE = "the task's loss of the predictions alone, without what a step may add to it"


@dataclass(frozen=True)
class Predictions:
    """What was predicted for every example of a split.

    Attributes:
        pool: (rows, classes) probabilities, (rows,) or (rows, labels) probabilities of yes, or values; and targets.
        task: whose loss they have.
        count: examples.
    """

    pool: Pool
    task: Task
    count: int

    def saying(self, predictions: "Tensor") -> "Predictions":
        """The same targets, predicted otherwise."""
        return replace(self, pool=replace(self.pool, predictions=predictions))

    @cached_property
    def examples(self) -> Examples:
        """Example by example, with the losses where the task's loss follows from predictions."""
        import torch

        found = self._told.terms
        if found is None:
            return Examples(self.count, self.pool)
        totals, weights = found.total, found.weight
        if self.pool.example is not None:
            zeros = torch.zeros(self.count, dtype=torch.double)
            totals = zeros.index_add(0, self.pool.example, totals)
            weights = zeros.index_add(0, self.pool.example, weights)
        losses = torch.where(weights > 0, totals / weights.clamp_min(1e-300), torch.zeros_like(totals))
        return Examples(self.count, self.pool, losses.numpy(), weights.numpy())

    @property
    def why_no_loss(self) -> str:
        """Why the loss of each example is not known; empty where it is."""
        return self._told.why_none

    @cached_property
    def _told(self) -> ToldLoss:
        return told_loss(self.pool.predictions, self.pool.targets, self.task)

    def part(self, rows: "Tensor") -> "Predictions":
        """Some rows, their examples numbered anew.

        Args:
            rows: (rows,) which.
        """
        import torch

        pool, example, count = self.pool, None, int(rows.sum())
        if pool.example is not None:
            known, example = torch.unique(pool.example[rows], return_inverse=True)
            count = len(known)
        return Predictions(Pool(pool.predictions[rows], pool.targets[rows], example), self.task, count)

    def at(self, temperature: float) -> "Predictions":
        """With scores that are divided by a temperature."""
        import torch

        from art_training.setup.scores.calibration import tempered

        return self.saying(torch.from_numpy(tempered(self.pool.predictions.numpy(), temperature)))

    def scores(
        self, metrics: MetricCalculator, *, split: Split, seed: int, source: str, loader: str | None = None
    ) -> dict[str, Score]:
        """Scores by address, the task's loss among them where it follows from predictions."""
        import torch

        from art_training.setup.scores.intervals import of_mean

        rows = None
        if self.pool.example is not None:
            rows = torch.bincount(self.pool.example, minlength=self.count).tolist()
        found = metrics.score(
            self.pool.predictions, self.pool.targets, task=self.task, rows_weight=rows, seed=seed, source=source
        )
        losses, weights = self.examples.losses, self.examples.weights
        if losses is not None and weights is not None:
            totals = losses * weights
            estimated = of_mean(totals, weights, seed=seed)
            note = "; ".join(part for part in (NOTE, estimated.note) if part)
            value = float(totals.sum() / weights.sum())
            found[LOSS] = Score(value, estimated.interval, self.count, "minimize", source, note)
        return {str(Metric(name, split, loader)): score for name, score in found.items()}

    def loss(self) -> float:
        """The mean loss; NaN where it is not known."""
        losses, weights = self.examples.losses, self.examples.weights
        if losses is None or weights is None:
            return math.nan
        return float((losses * weights).sum() / weights.sum())


class Collector:
    """Shown every batch of a pass over one split, it keeps what was predicted."""

    def __init__(self, task: Task, adapter: "Adapter | None", who: str, split: Split = Split.VALIDATION) -> None:
        self._split = split
        self._task = task
        self._adapter = adapter
        self._who = who
        self._predictions: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._examples: list[Tensor] = []
        self._owned = False
        self._count = self._numbers = 0

    def see(self, observation: BatchObservation) -> None:
        """Take in a batch.

        Raises:
            SetupError: its predictions were not found, are decisions, or become too many to keep.
        """
        import torch

        from art_training.setup.scores.outputs import read_outputs

        found = read_outputs(observation, self._task, self._adapter)
        if found.predictions is None or found.targets is None:
            raise SetupError(f"{self._who} has no predictions that can be averaged: {found.source}")
        if not found.predictions.is_floating_point():
            raise SetupError(
                f"{self._who} predicts decisions ({found.predictions.dtype}), which have no average; give "
                "Setup(outputs=...) that returns probabilities or scores"
            )
        self._numbers += found.predictions.numel()
        if self._numbers > MOST_KEPT:
            raise SetupError(
                f"{self._who} predicts more than {MOST_KEPT:,} numbers for the {self._split.value} split, which are too many "
                f"to keep for each member; give a smaller {self._split.value} split"
            )
        self._owned = self._owned or found.example is not None
        number = torch.arange(len(found.targets)) if found.example is None else found.example.cpu()
        self._examples.append(number + self._count)
        self._count += observation.weight if found.example is not None else len(found.targets)
        self._predictions.append(found.predictions.cpu())
        self._targets.append(found.targets.cpu())

    def predictions(self) -> Predictions:
        """All of them.

        Raises:
            SetupError: there were none.
        """
        import torch

        if not self._count:
            raise SetupError(f"{self._who} predicted nothing: the {self._split.value} split is empty")
        example = torch.cat(self._examples) if self._owned else None
        pool = Pool(torch.cat(self._predictions), torch.cat(self._targets), example)
        return Predictions(pool, self._task, self._count)


def averaged(members: Sequence["Tensor"], weights: Sequence[float]) -> "Tensor":
    """The weighted mean of predictions; one more tensor of their size is made."""
    import torch

    total = torch.zeros_like(members[0])
    for member, weight in zip(members, weights, strict=True):
        if weight:
            total += weight * member
    return total
