"""What a metric of a name may rightly be, and what common mistakes make of it, from the same predictions."""

from collections.abc import Callable, Sequence

import numpy as np

from art_training.probes.recomputed import (
    Batch,
    Candidate,
    Values,
    accuracies,
    accuracy,
    auroc,
    averages,
    decided,
    f1_scores,
    is_decision,
    mean_absolute,
    mean_squared,
    of_batches,
    pooled,
    r_squared,
    root_mean_squared,
)

_AT_HALF, _AT_ZERO = "logits cut at 0.5", "probabilities cut at 0"
_ONE_OUTPUT, _PAIRS = "the argmax of a single output", "all pairs of predictions and targets of a batch"
_IGNORED, _LAST = "positions that the loss ignores counted as wrong", "the last batch alone"
_BY_SIZE, _HARD = "right answers over batches times batch size", "a ranking of decisions, which have two values only"
REMEDIES = {
    _AT_HALF: "cut logits at 0, or take their sigmoid first",
    _AT_ZERO: "cut probabilities at 0.5",
    _ONE_OUTPUT: "cut the single output at its threshold (0 for a logit) in place of argmax",
    _PAIRS: "give predictions and targets one shape before they are compared",
    _IGNORED: "leave out the positions that the loss ignores",
    _LAST: "collect over the whole epoch, and set back only when it begins",
    _BY_SIZE: "divide by the number of rows that were counted",
    _HARD: "give the ranking metric probabilities or logits",
}
"""What to change, by the mistake."""


def right_values(family: str, batches: Sequence[Batch]) -> tuple[float, ...]:
    """The values that a metric of this name may rightly have."""
    predictions, targets = pooled(batches)
    if family == "loss":
        known = [one.loss for one in batches if one.loss is not None]
        weights = [[one.weight for one in batches], [len(one.targets) for one in batches]]
        return tuple(float(np.average(known, weights=by)) for by in weights) if len(known) == len(batches) else ()
    if family in {"accuracy", "f1", "auroc"}:
        if not all(map(is_decision, batches)):
            return ()
        several: dict[str, Callable[[Values, Values], tuple[float, ...]]] = {"accuracy": accuracies, "f1": f1_scores}
        return several[family](predictions, targets) if family in several else (auroc(predictions, targets),)
    if predictions.shape != targets.shape:  # an error of another head than the one whose predictions are known
        return ()
    single = {"mae": mean_absolute, "mse": mean_squared, "rmse": root_mean_squared, "r2": r_squared}
    return (single[family](predictions, targets),)


def of_each_batch(family: str, batches: Sequence[Batch]) -> list[Candidate]:
    """What means over batches make of a metric of this name."""
    metrics: dict[str, list[Callable[[Values, Values], float]]] = {
        "accuracy": [accuracy],
        "f1": [_f1(index) for index in range(4)],
        "auroc": [auroc],
        "mae": [mean_absolute],
        "mse": [mean_squared],
        "rmse": [root_mean_squared],
        "r2": [r_squared],
    }
    if family == "loss":
        known = [one.loss for one in batches if one.loss is not None]
        return of_batches(known, batches, weighed=False) if len(known) == len(batches) else []
    if family in {"accuracy", "f1", "auroc"} and not all(map(is_decision, batches)):
        return []
    weighed = family not in {"accuracy", "mae", "mse"}
    return [one for metric in metrics[family] for one in averages(batches, metric, weighed=weighed)]


def of_mistakes(family: str, batches: Sequence[Batch]) -> list[Candidate]:
    """What wrong decisions and wrong counts make of it."""
    if not all(map(is_decision, batches)):
        return []
    if family == "auroc":
        predictions, targets = pooled(batches)
        hard = decided(predictions)
        by_batch = [auroc(decided(one.predictions), one.targets) for one in batches]
        return [Candidate(_HARD, auroc(hard, targets)), *_named(_HARD, by_batch, batches)]
    if family != "accuracy":
        return []
    found: list[Candidate] = []
    right = [float((decided(one.predictions) == one.targets).sum()) for one in batches]
    if all(one.raw is not None for one in batches):
        found += _named(_AT_HALF, [_share((_raw(one) > 0.5) == one.targets) for one in batches], batches)
        found += _named(_AT_ZERO, [_share(one.targets == 1) for one in batches], batches)
    if all(one.predictions.ndim == 1 for one in batches):
        found += _named(_ONE_OUTPUT, [_share(one.targets == 0) for one in batches], batches)
        pairs = [_share(decided(one.predictions)[:, None] == one.targets[None, :]) for one in batches]
        found += _named(_PAIRS, pairs, batches)
        if all(one.raw is not None for one in batches):
            pairs = [_share((_raw(one) > 0)[:, None] == one.targets[None, :]) for one in batches]
            found += _named(_PAIRS, pairs, batches)
    every = sum(one.all_rows for one in batches)
    if every > sum(len(one.targets) for one in batches):
        found.append(Candidate(_IGNORED, sum(right) / every))
        found += _named(_IGNORED, [a / one.all_rows for a, one in zip(right, batches, strict=True)], batches)
    if len(batches) > 1:
        found.append(Candidate(_LAST, right[-1] / len(batches[-1].targets)))
        found.append(Candidate(_BY_SIZE, sum(right) / (len(batches) * len(batches[0].targets))))
    return found


def _named(how: str, by_batch: list[float], batches: Sequence[Batch]) -> list[Candidate]:
    return [Candidate(how, one.value, one.by_batch) for one in of_batches(by_batch, batches, weighed=True)]


def _share(right: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> float:
    return float(right.mean())


def _raw(batch: Batch) -> Values:
    assert batch.raw is not None
    return batch.raw


def _f1(index: int) -> Callable[[Values, Values], float]:
    return lambda predictions, targets: f1_scores(predictions, targets)[index]
