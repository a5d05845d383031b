"""How much each member of an ensemble counts, chosen on validation without believing what was chosen there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from art_training.setup.scores.calibration import FOLDS, Whole, folds_of
from art_training.steps.delivering.predictions import Predictions, averaged

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 40
_PATIENCE = 10  # rounds without a better mean, after which none is tried

Objective = Callable[[Predictions], float]
"""Predictions -> how bad they are; less is better."""


@dataclass(frozen=True)
class Tempering:
    """How means are made to say as much as they know before they are judged, where the result will be, too.

    A mean of probabilities says less than its members. Judged as it is, it loses against a member wherever members say
    too little already, though it knows more.

    Attributes:
        temperature: of predictions.
        apply: predictions at a temperature.
    """

    temperature: Callable[[Predictions], float]
    apply: Callable[[Predictions, float], Predictions]


@dataclass(frozen=True)
class Weighted:
    """An ensemble.

    Attributes:
        weights: of each member, on the whole split; they add up to one.
        predictions: averaged; where weights were chosen, each example by weights that were chosen without it.
        how: in words.
    """

    weights: tuple[float, ...]
    predictions: Predictions
    how: str


def equal(members: Sequence[Predictions]) -> Weighted:
    """Every member counts the same; nothing is chosen."""
    weights = (1 / len(members),) * len(members)
    return Weighted(weights, _mean(members, weights), "members count the same")


def greedy(
    members: Sequence[Predictions],
    objective: Objective,
    tempering: Tempering | None = None,
    *,
    seed: int,
    folds: int = FOLDS,
) -> Weighted:
    """Weights by forward selection with replacement, reported cross-fitted.

    Caruana, Niculescu-Mizil, Crew, Ksikes, Ensemble selection from libraries of models, ICML 2004: from an empty
    ensemble, the member whose addition makes the mean best is added again and again; a weight is how often it was. What
    is best on the examples that chose it is better there than elsewhere. So the examples are split in folds; the
    predictions of each fold are averaged by weights that the other folds chose, and these predictions are what is
    reported. The weights of the model itself are chosen on all folds.

    Args:
        members: predictions of the same examples.
        objective: less is better.
        tempering: applied to means before they are judged; its temperature follows as members are added.
        seed: of the folds.
        folds: how many.
    """
    first = members[0]
    if first.count < 2 * folds:
        few = equal(members)
        return Weighted(few.weights, few.predictions, f"{few.how}: {first.count} examples are too few to choose by")
    held_by = folds_of(first.count, seed=seed, folds=folds)
    rows = _fold_of_rows(first, held_by)
    result = first.pool.predictions.clone()
    for fold in range(folds):
        weights = _selected([one.part(rows != fold) for one in members], objective, tempering)
        held = rows == fold
        result[held] = averaged([one.pool.predictions[held] for one in members], weights)
    how = (
        f"weights by greedy forward selection on {folds} folds of the validation split; each example is predicted by "
        "weights that were chosen without it"
    )
    return Weighted(_selected(members, objective, tempering), first.saying(result), how)


def _selected(members: Sequence[Predictions], objective: Objective, tempering: Tempering | None) -> tuple[float, ...]:
    counts = [0] * len(members)
    total = members[0].pool.predictions.double() * 0
    best, chosen, better, temperature = float("inf"), counts, 0, 1.0
    for size in range(1, ROUNDS + 1):
        means = [one.saying((total + one.pool.predictions.double()) / size) for one in members]
        if tempering is not None:
            means = [tempering.apply(one, temperature) for one in means]
        tried = [objective(one) for one in means]
        at = min(range(len(members)), key=tried.__getitem__)
        counts[at] += 1
        total = total + members[at].pool.predictions.double()
        if tempering is not None:
            temperature = tempering.temperature(members[0].saying(total / size))
        if tried[at] < best:
            best, chosen, better = tried[at], list(counts), size
        elif size - better >= _PATIENCE:
            break
    drawn = sum(chosen)
    if not drawn:  # no mean has a finite loss
        return (1 / len(members),) * len(members)
    return tuple(count / drawn for count in chosen)


def _mean(members: Sequence[Predictions], weights: Sequence[float]) -> Predictions:
    return members[0].saying(averaged([one.pool.predictions for one in members], weights))


def _fold_of_rows(one: Predictions, fold: Whole) -> "Tensor":
    import torch

    by_example = torch.as_tensor(fold)
    return by_example if one.pool.example is None else by_example[one.pool.example]
