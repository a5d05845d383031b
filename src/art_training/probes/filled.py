"""What pads sequences where nobody declares it: told by an entry of the batch, by how batches are put together, or by name."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import default_collate

from art_training.probes.filling import filler, filler_of_one_width, runs
from art_training.probes.named_numbers import named_numbers
from art_training.probes.specimen import Specimen
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, size

_FEWEST = 4  # positions
_FEWEST_RUNS = 2  # different numbers of positions that an entry marks
_NAME = re.compile(r"_*pad(ding)?(_?(token|word|char|tag|label))?(_?(id|idx|index|value))?", re.IGNORECASE)
_WORDS = {"<pad>", "[pad]", "pad", "<padding>", "__pad__", "<|pad|>"}
_SPEAKS = re.compile(r"(?<![a-z])pad(s|ded|ding|_\w+)?(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Filled:
    """A token, or a value of all features, that stands for nothing.

    Attributes:
        path: of the sequences in the batch.
        token: the number.
        at_end: whether it stands behind what counts, or before it.
        told_by: what says so, for a sentence.
        by_entry: whether an entry of the batch does; else the way in which batches are put together, or what code calls it.
        tokens: whether sequences are of whole numbers.
    """

    path: str
    token: float
    at_end: bool
    told_by: str
    by_entry: bool
    tokens: bool = True


def filled(specimen: Specimen) -> tuple[Filled, ...]:
    """The padding of each entry of sequences, where it can be told beyond doubt."""
    found = [entries(batch) for batch in specimen.batches]
    counts = [size(batch) for batch in specimen.batches]
    result: list[Filled] = []
    for path in found[0]:
        given = [one.get(path) for one in found]
        leaves = [leaf for leaf, count in zip(given, counts, strict=True) if _are_sequences(leaf, count)]
        if len(leaves) < len(found):
            continue
        tables = [_table(one) for one in leaves]
        tokens = tables[0].dtype.kind in "iu"
        one = next(_by_entry(path, tables, found), None)
        if one is None and (tokens or leaves[0].ndim == 3):
            one = (_by_width(path, tables) if _puts_together(specimen) else None) or _by_name(specimen, path, tables)
        result += [one] if one is not None else []
    return tuple(result)


def recurs(specimen: Specimen) -> bool:
    """Whether the model has a recurrence, which may learn to hold its state where nothing but padding comes."""
    return any(isinstance(one, nn.RNNBase | nn.RNNCellBase) for one in specimen.module.modules())


def _are_sequences(leaf: Any, count: int) -> TypeGuard[Tensor]:
    """Whether it holds tokens (examples, positions), or numbers (examples, positions) or (examples, positions, features)."""
    if not isinstance(leaf, Tensor) or leaf.ndim not in {2, 3} or len(leaf) != count or leaf.shape[1] < _FEWEST:
        return False
    if leaf.is_floating_point():
        return leaf.numel() > 0
    return leaf.ndim == 2 and not leaf.is_complex() and int(leaf.max()) > 1  # a mask is no sequence


def _table(leaf: Tensor) -> NDArray[Any]:
    """(examples, positions) the token, or the one number that all features have; NaN where they differ."""
    array = as_array(leaf)
    if array.ndim == 2:
        return array
    same = (array == array[..., :1]).all(2)
    return np.where(same, array[..., 0], np.nan)


def _by_entry(path: str, tables: list[Any], found: list[dict[str, Any]]) -> Iterator[Filled]:
    """By a mask of ones and zeros, or by lengths: all that they leave out is one value, which stands nowhere else.

    No sequence ends with it; a number, unlike a token, may stand within one too.
    """
    tokens = tables[0].dtype.kind in "iu"
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
            left = {float(n) for table, one in zip(tables, known, strict=True) for n in _left_out(table, one, at_end)}
            different = {table.shape[1] - int(n) for table, one in zip(tables, known, strict=True) for n in one} - {0}
            if len(left) != 1 or len(different) < _FEWEST_RUNS:
                continue
            (token,) = left
            everywhere = sum(int((table == token).sum()) for table in tables)
            behind = sum(int(runs(table, token, at_end=at_end).sum()) for table in tables)
            outside = sum(
                table.shape[1] * len(table) - int(one.sum()) for table, one in zip(tables, known, strict=True)
            )
            if behind == outside and (everywhere == behind or not tokens):
                yield Filled(path, token, at_end, f"batch[{other}] leaves it out", by_entry=True, tokens=tokens)


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
    return np.unique(ordered[np.arange(table.shape[1])[None] >= lengths[:, None]])


def _by_width(path: str, tables: list[Any]) -> Filled | None:
    found = filler(tables)
    if found is None:
        return None
    widths = sorted({one.shape[1] for one in tables})
    told = (
        f"it stands at the {_side(found.at_end)} of rows alone, which batches of {widths[0]} to {widths[-1]} positions "
        "make as long as their longest"
    )
    return Filled(path, found.token, found.at_end, told, by_entry=False, tokens=tables[0].dtype.kind in "iu")


def _by_name(specimen: Specimen, path: str, tables: list[Any]) -> Filled | None:
    """By what stands at one end alone, in runs of many lengths, and is called padding: a state that lasts looks alike."""
    found = filler_of_one_width(tables)
    if found is None:
        return None
    tokens = tables[0].dtype.kind in "iu"
    name = _called(specimen, found.token, tokens=tokens)
    if not name:
        return None
    told = f"it stands at the {_side(found.at_end)} of rows alone, and {name}"
    return Filled(path, found.token, found.at_end, told, by_entry=False, tokens=tokens)


def _called(specimen: Specimen, token: float, *, tokens: bool) -> str:
    """What calls a number padding; empty where nothing does."""
    for name, one in specimen.module.named_modules() if tokens else ():
        if isinstance(one, nn.Embedding) and one.padding_idx == token:
            return f"{name} has it as padding_idx"
    for name, number in named_numbers(specimen, _NAME, _WORDS):
        if number == token:
            return f"it is called {name}"
    written: list[Any] = [type(one) for one in specimen.data]
    for loader in specimen.loaders.get(Split.TRAIN, {}).values():
        written += [type(getattr(loader, "dataset", None)), getattr(loader, "collate_fn", None)]
    for one in written:
        if (spoken := _SPEAKS.search(_source(one))) is not None:
            return f"{getattr(one, '__name__', 'the collation')} speaks of {spoken.group()}"
    return ""


def _source(one: Any) -> str:
    """The user's own code of a class or function; empty where there is none."""
    if str(getattr(one, "__module__", "")).startswith(("torch.", "lightning.", "pytorch_lightning.", "art_training.")):
        return ""
    try:
        return inspect.getsource(one)
    except (TypeError, OSError):
        return ""


def _side(at_end: bool) -> str:
    return "end" if at_end else "beginning"


def _puts_together(specimen: Specimen) -> bool:
    """Whether batches are put together by the user's own function: torch's own takes rows of one length only."""
    loaders = specimen.loaders.get(Split.TRAIN, {}).values()
    return any(getattr(one, "collate_fn", default_collate) is not default_collate for one in loaders)
