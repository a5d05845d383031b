"""Overfit one batch: a model that cannot learn a handful of examples by heart has a fault."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from art_training.checks import Check
from art_training.checks.bounds import Below
from art_training.checks.finite import NoNaN
from art_training.checks.losses import LossDecreases
from art_training.errors import ProjectError
from art_training.records import Outcome, Reading, Split
from art_training.setup.task import Task, TaskKind
from art_training.steps.bench import Bench
from art_training.steps.step import TRAINING_LENGTH, Step

_EPOCH = 20  # repetitions of the batch between two looks at the loss


@dataclass(frozen=True)
class OverfitOneBatch(Step):
    """Train on one fixed batch until its loss is nearly nothing, and evaluate on the same batch.

    Augmentation is off (the data's `plain()` form), the batch is the first of the training split, and what stops or
    chooses by validation (early stopping, checkpointing) is left out. The score is taken in evaluation mode, on the
    batch that was trained on.

    Attributes:
        max_steps: optimiser steps at most.
        target: the training loss at which it may stop early.
    """

    max_steps: int = 500
    target: float = 0.01
    unused_settings: ClassVar[frozenset[str]] = TRAINING_LENGTH

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_steps < 1:
            raise ProjectError(f"max_steps={self.max_steps} of step {self.name!r} must be at least 1")

    def run(self, bench: Bench) -> Outcome:
        result = bench.fit(plain=True, one_batch=_EPOCH, max_steps=self.max_steps, stop_below=self.target)
        artifacts = [bench.keep(result.last, name="last.ckpt", kind="checkpoint")] if result.last else []
        scored = bench.evaluate(Split.TRAIN, weights=result.last, plain=True, one_batch=True)
        loss = scored.scores.get("train/loss")
        return Outcome(
            scores=scored.scores,
            readings=(Reading("steps", result.steps, "optimiser steps"),),
            findings=(*result.findings, *scored.findings),
            parameters=result.parameters,
            artifacts=tuple(artifacts),
            seconds={"fit": result.seconds, "evaluate": scored.seconds},
            summary=f"loss {loss.value:.3g} on one batch after {result.steps} steps" if loss else "",
            stopped=result.stopped,
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        # Smoothed labels and regression noise have a floor above nothing; a class index can be learned by heart.
        smoothed = bool(task.loss_options.get("label_smoothing"))
        if task.kind in {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL, TaskKind.SEQUENCE} and not smoothed:
            return (Below("train/loss", 0.1), NoNaN())
        return (LossDecreases("train/loss", factor=0.5), NoNaN())

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss")
