"""Whether whole-number targets have an order that the inputs know of, or are names of classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from art_training.probes.neighbours import NEIGHBOURS, features, nearest
from art_training.probes.rows import SplitRows

_MOST_ROWS = 2_000
_ORDERS = 1_000
_FEWEST_PAIRS = 30


@dataclass(frozen=True)
class Ordering:
    """What neighbours by the inputs say of targets that are whole numbers.

    Attributes:
        classes: how many different targets there are.
        voted: the share of rows whose target is the one that most neighbours have.
        averaged: the share whose target is the mean of the neighbours' targets, rounded.
        guess: the share that a guess by the frequencies gets right.
        nearer: the share of all orders of the classes in which neighbours with other targets lie nearer to each other than in
            the order of the numbers; 0 where that order is the best, a half where it is any.
        pairs: of neighbours with other targets, on which that was counted.
    """

    classes: int
    voted: float
    averaged: float
    guess: float
    nearer: float
    pairs: int


def ordering(rows: SplitRows) -> Ordering | None:
    """What the neighbours say; None where inputs are no numbers, or there are too few rows or neighbours that differ.

    Equal inputs are counted once; of many rows 2000 are drawn.
    """
    if rows.values is None or rows.labels is None or not np.isfinite(rows.values).all():
        return None
    count = min(len(rows.values), len(rows.labels))
    places = np.unique(rows.inputs[:count], return_index=True)[1]
    if len(places) > _MOST_ROWS:
        places = np.random.default_rng(0).choice(places, _MOST_ROWS, replace=False)
    targets = rows.labels[places].astype(np.int64)
    different, labels = np.unique(targets, return_inverse=True)
    classes = len(different)
    if classes < 3 or len(places) < max(10 * classes, 4 * NEIGHBOURS):
        return None
    table = features(rows.values[places], tokens=rows.integral and len(rows.shape) == 1)
    near = nearest(table, table)
    counts = np.zeros((len(labels), classes))
    np.add.at(counts, (np.repeat(np.arange(len(labels)), NEIGHBOURS), labels[near].ravel()), 1)
    pairs = np.zeros((classes, classes))
    np.add.at(pairs, labels, counts)
    np.fill_diagonal(pairs, 0)
    if pairs.sum() < _FEWEST_PAIRS:
        return None
    shares = np.bincount(labels) / len(labels)
    return Ordering(
        classes=classes,
        voted=float((counts.argmax(1) == labels).mean()),
        averaged=float((np.round(targets[near].mean(1)) == targets).mean()),
        guess=float((shares**2).sum()),
        nearer=_nearer(pairs, different),
        pairs=int(pairs.sum()),
    )


def _nearer(pairs: NDArray[np.float64], different: NDArray[np.int64]) -> float:
    apart = np.abs(np.subtract.outer(different, different)).astype(np.float64)
    found = float((pairs * apart).sum())
    generator = np.random.default_rng(0)
    others: list[float] = []
    for _ in range(_ORDERS):
        order = generator.permutation(len(different))
        others.append(float((pairs * apart[np.ix_(order, order)]).sum()))
    return float((np.asarray(others) < found * (1 - 1e-9)).mean())
