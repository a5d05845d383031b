"""Trials, one after the other, until the budget is spent."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from art_training.errors import ARTError, Interrupted, ProjectError, SetupError, StoreError
from art_training.records import Direction, Metric, Score, Split
from art_training.steps.bench import Bench
from art_training.steps.searching.budget import Budget
from art_training.steps.searching.watching import LOSS_CURVE, Progress, Watcher, choose
from art_training.tuning.study import Asked, Search
from art_training.tuning.trial import Trial

_PROGRESS = "trial in progress"


@dataclass(frozen=True)
class Tried:
    """What came of the trials.

    Attributes:
        trials: in order.
        ended: why there are no more, in words.
    """

    trials: tuple[Trial, ...]
    ended: str


@dataclass
class Trying:
    """Makes the trials of a search; each is remembered as soon as it has ended.

    Attributes:
        bench: what it works with.
        search: proposes.
        metric: what the search goes by.
        direction: which way of it is better.
        budget: what trials may cost.
        top: weights of so many of the best trials are kept; those of others are deleted as soon as they have lost.
    """

    bench: Bench
    search: Search
    metric: Metric
    direction: Direction
    budget: Budget
    top: int

    def run(self) -> Tried:
        """Make the trials that are still to be made."""
        trials = self._remembered()
        self._discard_losers(trials, trials)
        while not (ended := self.budget.spent(trials)):
            self.bench.say(f"trial {len(trials)}", self.budget.share(trials))
            asked = self._search(trials).ask(trials)
            if asked is None:
                ended = f"all {len(trials)} points of the space were tried"
                break
            trial = self._one(asked, trials)
            self.bench.remember(trial.label, trial.stored())
            trials.append(trial)
            self._discard_losers(trials, [trial, *best(trials, self.direction)[: self.top + 1]])
        return Tried(tuple(trials), ended)

    def _remembered(self) -> list[Trial]:
        """Trials of an execution that was broken off, or that was asked for less; no more than the budget allows."""
        trials: list[Trial] = []
        while not self.budget.spent(trials):
            stored = self.bench.recall(f"trial {len(trials)}")
            if not isinstance(stored, dict):
                break
            trials.append(Trial.parse(stored))
        return trials

    def _search(self, trials: Sequence[Trial]) -> Search:
        """The search with what the first trial showed: which curve there is, and over how many epochs."""
        first = _first_watched(trials)
        if first is None:
            return replace(self.search, pruning=None)
        by_loss = first.watched == LOSS_CURVE and self.direction == "maximize"
        return replace(self.search, epochs=first.planned, sign=-1 if by_loss else 1)

    def _one(self, asked: Asked, trials: Sequence[Trial]) -> Trial:
        first = _first_watched(trials)
        progress = Progress.parse(self.bench.recall(_PROGRESS), asked.number)
        before, began = progress.seconds, time.monotonic()

        def remember(progress: Progress) -> None:
            progress.seconds = before + time.monotonic() - began
            self.bench.remember(_PROGRESS, progress.stored())

        watcher = Watcher(asked, progress, self.metric, "" if first is None else first.watched, remember)
        trial = self._tried(asked, watcher)
        watched = watcher.watched or choose(progress, self.metric)
        return replace(
            trial,
            watched=watched,
            curve=progress.curves.get(watched, {}),
            planned=progress.planned,
            seconds=before + time.monotonic() - began,
            attributes=asked.attributes,
        )

    def _tried(self, asked: Asked, watcher: Watcher) -> Trial:
        trial = Trial(asked.number, "failed", asked.point)
        progress = watcher.progress
        try:
            setup = self.search.space.apply(self.bench.setup, asked.point)
            if progress.pruned is None:
                result = self.bench.fit(setup, label=trial.label, stop=watcher)
                if progress.pruned is None:
                    epochs = max(result.epochs, progress.epochs)
                    if result.stopped:
                        return replace(trial, epochs=epochs, note=result.message)
                    scored = self.bench.evaluate(Split.VALIDATION, setup=setup, weights=result.last, keep=False)
                    trial = replace(trial, epochs=epochs, weights=_noted(self.bench, result.last))
                    return self._judged(trial, scored.scores)
            return replace(trial, state="pruned", epochs=progress.pruned + 1, note=watcher.why)
        except (Interrupted, StoreError, ProjectError):  # not the trial's: the user stopped it, or it cannot be kept
            raise
        except Exception as error:  # noqa: BLE001  A trial's code is the user's; whatever it raises is its own result.
            return replace(trial, epochs=progress.epochs, note=sentence(error))

    def _judged(self, trial: Trial, scores: Mapping[str, Score]) -> Trial:
        value = _value(scores, self.metric)
        if not math.isfinite(value):
            return replace(trial, scores=scores, note=f"its {self.metric} is {value:g}")
        return replace(trial, state="finished", value=value, scores=scores)

    def _discard_losers(self, trials: Sequence[Trial], of: Sequence[Trial]) -> None:
        kept = {trial.number for trial in best(trials, self.direction)[: self.top]}
        for trial in of:
            if trial.number not in kept:
                self.bench.discard(trial.label)


def best(trials: Sequence[Trial], direction: Direction) -> list[Trial]:
    """Finished trials, best first; of equal ones the earlier."""
    finished = [trial for trial in trials if trial.state == "finished" and trial.value is not None]
    sign = -1 if direction == "maximize" else 1
    return sorted(finished, key=lambda trial: sign * (trial.value or 0.0))


def sentence(error: BaseException) -> str:
    """An error in one line; one of ART's own is a sentence as it is."""
    lines = str(error).strip().splitlines() or ["it said nothing"]
    return lines[0] if isinstance(error, ARTError) else f"{type(error).__name__}: {lines[0]}"


def weights_of(bench: Bench, trial: Trial) -> Path | None:
    """The file that a trial ended with; None where there is none any more."""
    path = bench.folder.parent / trial.weights
    return path if trial.weights and path.is_file() else None


def _noted(bench: Bench, weights: Path | None) -> str:
    """Where a file lies, as seen from the folder in which all executions of a project write: the store may be moved."""
    return "" if weights is None else os.path.relpath(weights, bench.folder.parent)


def _first_watched(trials: Sequence[Trial]) -> Trial | None:
    return next((trial for trial in trials if trial.watched), None)


def _value(scores: Mapping[str, Score], metric: Metric) -> float:
    score = scores.get(str(metric))
    if score is None:
        raise SetupError(f"there is no {metric}; an evaluation of a trial gave: {', '.join(scores) or 'nothing'}")
    return score.value
