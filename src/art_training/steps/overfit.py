"""Overfit: a model that cannot fit its training data will not do well on any other."""

from collections.abc import Sequence
from dataclasses import dataclass

from art_training.checks import Check
from art_training.checks.finite import NoNaN
from art_training.checks.losses import LossDecreases
from art_training.records import Outcome, Reading, Split
from art_training.setup.task import Task
from art_training.steps.bench import Bench
from art_training.steps.step import Step


@dataclass(frozen=True)
class Overfit(Step):
    """Train on the whole training split, without augmentation where the data offers its `plain()` form.

    The scores are those of the weights at the end of training, not of the best checkpoint.
    """

    def run(self, bench: Bench) -> Outcome:
        result = bench.fit(plain=True)
        artifacts = (
            [bench.keep(result.last, name="last.ckpt", kind="checkpoint", note="weights at the end")]
            if (result.last)
            else []
        )
        if result.best is not None:
            artifacts.append(bench.keep(result.best, name="best.ckpt", kind="checkpoint", note="by the user's monitor"))
        splits = [split for split in (Split.TRAIN, Split.VALIDATION) if split in bench.splits]
        scored = bench.evaluate(*splits, weights=result.last, plain=True)
        shown = ", ".join(f"{name} {score.value:.4g}" for name, score in scored.scores.items())
        return Outcome(
            scores=scored.scores,
            readings=(
                Reading("epochs", result.epochs, "epochs"),
                Reading("steps", result.steps, "optimiser steps"),
                Reading("logged", dict(result.logged), note="the last values that the module itself logged"),
                Reading("callbacks", dict(result.callbacks), note="the state that callbacks ended with"),
            ),
            findings=(*result.findings, *scored.findings),
            parameters=result.parameters,
            artifacts=tuple(artifacts),
            seconds={"fit": result.seconds, "evaluate": scored.seconds},
            summary=f"after {result.epochs} epochs: {shown}",
            stopped=result.stopped,
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (LossDecreases("train/loss"), NoNaN())

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss")
