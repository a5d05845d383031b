"""What pads sequences where nobody declares it: told by an entry of the batch that says so, or by how batches are put together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import default_collate

from art_training.probes.filling import filler, runs
from art_training.probes.specimen import Specimen
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, size

_FEWEST = 4  # positions
_FEWEST_RUNS = 2  # different numbers of positions that an entry marks


@dataclass(frozen=True)
class Filled:
    """A token that stands for nothing.

    Attributes:
        path: of the sequences in the batch.
        token: its number.
        at_end: whether it stands behind what counts, or before it.
        told_by: what says so, for a sentence.
        by_entry: whether an entry of the batch does; else the way in which batches are put together.
    """

    path: str
    token: int
    at_end: bool
    told_by: str
    by_entry: bool


def filled(specimen: Specimen) -> tuple[Filled, ...]:
    """The padding of each entry of tokens, where it can be told beyond doubt."""
    found = [entries(batch) for batch in specimen.batches]
    counts = [size(batch) for batch in specimen.batches]
    result: list[Filled] = []
    for path in found[0]:
        tokens = [
            leaf for leaves, count in zip(found, counts, strict=True) if _are_tokens(leaf := leaves.get(path), count)
        ]
        if len(tokens) < len(found):
            continue
        tables = [as_array(one) for one in tokens]
        one = next(_by_entry(path, tables, found), None) or (
            _by_width(path, tables) if _puts_together(specimen) else None
        )
        result += [one] if one is not None else []
    return tuple(result)


def recurs(specimen: Specimen) -> bool:
    """Whether the model has a recurrence, which may learn to hold its state where nothing but padding comes."""
    return any(isinstance(one, nn.RNNBase | nn.RNNCellBase) for one in specimen.module.modules())


def _are_tokens(leaf: Any, count: int) -> bool:
    return (
        isinstance(leaf, Tensor)
        and leaf.ndim == 2
        and len(leaf) == count
        and leaf.shape[1] >= _FEWEST
        and not leaf.is_floating_point()
        and not leaf.is_complex()
        and int(leaf.max()) > 1  # a mask is no sequence
    )


def _by_entry(path: str, tables: list[Any], found: list[dict[str, Any]]) -> Iterator[Filled]:
    """By a mask of ones and zeros, or by lengths: all that they leave out is one token, which stands nowhere else."""
    for other in found[0]:
        told = [leaves.get(other) for leaves in found]
        if other == path or not all(isinstance(one, Tensor) for one in told):
            continue
        arrays = [as_array(one) for one in told]
        for at_end in (True, False):
            lengths = [_lengths(array, table, at_end) for array, table in zip(arrays, tables, strict=True)]
            known = [one for one in lengths if one is not None]
            if len(known) < len(lengths):
                continue
            left = {int(n) for table, one in zip(tables, known, strict=True) for n in _left_out(table, one, at_end)}
            different = {table.shape[1] - int(n) for table, one in zip(tables, known, strict=True) for n in one} - {0}
            if len(left) != 1 or len(different) < _FEWEST_RUNS:
                continue
            (token,) = left
            everywhere = sum(int((table == token).sum()) for table in tables)
            behind = sum(int(runs(table, token, at_end=at_end).sum()) for table in tables)
            outside = sum(
                table.shape[1] * len(table) - int(one.sum()) for table, one in zip(tables, known, strict=True)
            )
            if everywhere == behind == outside:
                yield Filled(path, token, at_end, f"batch[{other}] leaves it out", by_entry=True)


def _lengths(array: Any, table: Any, at_end: bool) -> Any:
    """(rows,) how many positions count, by an entry that may tell it; None where it does not."""
    if array.ndim == 1 and array.dtype.kind in "iu" and len(array) == len(table) and at_end:
        fits = array.min() >= 1 and array.max() <= table.shape[1]
        return array.astype(int) if fits else None
    if array.shape != table.shape or not ((array == 0) | (array == 1)).all():
        return None
    counts = array.astype(int)
    ordered = counts if at_end else counts[:, ::-1]
    if (ordered[:, 1:] > ordered[:, :-1]).any():  # a mask that is true where nothing counts says the opposite
        counts = 1 - counts
        ordered = counts if at_end else counts[:, ::-1]
    return None if (ordered[:, 1:] > ordered[:, :-1]).any() or not counts.sum(1).all() else counts.sum(1)


def _left_out(table: Any, lengths: Any, at_end: bool) -> Any:
    ordered = table if at_end else table[:, ::-1]
    return ordered[np.arange(table.shape[1])[None] >= lengths[:, None]]


def _by_width(path: str, tables: list[Any]) -> Filled | None:
    found = filler(tables)
    if found is None:
        return None
    widths = sorted({one.shape[1] for one in tables})
    told = (
        f"it stands at the {'end' if found.at_end else 'beginning'} of rows alone, which batches of {widths[0]} to {widths[-1]} positions "
        "make as long as their longest"
    )
    return Filled(path, found.token, found.at_end, told, by_entry=False)


def _puts_together(specimen: Specimen) -> bool:
    """Whether batches are put together by the user's own function: torch's own takes rows of one length only."""
    loaders = specimen.loaders.get(Split.TRAIN, {}).values()
    return any(getattr(one, "collate_fn", default_collate) is not default_collate for one in loaders)
