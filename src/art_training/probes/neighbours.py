"""What the neighbours of a row say of its label: neighbours by the inputs alone, the row itself left out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from art_training.probes.rows import SplitRows

NEIGHBOURS = 15
_MOST_ROWS = 3_000
_MOST_TOKENS = 5_000


@dataclass(frozen=True)
class Neighbourhood:
    """Rows with what their neighbours say.

    Attributes:
        labels: (rows,) of the rows, as numbers from 0.
        votes: (rows,) the label that most neighbours have.
        margin: (rows,) by how much of the neighbours it leads.
        places: (rows,) in the split.
        classes: how many.
    """

    labels: NDArray[np.int64]
    votes: NDArray[np.int64]
    margin: NDArray[np.float64]
    places: NDArray[np.int64]
    classes: int


def neighbourhood(rows: SplitRows) -> Neighbourhood | None:
    """What 15 neighbours say of each row; None where inputs are no numbers of one shape, or too few rows have labels.

    Features are standardised; of token sequences it is counts of tokens. Equal inputs are counted once, since a copy of
    a row would vote for itself. Of many rows 3000 are drawn.
    """
    if rows.values is None or rows.labels is None or not np.isfinite(rows.values).all():
        return None
    places = np.unique(rows.inputs[: len(rows.values)], return_index=True)[1]
    if len(places) > _MOST_ROWS:
        places = np.random.default_rng(0).choice(places, _MOST_ROWS, replace=False)
    places = np.sort(places)
    _, labels = np.unique(rows.labels[places], return_inverse=True)
    classes = int(labels.max()) + 1 if len(labels) else 0
    if classes < 2 or len(places) < 10 * classes or len(places) < 4 * NEIGHBOURS:
        return None
    table = features(rows.values[places], tokens=rows.integral and len(rows.shape) == 1)
    near = nearest(table, table)
    counts = np.zeros((len(places), classes))
    np.add.at(counts, (np.repeat(np.arange(len(places)), NEIGHBOURS), labels[near].ravel()), 1)
    counts += np.random.default_rng(0).random(counts.shape) * 1e-6  # ties fall by chance
    ordered = np.sort(counts, 1)
    return Neighbourhood(labels, counts.argmax(1), (ordered[:, -1] - ordered[:, -2]) / NEIGHBOURS, places, classes)


def features(values: NDArray[np.float32], *, tokens: bool) -> NDArray[np.float64]:
    """(rows, features) of deviation 1 each; of tokens, how often each occurs in a row."""
    table = values.astype(np.float64)
    if tokens and table.size and table.min() >= 0 and table.max() < _MOST_TOKENS:
        counts = np.zeros((len(table), int(table.max()) + 1))
        np.add.at(counts, (np.repeat(np.arange(len(table)), table.shape[1]), table.astype(np.int64).ravel()), 1)
        table = counts
    deviation = table.std(0)
    usual = float(np.median(deviation[deviation > 0])) if (deviation > 0).any() else 1.0
    # A feature that hardly ever varies says little: it is not blown up to the size of the others.
    return (table - table.mean(0)) / np.maximum(deviation, usual / 3)


def nearest(of: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.int64]:
    """(rows, 15) the numbers of the nearest rows of each row.

    Args:
        of: rows whose neighbours are looked for.
        among: rows that may be neighbours; where it is the same table, a row is no neighbour of itself.
    """
    squares, others = (of**2).sum(1), (among**2).sum(1)
    found = np.empty((len(of), NEIGHBOURS), np.int64)
    for first in range(0, len(of), 500):
        part = slice(first, first + 500)
        distances = squares[part, None] - 2 * of[part] @ among.T + others
        if of is among:
            own = np.arange(len(distances))
            distances[own, own + first] = np.inf
        found[part] = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return found
