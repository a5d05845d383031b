"""What becomes of targets on their way from the batch into the loss."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import SeenLoss, SeenStep, steps
from art_training.setup.data.batch import as_array, entries, size

OF_NUMBERS = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss"}
_FEWEST = 16
_FEWER = 0.5  # of the different values, or less: rows that happen to be equal lose few
_TO_WHOLE = {"cut towards 0": np.trunc, "rounded": np.rint, "rounded down": np.floor, "rounded up": np.ceil}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lossy:
    """Targets of a loss that are fewer different numbers than the entry of the batch that they were made of.

    Attributes:
        path: of the entry.
        loss: as torch calls it.
        how: what was done: to whole numbers, within limits, or another rising or falling function.
        rows: that were compared.
        before: how many different numbers the entry has.
        after: how many the loss is told.
        lost: the share of the entry's variance that a line through what the loss is told leaves open.
        limited: the share of rows that stand at a limit.
        where: file and line of the loss.
    """

    path: str
    loss: str
    how: str
    kind: Literal["whole", "limited", "steps"]
    rows: int
    before: int
    after: int
    lost: float
    limited: float
    where: str


def lossy(specimen: Specimen) -> tuple[Lossy, ...] | None:
    """Targets that lost numbers; None where no loss of numbers is told one an example."""
    seen = steps(specimen)
    if len({len(one.calls) for one in seen}) != 1:
        return None
    found: list[Lossy] = []
    judged = False
    for index, call in enumerate(seen[0].calls):
        if call.name not in OF_NUMBERS or not call.learns or call.target_learns:
            continue
        told = _together([_target(one, one.calls[index]) for one in seen])
        if told is None or len(told) < _FEWEST:
            continue
        judged = True
        sources = [(path, numbers) for path, numbers in _sources(seen) if len(numbers) == len(told)]
        if not any(np.array_equal(numbers, told) for _, numbers in sources):
            found += [one for path, numbers in sources if (one := _lossy(path, numbers, told, call)) is not None][:1]
    return tuple(found) if judged else None


def _target(step: SeenStep, call: SeenLoss) -> Array | None:
    numbers = as_array(call.target).astype(np.float64).reshape(-1)
    return numbers if len(numbers) == size(step.batch) else None


def _together(parts: Sequence[Array | None]) -> Array | None:
    known = [one for one in parts if one is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def _sources(seen: Sequence[SeenStep]) -> Iterator[tuple[str, Array]]:
    """Entries with one number of floating point an example, of all batches."""
    found = [entries(one.batch) for one in seen]
    for path in found[0]:
        parts = [_column(leaves.get(path), size(step.batch)) for leaves, step in zip(found, seen, strict=True)]
        together = _together(parts)
        if together is not None:
            yield path, together


def _column(leaf: Any, count: int) -> Array | None:
    fits = isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.numel() == count
    return as_array(leaf).astype(np.float64).reshape(-1) if fits else None


def _lossy(path: str, before: Array, after: Array, call: SeenLoss) -> Lossy | None:
    """What was done to an entry, where the targets are a function of it that never turns, and takes few values."""
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        return None
    values, places = np.unique(before, return_inverse=True)
    known = np.unique(after)
    if len(known) > _FEWER * len(values):
        return None
    of_value = np.full(len(values), np.nan)
    of_value[places] = after
    moves = np.diff(of_value)
    if not np.array_equal(of_value[places], after) or not ((moves >= 0).all() or (moves <= 0).all()):
        return None
    low, high = known[0], known[-1]
    how = next((name for name, function in _TO_WHOLE.items() if np.array_equal(function(before), after)), "")
    limits = np.array_equal(before.clip(low, high), after)
    correlation = float(np.corrcoef(before, after)[0, 1]) if len(known) > 1 else 0.0
    return Lossy(
        path=path,
        loss=call.name,
        how=f"{how} to whole numbers"
        if how
        else f"held within {low:.4g} and {high:.4g}"
        if limits
        else "put into steps",
        kind="whole" if how else "limited" if limits else "steps",
        rows=len(after),
        before=len(values),
        after=len(known),
        lost=1 - correlation**2,
        limited=float(((after == low) | (after == high)).mean()),
        where=call.where,
    )
