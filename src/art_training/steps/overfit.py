"""Overfit: a model that cannot fit its training data will not do well on any other."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from art_training.checks import Check
from art_training.checks.bounds import Equals
from art_training.checks.capacity import CapacityHelps
from art_training.checks.finite import NoNaN
from art_training.checks.losses import LossDecreases
from art_training.engines import FitResult
from art_training.errors import ProjectError
from art_training.records import Artifact, Outcome, Reading, Split
from art_training.records.counted import counted
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.steps.bench import Bench
from art_training.steps.looking_back import LooksBack
from art_training.steps.overfitting import learning_rate
from art_training.steps.overfitting.capacity import require_capacity, size_name, sizes, sweep
from art_training.steps.overfitting.learning_rate import RangeTest
from art_training.steps.overfitting.looking import Looking
from art_training.steps.overfitting.one_batch import ANY_ZERO
from art_training.steps.overfitting.repeats import (
    DIFFERING,
    LossTrace,
    Repetition,
    readings_of,
    repeat,
    require_repeats,
    scores_of,
)


@dataclass(frozen=True)
class Overfit(LooksBack):
    """Train on the whole training split, without augmentation where the data offers its `plain()` form.

    The scores are those of the weights at the end of training, not of the best checkpoint. The worst and the most
    confidently wrong examples of each split are named. Predictions of the first batches are looked at between epochs,
    which does not disturb the training: how those of a few examples move is kept as a table and a picture, and which
    examples are forgotten is counted. How often is a matter of `share`, counted in batches (see `Look`), so that it is the
    same in every run; a training of few batches has few looks or none, which the reading `looks` tells.

    Attributes:
        capacity: hyper-parameters of growing capacity, such as `[{"width": 16}, {"width": 64}]`; each is trained like the
            setup, and the training loss must not rise from one to a larger one.
        find_learning_rate: do a learning-rate range test on a fresh model first (Smith 2017), and suggest a rate. The
            training itself is not changed by it.
        use_found: train with the suggested rate, and hand it on to later steps; where none is found, a finding says so.
        repeats: trainings with the same seed; from 2 on, their weights must be bit-identical.
        dynamics: examples whose predictions are followed while it trains; 0: none.
        share: of the batches of training that looks at it may take; 1.0 looks after every epoch of all but the tiniest
            training, 0 never.
        examples: worst examples of each kind that are named; 0: no look back at the data.
        examples_seconds: the time to read their inputs again for pictures.
    """

    capacity: Sequence[Mapping[str, Any]] = ()
    find_learning_rate: bool = False
    use_found: bool = False
    repeats: int = 1
    dynamics: int = 16
    share: float = 0.01

    purpose: ClassVar[str] = "Is the model large enough to fit the training data, and better than the baselines?"
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.TRAIN, Split.VALIDATION})
    leaves_weights: ClassVar[bool | None] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "capacity", require_capacity(self.capacity, self.name))
        require_repeats(self.repeats, self.name)
        if self.use_found and not self.find_learning_rate:
            raise ProjectError(f"use_found=True of step {self.name!r} has no rate to use; add find_learning_rate=True")
        if self.dynamics < 0:
            raise ProjectError(f"dynamics={self.dynamics!r} of step {self.name!r} must not be negative; 0 is none")
        if not (math.isfinite(self.share) and self.share >= 0):
            raise ProjectError(
                f"share={self.share!r} of step {self.name!r} must be a number of at least 0: what looks at the training may "
                "take of it; 0 is none"
            )

    def run(self, bench: Bench) -> Outcome:
        sizes(bench, bench.setup, self.capacity)  # what is wrong with them is said before anything costs
        setup, found = self._with_rate(bench)
        looking = Looking(bench, self.dynamics, forgetting=self.examples > 0, share=self.share)
        trace = LossTrace()
        result = bench.fit(setup, plain=True, looks=looking.looks, stop=looking.stop(trace.see))
        looking.remember()
        kept = _checkpoints(bench, result)
        splits = [split for split in (Split.TRAIN, Split.VALIDATION) if split in bench.splits]
        scored = bench.evaluate(*splits, setup=setup, weights=result.last, plain=True)
        looked = self.look_back(bench, scored, setup=setup, weights=result.last, forgotten=looking.forgotten(result))
        seen, pictures = looking.results(result)
        repetitions = self._repeat(bench, setup, result, trace)
        candidates = sweep(bench, sizes(bench, setup, self.capacity), setup, result)
        shown = ", ".join(f"{name} {score.value:.4g}" for name, score in scored.scores.items())
        return Outcome(
            scores={**scored.scores, **scores_of(repetitions)},
            readings=(
                Reading("epochs", result.epochs, "epochs"),
                Reading("steps", result.steps, "optimiser steps"),
                Reading("logged", dict(result.logged), note="the last values that the module itself logged"),
                Reading("callbacks", dict(result.callbacks), note="the state that callbacks ended with"),
                *(learning_rate.told(found, bench.setup, used=self.use_found) if found else ()),
                *readings_of(repetitions),
                *seen,
                *looked.readings,
            ),
            findings=(
                *result.findings,
                *scored.findings,
                *(learning_rate.unused(found, bench.setup) if self.use_found else ()),
            ),
            candidates=candidates,
            parameters={**result.parameters, **self._used(found)},
            artifacts=(
                *kept,
                *(learning_rate.artifacts_of(bench, found) if found else ()),
                *pictures,
                *looked.artifacts,
            ),
            seconds={"fit": result.seconds, "evaluate": scored.seconds, "look back": looked.seconds},
            summary=f"after {counted(result.epochs, 'epoch')}: {shown}",
            stopped=result.stopped,
        )

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        falls = LossDecreases("train/loss", factor=1.0) if task.loss in ANY_ZERO else LossDecreases("train/loss")
        checks: list[Check] = [falls, NoNaN()]
        if self.capacity:
            checks.append(CapacityHelps())
        if self.repeats > 1:
            checks.append(Equals(DIFFERING, 0))
        return checks

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss", *((DIFFERING,) if self.repeats > 1 else ()))

    def keeps_parameters(self, setup: Setup) -> bool:
        return True

    def candidate_names(self) -> Sequence[str]:
        return tuple(map(size_name, self.capacity))

    def setups(self, setup: Setup) -> Iterable[tuple[str, Setup]]:
        for at, hparams in enumerate(self.capacity):
            yield f"capacity[{at}]", setup.but(hparams=hparams)

    def carry(self, setup: Setup, outcome: Outcome) -> Setup:
        """With the learning rate that was found, if it was used."""
        rate, name = outcome.parameters.get(learning_rate.USED), learning_rate.rate_name(setup)
        return setup if rate is None or name is None else setup.but(hparams={name: rate})

    def _with_rate(self, bench: Bench) -> tuple[Setup, RangeTest | None]:
        """The setup to train, and what the range test saw, if one was asked for."""
        if not self.find_learning_rate:
            return bench.setup, None
        name = learning_rate.require_rate(bench.setup, self.name) if self.use_found else ""
        bench.say("look for a learning rate")
        found = learning_rate.range_test(bench, bench.setup)
        if not self.use_found or found.suggestion is None:
            return bench.setup, found
        return bench.setup.but(hparams={name: found.suggestion}), found

    def _used(self, found: RangeTest | None) -> dict[str, float]:
        if found is None or not self.use_found or found.suggestion is None:
            return {}
        return {learning_rate.USED: found.suggestion}

    def _repeat(self, bench: Bench, setup: Setup, result: FitResult, trace: LossTrace) -> tuple[Repetition, ...]:
        def train(label: str, seen: LossTrace) -> FitResult:
            return bench.fit(setup, plain=True, label=label, stop=seen.see)

        return repeat(bench.engine, result, trace, self.repeats, train)


def _checkpoints(bench: Bench, result: FitResult) -> list[Artifact]:
    kept = (
        [bench.keep(result.last, name="last.ckpt", kind="checkpoint", note="weights at the end")] if result.last else []
    )
    if result.best is not None:
        kept.append(bench.keep(result.best, name="best.ckpt", kind="checkpoint", note="by the user's monitor"))
    return kept
