"""What becomes of labels that nobody knows: whether the loss asks for something where they are marked as missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from art_training.probes.asked import Asked, AskedClasses, AskedNumbers, asked
from art_training.probes.coverage import map_style
from art_training.probes.held import arrays_of
from art_training.probes.reachable import reachable
from art_training.probes.specimen import Specimen
from art_training.records import Split
from art_training.setup.data.batch import as_array, entries, size

_ROWS = 128  # of a dataset
_FEWEST = 4  # labels; fewer have one class by chance
_AGREE = 0.99  # of the labels that are known
_NOTHING = {"", "nan", "none", "null", "n/a", "#n/a", "<na>", "nat", "missing", "nil"}


@dataclass(frozen=True)
class Missing:
    """Labels that are marked as missing, and are learned.

    Attributes:
        source: what marks them.
        mark: as what; a number, NaN or a word.
        learned: the class that they are taken for; None where numbers are learned.
        count: how many.
        of: among so many labels.
    """

    source: str
    mark: str
    learned: float | None
    count: int
    of: int


def missing_labels(specimen: Specimen) -> tuple[Missing, ...]:
    """What is learned of labels that an entry of the batch marks as missing."""
    seen = asked(specimen)
    found = [_of_classes(seen, path) for path in entries(seen.batches[0])] if seen.classes else []
    found += [_of_numbers(seen, path) for path in dict.fromkeys(one.path for one in seen.numbers)]
    return tuple(one for one in found if one is not None)


def missing_in_data(specimen: Specimen) -> tuple[Missing, ...]:
    """Labels that the dataset holds as missing, and gives as a class: of its first rows, put together as the loader does it."""
    loaders = list(specimen.loaders.get(Split.TRAIN, {}).values())
    if len(loaders) != 1 or not map_style(loaders[0]):
        return ()
    dataset: Any = loaders[0].dataset
    arrays = [(name, one) for name, one in arrays_of(dataset) if _has_marks(one, len(dataset))]
    if not arrays:
        return ()
    with specimen.kept():
        items = [dataset[number] for number in range(min(_ROWS, len(dataset)))]
        batch = loaders[0].collate_fn(items)
    if size(batch) != len(items):
        return ()
    found: list[Missing] = []
    for name, array in arrays:
        held = array.reshape(len(array), -1)[: len(items), 0].astype(np.float64)
        for leaf in entries(batch).values():
            given = as_array(leaf) if isinstance(leaf, Tensor) else np.empty(0)
            if given.shape != (len(items),) or given.dtype.kind not in "iu":
                continue
            one = _given(name, held, given.astype(np.float64))
            found += [one] if one is not None else []
    return tuple(found)


def missing_names(specimen: Specimen, classes: int) -> Iterator[tuple[str, int]]:
    """Names of classes that say that there is none, and the number of the class.

    Args:
        specimen: whose data and model hold names.
        classes: how many there are.
    """
    owners: list[Any] = [specimen.module, *specimen.data]
    owners += [getattr(one, "dataset", None) for one in specimen.loaders.get(Split.TRAIN, {}).values()]
    for owner in owners:
        for one in reachable(owner, (list, tuple, dict, np.ndarray), depth=2):
            if len(cast("Sequence[Any]", one)) != classes:
                continue
            if isinstance(one, Mapping):
                table = cast("Mapping[Any, Any]", one)
                pairs = [(key, value) if isinstance(value, int) else (value, key) for key, value in table.items()]
            else:
                pairs = [(name, number) for number, name in enumerate(cast("Sequence[Any]", one))]
            if not all(_is_name(name) and isinstance(number, int) for name, number in pairs):
                continue
            yield from ((str(name), number) for name, number in pairs if _is_nothing(name))


def _of_classes(seen: Asked, path: str) -> Missing | None:
    marks: set[str] = set()
    missing: list[tuple[Tensor, Tensor]] = []
    agree = known = 0
    for one in seen.classes:
        leaf = _fitting(seen, one, path)
        if leaf is None:
            return None
        unknown = _unknown(leaf)
        marks |= _marks(leaf[unknown])
        counts = one.weights > 0
        missing.append((one.classes[unknown & counts], one.likeliest[unknown & counts]))
        right = counts & ~unknown
        agree += int((one.classes == leaf)[right].sum())
        known += int(right.sum())
    classes, likeliest = (torch.cat([pair[place] for pair in missing]) for place in (0, 1))
    # One class for all of them; what a model itself finds likeliest is a label that it gives, as in semi-supervised learning.
    if len(marks) != 1 or len(classes) < _FEWEST or len(classes.unique()) > 1 or bool((classes == likeliest).all()):
        return None
    if agree < _AGREE * known or not known:
        return None
    return Missing(f"batch[{path}]", marks.pop(), float(classes[0]), len(classes), len(classes) + known)


def _fitting(seen: Asked, one: AskedClasses, path: str) -> Tensor | None:
    leaf = entries(seen.batches[one.batch]).get(path)
    if not isinstance(leaf, Tensor) or leaf.is_complex() or leaf.numel() != one.weights.numel():
        return None
    return leaf.detach().double().reshape(one.weights.shape) if len(leaf) == len(one.weights) else None


def _unknown(leaf: Tensor) -> Tensor:
    return leaf.isnan() | (leaf < 0)


def _of_numbers(seen: Asked, path: str) -> Missing | None:
    """Of labels 0 and 1 what is neither; of other numbers what is NaN."""
    missing: list[AskedNumbers] = [one for one in seen.numbers if one.path == path]
    marks: set[str] = set()
    rises: list[Tensor] = []
    total = 0
    for one in missing:
        leaf = entries(seen.batches[one.batch])[path].detach().double()
        known = leaf[leaf.isfinite() & (leaf >= 0)]
        labels = len(known) > 0 and bool(((known == 0) | (known == 1)).all())
        unknown = _unknown(leaf) if labels else leaf.isnan()
        marks |= _marks(leaf[unknown])
        rises.append(one.rises[unknown & one.counts])
        total += int(one.counts.sum())
    together = torch.cat(rises)
    if len(marks) != 1 or len(together) < _FEWEST:
        return None
    same = len(together.unique()) == 1
    return Missing(f"batch[{path}]", marks.pop(), float(together[0]) if same else None, len(together), total)


def _marks(unknown: Tensor) -> set[str]:
    return {f"{one:g}" for one in unknown.unique().tolist()}


def _has_marks(array: NDArray[Any], rows: int) -> bool:
    if len(array) != rows or array.size != rows:
        return False
    flat = array.reshape(-1)
    unknown = np.isnan(flat) if array.dtype.kind == "f" else np.zeros(rows, np.bool_)
    unknown = unknown | (np.nan_to_num(flat) < 0)
    kept = flat[~unknown]
    return _FEWEST <= int(unknown.sum()) < rows and bool((kept == np.round(kept)).all())


def _given(name: str, held: NDArray[np.float64], given: NDArray[np.float64]) -> Missing | None:
    unknown = np.isnan(held) | (held < 0)
    marks = {str(one) for one in held[unknown]}
    taken = np.unique(given[unknown])
    if int(unknown.sum()) < _FEWEST or len(marks) != 1 or len(taken) != 1 or taken[0] < 0:
        return None
    known = given[~unknown] == held[~unknown]
    several = len(np.unique(given)) > 1
    if not several or not known.size or known.mean() < _AGREE or taken[0] not in given[~unknown]:
        return None
    mark = float(held[unknown][0])
    return Missing(f"{name} of the dataset", f"{mark:g}", float(taken[0]), int(unknown.sum()), len(held))


def _is_name(one: Any) -> bool:
    return one is None or isinstance(one, str) or (isinstance(one, float) and one != one)  # noqa: PLR0124  NaN.


def _is_nothing(one: Any) -> bool:
    return not isinstance(one, str) or one.strip().lower() in _NOTHING
