"""Is a transfer worth it? The same setup trained from scratch and transferred, under the same seeds and with as many steps to take.

Callbacks of the user's, such as EarlyStopping, end trainings before. A transfer has each of them twice, fresh in each phase; so a
training from scratch that one ends goes on once more with fresh ones. And what ends a transfer early, which begins nearer to its
goal, does not shorten the training from scratch: it may take as many steps as both phases might have taken.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from art_training.checks.improves import GAIN
from art_training.engines import FitResult
from art_training.errors import ProjectError, SetupError
from art_training.records import Candidate, Metric, Outcome, Reading, Score, Split
from art_training.setup.scores.comparison import Comparison, compare
from art_training.setup.scores.examples import Examples
from art_training.steps.bench import Bench, Scored
from art_training.steps.regularization.trying import nth_seed
from art_training.steps.transfer.anew import from_scratch

SCRATCH = "from scratch"
BY_SEED = "gain by seed"
STEPS = "steps by seed"

_TRANSFERRED = "transferred"


@dataclass(frozen=True)
class Trained:
    """One side of a pair: one training after another, or only one.

    Attributes:
        weights: that the last one ended with.
        results: of each.
    """

    weights: Path
    results: tuple[FitResult, ...]

    @property
    def steps(self) -> int:
        """Optimiser steps that were taken in all."""
        return sum(result.steps for result in self.results)

    @property
    def seconds(self) -> float:
        """In all of its trainings."""
        return sum(result.seconds for result in self.results)

    @property
    def allowed(self) -> int | None:
        """As many steps as all of it might have taken; None: without end."""
        each = [steps_allowed(result) for result in self.results]
        return None if None in each else sum(filter(None, each))


@dataclass(frozen=True)
class Against:
    """How a transfer compares with training from scratch.

    Attributes:
        scores: `gain`, positive where the transfer is better.
        candidates: training from scratch, the means over seeds.
        readings: the gain under each seed, and the steps of both sides.
        seconds: in all of it.
        summary: as the end of a sentence.
    """

    scores: dict[str, Score]
    candidates: tuple[Candidate, ...]
    readings: tuple[Reading, ...]
    seconds: float
    summary: str


def check_seeds(seeds: Any, step: str, *, pretrained: bool) -> None:
    """Raise what can be told of `scratch_seeds=` without a setup.

    Raises:
        ProjectError: it is no number of seeds, or nobody knows what would be from scratch.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 0:
        raise ProjectError(f"scratch_seeds={seeds!r} of step {step!r} must be a whole number, 0 for no comparison")
    if seeds and not pretrained:
        raise ProjectError(
            f"scratch_seeds={seeds} of step {step!r} compares with training from scratch, and a model whose factory loads its "
            "weights never begins there; give pretrained=, and a factory that loads nothing"
        )


def require_validation(splits: Sequence[Split] | None, step: str) -> None:
    """Raise where there is nothing to compare on.

    Raises:
        SetupError: the data are known to have no validation split.
    """
    if splits is not None and Split.VALIDATION not in splits:
        raise SetupError(
            f"step {step!r} compares with training from scratch on validation, which the data do not have; "
            "give a val_dataloader, or art.data(validation=...)"
        )


def against_scratch(bench: Bench, metric: Metric, seeds: int, transfer: Callable[[int, str], Trained]) -> Against:
    """Transfer and train from scratch under each seed, and compare the pairs.

    Args:
        bench: whose setup makes models from scratch, without what an earlier transfer handed on.
        metric: that decides.
        seeds: how many.
        transfer: both phases under a seed, labelled so.

    Raises:
        SetupError: a training left no weights, or the score is not known.
    """
    pairs, ours, theirs = list[tuple[Trained, Trained]](), list[Scored](), list[Scored]()
    for number in range(1, seeds + 1):
        seed, label = nth_seed(bench.seed, number), f"seed {number}"
        transferred = transfer(seed, label)
        scratch = _trained_from_scratch(bench, transferred.allowed, seed, label)
        pairs.append((transferred, scratch))
        ours.append(_scored(bench, metric, transferred.weights, seed, label))
        theirs.append(_scored(bench, metric, scratch.weights, seed, label))
    comparison = _compared(bench, metric, ours, theirs)
    gain = _gain(comparison)
    taken = {
        _TRANSFERRED: [transferred.steps for transferred, _ in pairs],
        SCRATCH: [scratch.steps for _, scratch in pairs],
    }
    told = f"{metric} {comparison.ours:.4g} transferred, {comparison.theirs:.4g} {SCRATCH}, {_seeds(seeds)}"
    steps = _steps_told(taken)
    return Against(
        scores={} if gain is None else {GAIN: gain},
        candidates=(Candidate(SCRATCH, _means(theirs), note=f"{steps}, {_seeds(seeds)}"),),
        readings=(
            Reading(BY_SEED, list(comparison.by_seed), note=f"{metric}: positive where the transfer is better"),
            Reading(STEPS, taken, "optimiser steps", steps),
        ),
        seconds=sum(one.seconds for one in (*itertools.chain(*pairs), *ours, *theirs)),
        summary=told if _alike(taken) else f"{told}, {steps}",
    )


def _trained_from_scratch(bench: Bench, steps: int | None, seed: int, label: str) -> Trained:
    """A training from scratch of so many steps at most; where a callback ends it before, one more, as a transfer has."""
    setup, name = from_scratch(bench.setup), f"{SCRATCH}, {label}"
    first = bench.fit(setup, label=name, seed=seed, max_steps=steps)
    weights = weights_of(first, name)
    left = None if steps is None else steps - first.steps
    if left is not None and left < 1:
        return Trained(weights, (first,))
    name = f"{SCRATCH} again, {label}"
    second = bench.fit(setup, label=name, seed=seed, max_steps=left, start=weights)
    return Trained(weights_of(second, name), (first, second))


def steps_allowed(result: FitResult) -> int | None:
    """As many optimiser steps as a training might have taken, had nothing ended it early; None: without end.

    What its Trainer says in epochs is told in steps by those that it took an epoch. Of a Trainer that is not known, or
    that came to no end of an epoch, those count that it took.
    """
    trainer = result.parameters.get("trainer")
    if not isinstance(trainer, Mapping):
        return result.steps
    said = cast("Mapping[str, Any]", trainer)
    epochs, steps = (_limit(said.get(name)) for name in ("max_epochs", "max_steps"))
    limits = [] if steps is None else [steps]
    if epochs is not None:
        limits.append(math.ceil(result.steps * epochs / result.epochs) if result.epochs else result.steps)
    return max(result.steps, min(limits)) if limits else None


def _limit(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _alike(taken: Mapping[str, Sequence[int]]) -> bool:
    return taken[SCRATCH] == taken[_TRANSFERRED]


def _steps_told(taken: Mapping[str, Sequence[int]]) -> str:
    """How many steps a training from scratch has really taken, beside the transfer."""
    if _alike(taken):
        return "as many steps as both phases"
    theirs, ours = _range(taken[SCRATCH]), _range(taken[_TRANSFERRED])
    return f"in {theirs} steps where both phases took {ours}, each as the setup's own callbacks and limits ended it"


def _range(steps: Iterable[int]) -> str:
    each = sorted(set(steps))
    return f"{each[0]}" if len(each) == 1 else f"{each[0]} to {each[-1]}"


def with_scratch(outcome: Outcome, against: Against) -> dict[str, Any]:
    """What of an outcome is another one with the comparison."""
    return {
        "scores": {**outcome.scores, **against.scores},
        "candidates": (*outcome.candidates, *against.candidates),
        "readings": (*outcome.readings, *against.readings),
        "seconds": {**outcome.seconds, f"against {SCRATCH}": against.seconds},
        "summary": f"{outcome.summary}; {against.summary}",
    }


def weights_of(result: FitResult, label: str) -> Path:
    """The weights that a training ended with.

    Raises:
        SetupError: it left none, or came to no end of its own.
    """
    if result.last is None or result.stopped:
        raise SetupError(f"training {label!r} cannot be compared: {result.message or 'it left no weights'}")
    return result.last


def _scored(bench: Bench, metric: Metric, weights: Path, seed: int, label: str) -> Scored:
    scored = bench.evaluate(Split.VALIDATION, weights=weights, plain=True, seed=seed, keep=False)
    score = scored.scores.get(str(metric))
    if score is None or not math.isfinite(score.value):
        told = "is not known" if score is None else f"is {score.value}"
        raise SetupError(f"{metric} {told} under {label}, so that nothing can be compared by it; give another by=")
    return scored


def _compared(bench: Bench, metric: Metric, ours: Sequence[Scored], theirs: Sequence[Scored]) -> Comparison:
    def examples(side: Sequence[Scored]) -> list[Examples]:
        return [one.passes[Split.VALIDATION] for one in side]

    return compare(bench.metrics, metric.name, examples(ours), examples(theirs), seed=bench.seed)


def _gain(comparison: Comparison) -> Score | None:
    if math.isnan(comparison.value):
        return None
    p = "" if comparison.p_value is None else f"p {comparison.p_value:.3g}"
    told = "; ".join(filter(None, (p, comparison.note)))
    return Score(comparison.value, comparison.interval, comparison.examples, "maximize", "paired comparison", told)


def _means(sides: Sequence[Scored]) -> dict[str, Score]:
    first = sides[0].scores
    note = f"mean of {len(sides)} seeds; what compares is the interval of the difference"
    return {
        name: one
        if len(sides) == 1
        else Score(
            statistics.fmean(side.scores[name].value for side in sides), None, one.rows, one.direction, note=note
        )
        for name, one in first.items()
        if all(name in side.scores for side in sides)
    }


def _seeds(count: int) -> str:
    return "under one seed" if count == 1 else f"over {count} seeds"
