"""Whether the order of tokens says something of labels that the tokens themselves do not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from art_training.probes.rows import SplitRows

_MOST_ROWS = 1_000
_FEWEST_ROWS = 120
_MOST_TOKENS = 4_000
_PAIRS = 1_024  # features that pairs of neighbours are hashed to
_DECAYS = (0.01, 0.1, 1.0, 10.0)  # of the ridge, times the mean of the kernel's diagonal


@dataclass(frozen=True)
class OrderMatters:
    """The share of labels that a linear model of the tokens alone gets right, and one that knows their order too.

    Both by ridge regression, each row by a model of all others, with the better of several penalties.

    Attributes:
        bag: of which tokens a row has, and how often.
        ordered: of these, of where each stands, and of pairs of neighbours.
        guess: of the most frequent label.
        rows: that were looked at.
    """

    bag: float
    ordered: float
    guess: float
    rows: int

    @property
    def beyond_doubt(self) -> bool:
        """Whether order leaves at most half of the mistakes, by five standard errors of a share."""
        error = (max(self.bag * (1 - self.bag), 0.25 / self.rows) / self.rows) ** 0.5
        return 1 - self.ordered <= 0.5 * (1 - self.bag) and self.ordered - self.bag > 5 * error


def order_matters(rows: SplitRows, token: float | None) -> OrderMatters | None:
    """What order says; None where rows are no sequences of tokens with a class each, or are too few.

    Args:
        rows: of a split.
        token: what pads them; None: nothing does.
    """
    if rows.values is None or rows.labels is None or not rows.integral or len(rows.shape) != 1:
        return None
    count = min(len(rows.values), len(rows.labels), _MOST_ROWS)
    tokens = rows.values[:count].astype(np.int64)
    classes, labels = np.unique(rows.labels[:count], return_inverse=True)
    known, numbers = np.unique(tokens, return_inverse=True)
    if count < _FEWEST_ROWS or not 2 <= len(classes) <= count // 20 or tokens.shape[1] < 4 or len(known) > _MOST_TOKENS:
        return None
    numbers = numbers.reshape(tokens.shape)
    real = np.ones(tokens.shape, np.bool_) if token is None else tokens != token
    wanted = np.where(labels[:, None] == np.arange(len(classes)), 1.0, -1.0)
    bag = _bag(numbers, real, len(known))
    guess = float(np.bincount(labels).max() / count)
    ordered = np.concatenate([bag, _placed(numbers, real, len(known)), _pairs(numbers, real)], 1)
    return OrderMatters(_right(bag, wanted, labels), _right(ordered, wanted, labels), guess, count)


def _bag(numbers: NDArray[np.int64], real: NDArray[np.bool_], known: int) -> NDArray[np.float64]:
    table = np.zeros((len(numbers), known))
    rows, places = np.nonzero(real)
    np.add.at(table, (rows, numbers[rows, places]), 1.0)
    return table


def _placed(numbers: NDArray[np.int64], real: NDArray[np.bool_], known: int) -> NDArray[np.float64]:
    """Each token by the sum of its places, from -1 at the beginning of its row to 1 at the end."""
    table = np.zeros((len(numbers), known))
    rows, places = np.nonzero(real)
    first = real.argmax(1)
    length = np.maximum(real.sum(1) - 1, 1)
    np.add.at(table, (rows, numbers[rows, places]), 2 * (places - first[rows]) / length[rows] - 1)
    return table


def _pairs(numbers: NDArray[np.int64], real: NDArray[np.bool_]) -> NDArray[np.float64]:
    table = np.zeros((len(numbers), _PAIRS))
    rows, places = np.nonzero(real[:, 1:] & real[:, :-1])
    mixed = (numbers[rows, places] * 1_000_003 + numbers[rows, places + 1] * 8_191) % 2_147_483_647
    np.add.at(table, (rows, mixed % _PAIRS), 1.0)
    return table


def _right(table: NDArray[np.float64], wanted: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The share of rows whose label a ridge regression of all others gets right (the closed form of leaving one out)."""
    centred = table - table.mean(0)
    scale = centred.std(0)
    centred = centred[:, scale > 0] / scale[scale > 0]
    if not centred.shape[1]:
        return float(np.bincount(labels).max() / len(labels))
    values, vectors = np.linalg.eigh(centred @ centred.T + 1.0)
    targets = vectors.T @ wanted
    size = float(values.mean())
    best = 0.0
    for decay in _DECAYS:
        share = values / (values + decay * size)
        fitted = vectors @ (share[:, None] * targets)
        own = (vectors**2) @ share
        left_out = (fitted - own[:, None] * wanted) / np.maximum(1 - own, 1e-9)[:, None]
        best = max(best, float((left_out.argmax(1) == labels).mean()))
    return best
