"""Is a transfer worth it? The same setup trained from scratch and transferred, under the same seeds and for as many steps."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from art_training.checks.improves import GAIN
from art_training.engines import FitResult
from art_training.errors import ProjectError, SetupError
from art_training.records import Candidate, Metric, Outcome, Reading, Score, Split
from art_training.setup.scores.comparison import Comparison, compare
from art_training.setup.scores.examples import Examples
from art_training.steps.bench import Bench, Scored
from art_training.steps.regularization.trying import nth_seed

SCRATCH = "from scratch"
BY_SEED = "gain by seed"


@dataclass(frozen=True)
class Transferred:
    """A transfer under one seed.

    Attributes:
        weights: that it ended with.
        steps: of both phases.
        seconds: in training.
    """

    weights: Path
    steps: int
    seconds: float


@dataclass(frozen=True)
class Against:
    """How a transfer compares with training from scratch.

    Attributes:
        scores: `gain`, positive where the transfer is better.
        candidates: training from scratch, the means over seeds.
        readings: the gain under each seed.
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


def against_scratch(bench: Bench, metric: Metric, seeds: int, transfer: Callable[[int, str], Transferred]) -> Against:
    """Transfer and train from scratch under each seed, and compare the pairs.

    Args:
        bench: whose setup makes models from scratch.
        metric: that decides.
        seeds: how many.
        transfer: both phases under a seed, labelled so.

    Raises:
        SetupError: a training left no weights, or the score is not known.
    """
    ours, theirs = list[Scored](), list[Scored]()
    seconds = 0.0
    for number in range(1, seeds + 1):
        seed, label = nth_seed(bench.seed, number), f"seed {number}"
        transferred = transfer(seed, label)
        result = bench.fit(label=f"{SCRATCH}, {label}", seed=seed, max_steps=transferred.steps)
        ours.append(_scored(bench, metric, transferred.weights, seed, label))
        theirs.append(_scored(bench, metric, weights_of(result, f"{SCRATCH}, {label}"), seed, label))
        seconds += transferred.seconds + result.seconds
    comparison = _compared(bench, metric, ours, theirs)
    gain = _gain(comparison)
    told = f"{metric} {comparison.ours:.4g} transferred, {comparison.theirs:.4g} {SCRATCH}, {_seeds(seeds)}"
    scores = {} if gain is None else {GAIN: gain}
    return Against(
        scores=scores,
        candidates=(Candidate(SCRATCH, _means(theirs), note=f"as many steps as both phases, {_seeds(seeds)}"),),
        readings=(Reading(BY_SEED, list(comparison.by_seed), note=f"{metric}: positive where the transfer is better"),),
        seconds=seconds + sum(one.seconds for one in (*ours, *theirs)),
        summary=told,
    )


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
