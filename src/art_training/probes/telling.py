"""Single columns of the inputs that are the target in another form, and what the others know of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from art_training.probes.neighbours import features, nearest
from art_training.probes.passes import passed, ways
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, mapped, rows, size

Relation = Literal["multiple", "order", "code"]

_MOST_COLUMNS = 4_096
_FEWEST_ROWS = 30
_DISTINCT = 30  # numbers: the chance that they have the order of another column is 1 to 30 factorial
_ROUNDING = 16 * 2.0**-23  # of single precision, after a few operations
_MOST_ROWS = 1_500
_NOISE = 0.05  # of weights: enough that a last layer of zeros tells examples apart


@dataclass(frozen=True)
class Telling:
    """A column that is the target in another form, in every row.

    Attributes:
        column: its number among the inputs' numbers of a row.
        relation: `multiple`: scaled and shifted; `order`: it rises or falls with the target, equal where that is equal;
            `code`: one value for each class.
    """

    column: int
    relation: Relation


def telling(values: NDArray[np.float32], targets: NDArray[Any], *, classes: bool) -> tuple[Telling, ...]:
    """Columns that are the target, row by row; none where there are fewer than 30 rows or different targets.

    Args:
        values: (rows, columns) of the inputs.
        targets: (rows,) classes, or numbers.
        classes: which of these they are.
    """
    if len(values) < _FEWEST_ROWS or values.shape[1] > _MOST_COLUMNS:
        return ()
    numbers, codes = np.unique(targets, return_inverse=True)
    if classes:
        if not 2 <= len(numbers) <= len(targets) / 10:
            return ()
        return _codes(values, codes, len(numbers))
    if len(numbers) < _DISTINCT:
        return ()
    found: list[Telling] = []
    goal = targets.astype(np.float64)
    for column in range(values.shape[1]):
        one = values[:, column].astype(np.float64)
        if one.std() > 0 and _is_multiple(one, goal):
            found.append(Telling(column, "multiple"))
        elif one.std() > 0 and _has_order(one, goal, len(numbers)):
            found.append(Telling(column, "order"))
    return tuple(found)


def known_by_others(
    values: NDArray[np.float32], targets: NDArray[Any], columns: tuple[int, ...], *, classes: bool
) -> float | None:
    """How much of what chance leaves open neighbours know of the target by all other columns; None: nothing for sure.

    Of classes it is a share, of numbers the correlation with the mean of neighbours. It must be beyond chance by six
    standard deviations.
    """
    left = np.delete(values[:_MOST_ROWS], columns, axis=1)
    if left.shape[1] < 2 or not (left.std(0) > 0).any() or not np.isfinite(left).all():
        return None
    table = features(left, tokens=False)
    near = nearest(table, table)
    goal = targets[:_MOST_ROWS].astype(np.float64)
    if classes:
        _, labels = np.unique(goal, return_inverse=True)
        counts = np.zeros((len(labels), int(labels.max()) + 1))
        np.add.at(counts, (np.repeat(np.arange(len(labels)), near.shape[1]), labels[near].ravel()), 1)
        said = counts.argmax(1)
        shares = [np.bincount(one, minlength=counts.shape[1]) / len(one) for one in (said, labels)]
        chance = float((shares[0] * shares[1]).sum())
        over = float((said == labels).mean()) - chance
        sure = chance < 1 and over > 6 * (chance * (1 - chance) / len(labels)) ** 0.5
        return over / (1 - chance) if sure else None
    said = goal[near].mean(1)
    if not said.std() > 0 or not goal.std() > 0:
        return None
    correlation = float(np.corrcoef(said, goal)[0, 1])
    return correlation if correlation * len(goal) ** 0.5 > 6 else None


@cache
def used(inputs: tuple[str, ...], columns: tuple[int, ...]) -> Callable[[Specimen], tuple[str, ...]]:
    """A probe: the entries that hold these columns, of those columns that predictions follow.

    Weights are moved a little first. Columns are exchanged among the examples of a batch, one at a time.
    """

    def probe(specimen: Specimen) -> tuple[str, ...]:
        with torch.no_grad():
            for parameter in specimen.module.parameters():
                if parameter.is_floating_point():
                    parameter.add_(torch.randn_like(parameter) * _NOISE)
        batch = specimen.batches[0]
        count = size(batch)
        found = {path: one for path, one in entries(batch).items() if path in inputs}
        named = [(path, found[path]) for path in inputs if path in found and rows(found[path]) == count]
        before = _predictions(specimen, batch, count)
        paths: list[str] = []
        for column in columns:
            place = _place(named, column)
            if place is None or not before:
                continue
            path, leaf, index = place
            after = _predictions(specimen, _exchanged(batch, leaf, index), count)
            if any(a.shape == b.shape and not torch.equal(a, b) for a, b in zip(before, after, strict=False)):
                paths.append(path)
        return tuple(paths)

    return probe


def _codes(values: NDArray[np.float32], codes: NDArray[np.int64], classes: int) -> tuple[Telling, ...]:
    single: list[Telling] = []
    indicated: dict[int, list[int]] = {}
    for column in range(values.shape[1]):
        different, numbers = np.unique(values[:, column], return_inverse=True)
        if len(different) == classes and len(np.unique(numbers * classes + codes)) == classes:
            single.append(Telling(column, "code"))
        elif len(different) == 2 and classes > 2:
            ones = [np.unique(codes[numbers == side]) for side in (0, 1)]
            alone = next((side for side in ones if len(side) == 1), None)
            if alone is not None and sum(len(side) for side in ones) == classes:
                indicated.setdefault(int(alone[0]), []).append(column)
    # One column for each class, the last of which follows from the others; of more, a class shows in much of its inputs.
    if len(indicated) >= classes - 1 and all(len(columns) == 1 for columns in indicated.values()):
        single += [Telling(columns[0], "code") for columns in indicated.values()]
    return tuple(single)


def _is_multiple(column: NDArray[np.float64], goal: NDArray[np.float64]) -> bool:
    slope = float(((column - column.mean()) * (goal - goal.mean())).mean() / column.var())
    off = np.abs(goal - goal.mean() - slope * (column - column.mean())).max()
    return bool(off <= _ROUNDING * (np.abs(goal).max() + abs(slope) * np.abs(column).max())) and slope != 0


def _has_order(column: NDArray[np.float64], goal: NDArray[np.float64], different: int) -> bool:
    order = np.argsort(goal, kind="stable")
    steps, ahead = np.diff(column[order]), np.diff(goal[order]) > 0
    if bool((steps[~ahead] != 0).any()) or len(np.unique(column)) < 0.99 * different:
        return False
    return bool((steps[ahead] >= 0).all() or (steps[ahead] <= 0).all())


def _predictions(specimen: Specimen, batch: Any, count: int) -> list[Tensor]:
    return [one.detach().clone() for one in passed(specimen, batch).predictions(count) if ways(one, count)]


def _place(named: list[tuple[str, Any]], column: int) -> tuple[str, Tensor, int] | None:
    """The entry that a column is of, and its number in a row of it."""
    for path, leaf in named:
        width = int(leaf[0].numel()) if isinstance(leaf, Tensor) else int(np.asarray(leaf[:1]).size)
        if column < width:
            return (path, leaf, column) if isinstance(leaf, Tensor) else None
        column -= width
    return None


def _exchanged(batch: Any, wanted: Tensor, index: int) -> Any:
    flat = wanted.reshape(len(wanted), -1).clone()
    # Sorted apart as far as can be: a column of few values changes in most rows.
    flat[:, index] = flat[:, index].sort(descending=True).values
    changed = flat.reshape(wanted.shape)
    if torch.equal(changed, wanted):
        flat[:, index] = flat[:, index].flip(0)
        changed = flat.reshape(wanted.shape)
    return mapped(batch, lambda leaf: changed if leaf is wanted else leaf)
