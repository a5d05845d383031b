"""A step: does work on a setup with the bench, and returns an outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from art_sample.check import Steady
from art_training.checks import Check
from art_training.errors import ProjectError
from art_training.records import Candidate, Outcome, Score, Split
from art_training.steps import Bench, Step


@dataclass(frozen=True)
class TrySeeds(Step):
    """Train briefly from several seeds, and compare what each reached.

    Attributes:
        seeds: how many.
        max_steps: optimiser steps of each training.
    """

    seeds: int = 3
    max_steps: int = 50

    purpose: ClassVar[str] = "How much of the score is the luck of the seed?"
    needs_splits: ClassVar[frozenset[Split]] = frozenset({Split.VALIDATION})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seeds < 2:
            raise ProjectError(f"seeds={self.seeds!r} of step {self.name!r} compares nothing; give 2 or more")

    def run(self, bench: Bench) -> Outcome:
        candidates = []
        for number in range(self.seeds):
            label, seed = f"seed {number}", bench.seed + number
            bench.say(label, number / self.seeds)
            fitted = bench.fit(max_steps=self.max_steps, label=label, seed=seed)
            scored = bench.evaluate(Split.VALIDATION, weights=fitted.last, keep=False)
            candidates.append(Candidate(label, scored.scores, {"seed": seed}))
        losses = [one.scores["validation/loss"].value for one in candidates if "validation/loss" in one.scores]
        varies = max(losses) - min(losses) if losses else float("nan")
        return Outcome(
            scores={"spread": Score(varies, direction="minimize")},
            candidates=tuple(candidates),
            summary=f"the loss of {self.seeds} seeds lies within {varies:.3g}",
        )

    def default_checks(self, task: Any, metrics: Sequence[str]) -> Sequence[Check]:
        return (Steady(),)

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return ("spread",)
