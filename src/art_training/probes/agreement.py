"""What neighbours by the inputs say of targets: within each split, and those of one split of the other's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from art_training.probes.neighbours import features, nearest
from art_training.probes.rows import SplitRows

_MOST_ROWS = 2_000
_FEWEST_ROWS = 40
_FURTHEST = 3


@dataclass(frozen=True)
class Told:
    """What neighbours say of the targets of some rows.

    Attributes:
        said: (rows,) the class that most neighbours have, as a number from 0; where targets are numbers, their mean.
        targets: (rows,) likewise.
        gain: how much of what chance leaves open they get right; of numbers, the correlation. 0 by chance, 1 at best.
        deviations: how far beyond chance that is, in standard deviations of it.
        classes: whether targets are classes.
    """

    said: NDArray[np.float64]
    targets: NDArray[np.float64]
    gain: float
    deviations: float
    classes: bool

    @property
    def share(self) -> float:
        """Of rows whose class is the one that neighbours have."""
        return float((self.said == self.targets).mean())

    @property
    def error(self) -> float:
        """The root of the mean square of what they are off; of classes the root of the share that is wrong."""
        wrong = (self.said != self.targets).astype(np.float64) if self.classes else self.said - self.targets
        return float(np.sqrt((wrong**2).mean()))

    @property
    def knows(self) -> bool:
        """Whether targets follow inputs beyond doubt: more than half of what there is to know, by eight deviations."""
        return self.gain > 0.5 and self.deviations > 8

    @property
    def nothing(self) -> bool:
        """Whether targets follow inputs no more than by chance."""
        return abs(self.gain) < 0.1 and abs(self.deviations) < 4


@dataclass(frozen=True)
class Agreement:
    """What neighbours say within training and validation, and from the one of the other.

    Attributes:
        train: of training rows, by other training rows.
        validation: of validation rows, by other validation rows.
        train_by_validation: of training rows, by validation rows.
        validation_by_train: of validation rows, by training rows.
        classes: the labels that numbers from 0 stand for; empty where targets are numbers.
        mingled: how many of the neighbours of validation rows, taken from both splits, are training rows, as a multiple of what it
            would be if rows had been divided at random; 1 where inputs of both are alike, 0 where they keep apart (Schilling,
            Multivariate two-sample tests based on nearest neighbors, JASA 1986).
    """

    train: Told
    validation: Told
    train_by_validation: Told
    validation_by_train: Told
    classes: NDArray[np.float64]
    mingled: float


def agreement(train: SplitRows, validation: SplitRows, *, classes: bool) -> Agreement | None:
    """What 15 neighbours say; None where inputs are no numbers of one shape, or there are few rows.

    Equal inputs are counted once; of many rows 2000 of each split are drawn. Features are standardised over both
    splits; of token sequences it is counts of tokens.

    Args:
        train: of the training split.
        validation: of the validation split.
        classes: whether targets are classes.
    """
    splits = [_drawn(one) for one in (train, validation)]
    if any(one is None for one in splits) or train.shape != validation.shape:
        return None
    (first, mine), (second, theirs) = (one for one in splits if one is not None)
    if first.shape[1] != second.shape[1]:
        return None
    known = np.empty(0)
    if classes:
        known, both = np.unique(np.concatenate([mine, theirs]), return_inverse=True)
        mine, theirs = both[: len(mine)].astype(np.float64), both[len(mine) :].astype(np.float64)
        if len(known) < 2 or len(mine) < 10 * len(known):
            return None
    together = features(np.concatenate([first, second]), tokens=train.integral and len(train.shape) == 1)
    a, b = together[: len(first)], together[len(first) :]
    return Agreement(
        train=_told(a, mine, a, mine, classes=classes),
        validation=_told(b, theirs, b, theirs, classes=classes),
        train_by_validation=_told(a, mine, b, theirs, classes=classes),
        validation_by_train=_told(b, theirs, a, mine, classes=classes),
        classes=known,
        mingled=_mingled(together, len(a)),
    )


def slip(rows: SplitRows, *, classes: bool) -> tuple[int, float]:
    """By how many rows, 3 at most, targets must be moved for neighbours to agree most, and their gain then."""
    drawn = _drawn(rows, whole=True)
    if drawn is None or rows.labels is None:
        return 0, 0.0
    values, targets = drawn
    if classes:
        targets = np.unique(targets, return_inverse=True)[1].astype(np.float64)
    table = features(values, tokens=rows.integral and len(rows.shape) == 1)
    near = nearest(table, table)
    best = 0, 0.0
    for rows_ in (one for one in range(-_FURTHEST, _FURTHEST + 1) if one):
        moved = np.roll(targets, rows_)
        gain, _ = _gain(_said(moved[near], classes=classes), moved, classes=classes)
        best = max(best, (rows_, gain), key=lambda one: one[1])
    return best


def _mingled(together: NDArray[np.float64], train: int) -> float:
    near = nearest(together, together)
    return float((near[train:] < train).mean() / (train / (len(together) - 1)))


def _drawn(rows: SplitRows, *, whole: bool = False) -> tuple[NDArray[np.float32], NDArray[np.float64]] | None:
    """Inputs and targets of some rows; with `whole` the first ones as they come, equal ones among them."""
    if rows.values is None or rows.labels is None:
        return None
    count = min(len(rows.values), len(rows.labels), len(rows.inputs))
    places = np.arange(min(count, _MOST_ROWS))
    if not whole:
        places = np.unique(rows.inputs[:count], return_index=True)[1]
        if len(places) > _MOST_ROWS:
            places = np.random.default_rng(0).choice(places, _MOST_ROWS, replace=False)
        places = np.sort(places)
    values, targets = rows.values[places], rows.labels[places].astype(np.float64)
    if len(places) < _FEWEST_ROWS or not np.isfinite(values).all() or not np.isfinite(targets).all():
        return None
    return values, targets


def _told(
    of: NDArray[np.float64],
    targets: NDArray[np.float64],
    among: NDArray[np.float64],
    theirs: NDArray[np.float64],
    *,
    classes: bool,
) -> Told:
    near = nearest(of, among)
    said = _said(theirs[near], classes=classes)
    gain, deviations = _gain(said, targets, classes=classes)
    return Told(said, targets, gain, deviations, classes)


def _said(targets: NDArray[np.float64], *, classes: bool) -> NDArray[np.float64]:
    """(rows, neighbours) targets -> (rows,): the class that most have, or the mean."""
    if not classes:
        return targets.mean(1)
    numbers = targets.astype(np.int64)
    counts = np.zeros((len(numbers), int(numbers.max()) + 1))
    np.add.at(counts, (np.repeat(np.arange(len(numbers)), numbers.shape[1]), numbers.ravel()), 1)
    counts += np.random.default_rng(0).random(counts.shape) * 1e-6  # ties fall by chance
    return counts.argmax(1).astype(np.float64)


def _gain(said: NDArray[np.float64], targets: NDArray[np.float64], *, classes: bool) -> tuple[float, float]:
    """As `Told.gain` and `Told.deviations`."""
    if not classes:
        if not said.std() > 0 or not targets.std() > 0:
            return 0.0, 0.0
        correlation = float(np.corrcoef(said, targets)[0, 1])
        return correlation, correlation * len(said) ** 0.5
    most = int(max(said.max(), targets.max())) + 1
    shares = [np.bincount(one.astype(np.int64), minlength=most) / len(one) for one in (said, targets)]
    chance = float((shares[0] * shares[1]).sum())
    if not 0 < chance < 1:
        return 0.0, 0.0
    over = float((said == targets).mean()) - chance
    return over / (1 - chance), over / (chance * (1 - chance) / len(said)) ** 0.5
