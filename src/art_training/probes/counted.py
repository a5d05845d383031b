"""Right and wrong decisions counted by example and class, and the rates that are made of the counts.

Every metric of decisions (accuracy, F1, Dice, overlap, precision, recall) is a ratio of such counts. They add up, so that one
table gives the metric of all predictions, of each batch and of each example.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Rate = Literal["accuracy", "f1", "iou", "precision", "recall", "specificity"]

_MOST_CELLS = 20_000_000
_MOST_TOP = 6
_WORDS: Mapping[Rate, str] = {
    "accuracy": "accuracy",
    "f1": "F1",
    "iou": "intersection over union",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
}
_NOTHING = {0.0: "", 1.0: ", where nothing in nothing is 1", float("nan"): ", without what is empty"}
"""What is made of nothing in nothing, in words."""


@dataclass(frozen=True)
class Counts:
    """What decisions came to.

    Attributes:
        cells: (groups, classes, 4) true positives, false positives, false negatives and true negatives; a group is an example,
            or the whole batch where an example is one decision.
        exact: (groups,) the share of examples of which every decision is right.
        by_example: whether a group is an example.
        exclusive: whether one class is chosen of several.
    """

    cells: Values
    exact: Values
    by_example: bool
    exclusive: bool

    def together(self) -> "Counts":
        """The same in one group."""
        return Counts(self.cells.sum(0, keepdims=True), self.exact.mean(keepdims=True), False, self.exclusive)


def counted(chosen: Values, targets: Values, classes: int, owners: NDArray[np.int64] | None) -> Counts | None:
    """Count decisions; soft ones count by their probabilities. None where there are too many classes.

    Args:
        chosen: (rows, classes) of 0 to 1, or (rows,) the number of the chosen class.
        targets: (rows, labels) of 0 and 1 where a row may have several, or (rows,) the number of the class.
        classes: how many there are.
        owners: (rows,) which example a row belongs to; None where it is one by itself.
    """
    if targets.ndim == 2:
        cells = np.stack(
            [chosen * targets, chosen * (1 - targets), (1 - chosen) * targets, (1 - chosen) * (1 - targets)], -1
        )
        return Counts(cells, (chosen == targets).all(1).astype(np.float64), True, exclusive=False)
    owner = np.zeros(len(targets), np.int64) if owners is None else owners
    groups = int(owner.max()) + 1 if len(owner) else 0
    if groups * classes * 4 > _MOST_CELLS or len(targets) * classes > 4 * _MOST_CELLS or not groups:
        return None
    truth = targets.astype(np.int64)
    if chosen.ndim == 1:
        choice = chosen.astype(np.int64)
        positive = _summed(owner, choice, None, groups, classes)
        right = _summed(owner, truth, (choice == truth).astype(np.float64), groups, classes)
    else:
        positive = np.stack([np.bincount(owner, chosen[:, one], groups) for one in range(classes)], 1)
        right = _summed(owner, truth, chosen[np.arange(len(truth)), truth], groups, classes)
    true = _summed(owner, truth, None, groups, classes)
    rows = np.bincount(owner, minlength=groups)[:, None]
    cells = np.stack([right, positive - right, true - right, rows - positive - true + right], -1)
    missed = cells[..., 2].sum(1) > 0
    exact = ~missed if owners is not None else np.asarray([1 - missed.mean()])
    return Counts(cells.astype(np.float64), exact.astype(np.float64), owners is not None, exclusive=True)


def rates(rate: Rate, counts: Counts) -> Iterator[tuple[str, Values]]:
    """What goes by the name of a rate, in words, with its value in each group; NaN where a group has none.

    Nothing in nothing is 0, 1 or left out, as authors of metrics have it; each is given.
    """
    words = _WORDS[rate]
    if rate == "accuracy":
        yield from _accuracies(counts)
        return
    above, below = _ratio(rate, counts.cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        yield from _averages(words, above, below, counts)
        if rate in {"f1", "iou"}:
            smooth = (above + 1) / (below + 1)
            yield f"macro {words} with 1 added above and below", smooth.mean(1)
            yield f"{words} of the last class with 1 added above and below", smooth[:, -1]


def _accuracies(counts: Counts) -> Iterator[tuple[str, Values]]:
    cells = counts.cells
    tp, fn, tn = cells[..., 0], cells[..., 2], cells[..., 3]
    with np.errstate(invalid="ignore", divide="ignore"):
        if counts.exclusive:
            yield "accuracy", tp.sum(1) / (tp + fn).sum(1)
            each, absent = tp / (tp + fn), cells[..., :3].sum(-1) == 0
            yield "macro accuracy", _filled(each, 0.0).mean(1)
            yield "macro accuracy of the classes that occur", _mean(np.where(absent, np.nan, _filled(each, 0.0)), 1)
            yield "macro accuracy, without what is empty", _mean(each, 1)
        else:
            yield "accuracy of labels", (tp + tn).sum(1) / cells.sum((1, 2))
            yield "accuracy of rows by their overlap", _filled(tp.sum(1) / cells[..., :3].sum((1, 2)), 1.0)
    if counts.by_example or not counts.exclusive:
        yield "share of examples of which all is right", counts.exact


def _ratio(rate: Rate, cells: Values) -> tuple[Values, Values]:
    tp, fp, fn, tn = np.moveaxis(cells, -1, 0)
    if rate == "f1":
        return 2 * tp, 2 * tp + fp + fn
    if rate == "iou":
        return tp, tp + fp + fn
    if rate == "precision":
        return tp, tp + fp
    return (tp, tp + fn) if rate == "recall" else (tn, tn + fp)


def _averages(words: str, above: Values, below: Values, counts: Counts) -> Iterator[tuple[str, Values]]:
    """Averages over classes of (groups, classes) ratios."""
    each = above / below
    micro = above.sum(1) / below.sum(1)
    absent = counts.cells[..., :3].sum(-1) == 0
    support = counts.cells[..., 0] + counts.cells[..., 2]
    for empty, told in _NOTHING.items():
        filled = _filled(each, empty)
        yield f"micro {words}{told}", _filled(micro, empty)
        yield f"macro {words}{told}", _mean(filled, 1)
        if each.shape[1] == 2:
            yield f"{words} of the last class{told}", filled[:, 1]
            yield f"{words} of the first class{told}", filled[:, 0]
        if np.isnan(empty):
            continue
        yield f"macro {words} of the classes that occur{told}", _mean(np.where(absent, np.nan, filled), 1)
        yield f"weighted {words}{told}", (filled * support).sum(1) / support.sum(1)
        if each.shape[1] > 2:
            yield f"macro {words} without the first class{told}", filled[:, 1:].mean(1)
            rest = above[:, 1:].sum(1) / below[:, 1:].sum(1)
            yield f"micro {words} without the first class{told}", _filled(rest, empty)


def by_class_and_example(rate: Rate, counts: Counts) -> float:
    """The mean over every class that occurs in an example, of all examples."""
    if rate == "accuracy":
        return float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        above, below = _ratio(rate, counts.cells)
        return float(_mean((above / below).reshape(1, -1), 1)[0])


def among_best(probabilities: Values, targets: Values) -> Iterator[tuple[str, float]]:
    """How often the right class is among the best few."""
    order = np.argsort(-probabilities, axis=1)[:, :_MOST_TOP]
    for k in range(2, order.shape[1]):
        yield f"accuracy among the best {k}", float((order[:, :k] == targets[:, None]).any(1).mean())


def _summed(
    owner: NDArray[np.int64], place: NDArray[np.int64], values: Values | None, groups: int, classes: int
) -> Values:
    """(groups, classes) sums of values, or of ones."""
    return np.bincount(owner * classes + place, values, groups * classes).reshape(groups, classes).astype(np.float64)


def _filled(values: Values, empty: float) -> Values:
    return np.where(np.isnan(values), empty, values)


def _mean(values: Values, axis: int) -> Values:
    """The mean of what is not NaN; NaN of nothing, without a warning."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis) / known.sum(axis)
