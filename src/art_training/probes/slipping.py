"""Whether targets stand some rows away from the inputs that they belong to, told by what inputs say of them there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from art_training.probes.neighbours import features
from art_training.probes.rows import SplitRows

_FURTHEST = 3
_SHIFTS = tuple(range(-_FURTHEST, _FURTHEST + 1))
_MOST_ROWS = 1_000
_FEWEST_ROWS = 60
_FOLDS = 5
_RIDGE = 1.0  # beside a kernel whose mean diagonal is 2: as much noise as half of what inputs can say
_SERIAL = 5.0  # standard deviations of chance
_EVEN = 20.0  # fourth moment; of a column that hardly ever moves a correlation is that of two rows
_COPY = 0.999  # of a correlation
_DIVIDES = 0.999  # of the area under the curve
_KNOWN = (0.2, 8.0)  # gain and deviations
_NOTHING = 4.0


@dataclass(frozen=True)
class Slipping:
    """What inputs say of the targets some rows further on, of rows that were left out of the fit.

    Attributes:
        gains: by the number of rows; of numbers the correlation, of classes how much of what chance leaves open is right.
        deviations: likewise, how far beyond chance that is, in standard deviations of it.
        serial: whether inputs follow one another, as in time.
        copies: whether an input is the target of some other row, as where the next value is predicted from the last, or what
            its class is a threshold of.
        rows: that were looked at.
    """

    gains: dict[int, float]
    deviations: dict[int, float]
    serial: bool
    copies: bool
    rows: int

    @property
    def by(self) -> int:
        """How many rows further on targets stand; 0 where they stand at their inputs, or where it cannot be told.

        Of rows that know nothing of each other, inputs say something of one target alone.
        """
        best = max(_SHIFTS, key=lambda one: self.gains[one])
        others = [one for one in _SHIFTS if one != best]
        known = self.gains[best] > _KNOWN[0] and self.deviations[best] > _KNOWN[1]
        alone = all(abs(self.deviations[one]) < _NOTHING or self.gains[one] <= 0 for one in others)
        apart = all(self.gains[one] < self.gains[best] / 4 for one in others)
        return best if known and alone and apart and not self.serial and not self.copies else 0


def slipping(rows: SplitRows, *, classes: bool) -> Slipping | None:
    """What inputs say of targets up to three rows away; None where inputs are no numbers of one shape, or rows are few.

    A ridge regression on a linear and a Gaussian kernel of the first 1000 rows, in five folds.

    Args:
        rows: of a split, as they stand without shuffling.
        classes: whether targets are classes.
    """
    if rows.values is None or rows.labels is None or min(len(rows.values), len(rows.labels)) < _FEWEST_ROWS:
        return None
    count = min(len(rows.values), len(rows.labels), _MOST_ROWS)
    values, targets = rows.values[:count], rows.labels[:count].astype(np.float64)
    if not np.isfinite(values).all() or not np.isfinite(targets).all() or not targets.std() > 0:
        return None
    table = features(values, tokens=rows.integral and len(rows.shape) == 1)
    table = table[:, table.std(0) > 0]
    if not table.shape[1]:
        return None
    numbers = np.unique(targets, return_inverse=True)[1].ravel()
    wanted = np.eye(int(numbers.max()) + 1)[numbers] if classes else targets[:, None]
    base = np.arange(_FURTHEST, count - _FURTHEST)
    said = _out_of_fold(table[base], np.concatenate([wanted[base + one] for one in _SHIFTS], 1))
    parts = np.split(said, len(_SHIFTS), axis=1)
    told = {
        shift: _gain(part, wanted[base + shift], classes=classes) for shift, part in zip(_SHIFTS, parts, strict=True)
    }
    return Slipping(
        gains={shift: gain for shift, (gain, _) in told.items()},
        deviations={shift: deviations for shift, (_, deviations) in told.items()},
        serial=_serial(table),
        copies=any(
            _divides(table[base], numbers[base + one]) if classes else _copied(table[base], targets[base + one])
            for one in _SHIFTS
            if one
        ),
        rows=len(base),
    )


def _out_of_fold(table: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows, columns) what the other rows say of each row."""
    table = (table - table.mean(0)) / np.maximum(table.std(0), 1e-12)
    products = table @ table.T / table.shape[1]
    squares = np.diag(products)
    kernel = products + np.exp(-(squares[:, None] + squares - 2 * products) / 2)
    fold = np.random.default_rng(0).permutation(len(table)) % _FOLDS
    said = np.zeros_like(targets)
    for one in range(_FOLDS):
        rest, out = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
        mean = targets[rest].mean(0)
        fitted = np.linalg.solve(kernel[np.ix_(rest, rest)] + _RIDGE * np.eye(len(rest)), targets[rest] - mean)
        said[out] = kernel[np.ix_(out, rest)] @ fitted + mean
    return said


def _gain(said: NDArray[np.float64], targets: NDArray[np.float64], *, classes: bool) -> tuple[float, float]:
    if not classes:
        if not said.std() > 0 or not targets.std() > 0:
            return 0.0, 0.0
        correlation = float(np.corrcoef(said[:, 0], targets[:, 0])[0, 1])
        return correlation, correlation * len(said) ** 0.5
    called, right = said.argmax(1), targets.argmax(1)
    shares = [np.bincount(one, minlength=targets.shape[1]) / len(one) for one in (called, right)]
    chance = float((shares[0] * shares[1]).sum())
    if not 0 < chance < 1:
        return 0.0, 0.0
    over = float((called == right).mean()) - chance
    return over / (1 - chance), over / (chance * (1 - chance) / len(right)) ** 0.5


def _serial(table: NDArray[np.float64]) -> bool:
    """Whether a row says something of the next ones: by its values, or by how far they are from their mean."""
    for part in (table, np.abs(table - table.mean(0))):
        scaled = (part - part.mean(0)) / np.maximum(part.std(0), 1e-12)
        usual = np.square(np.square(scaled)).mean(0) < _EVEN
        for lag in range(1, _FURTHEST + 1):
            products = scaled[lag:] * scaled[:-lag]
            together = products.mean(1)
            if abs(together.mean()) > _SERIAL * together.std() / len(together) ** 0.5:
                return True
            if usual.any() and np.abs(products[:, usual].mean(0)).max() > _SERIAL / len(products) ** 0.5:
                return True
    return False


def _copied(table: NDArray[np.float64], targets: NDArray[np.float64]) -> bool:
    """Whether a column is the target, but for its scale."""
    if not targets.std() > 0:
        return False
    scaled = (table - table.mean(0)) / np.maximum(table.std(0), 1e-12)
    return bool(np.abs(scaled.T @ ((targets - targets.mean()) / targets.std()) / len(targets)).max() > _COPY)


def _divides(table: NDArray[np.float64], numbers: NDArray[np.int64]) -> bool:
    """Whether a column is what the first or the last class is a threshold of, as the next return is of its direction."""
    ranks = np.asarray(rankdata(table, axis=0))
    for one in {0, int(numbers.max())}:
        inside = numbers == one
        pairs = int(inside.sum()) * int((~inside).sum())
        areas = (ranks[inside].sum(0) - inside.sum() * (inside.sum() + 1) / 2) / max(pairs, 1)
        if pairs and float(np.abs(areas - 0.5).max()) > _DIVIDES - 0.5:
            return True
    return False
