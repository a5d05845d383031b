"""By how many positions a sequence model is asked to look ahead, told by what its predictions depend on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, mapped
from art_training.setup.observation import LossCall

_FURTHEST = 4


@dataclass(frozen=True)
class Offset:
    """How targets lie against the tokens that predictions are made from.

    Attributes:
        matches: share of the targets that equal the token so many positions after the last one that their prediction
            depends on; from 0 on.
        path: of the tokens in the batch.
    """

    matches: tuple[float, ...]
    path: str


def offsets(specimen: Specimen) -> tuple[Offset, ...]:
    """One for each cross entropy of a model that looks back only; none where it looks ahead, or has no tokens."""
    batch = specimen.batches[0]
    found: list[Offset] = []
    for path, tokens in entries(batch).items():
        if not isinstance(tokens, Tensor) or tokens.is_floating_point() or tokens.ndim != 2 or tokens.shape[1] < 6:
            continue
        middle = tokens.shape[1] // 2
        changed = torch.clone(tokens)
        changed[:, middle] = tokens[:, middle].roll(1, 0)
        moved = (changed != tokens).any(1)
        if not bool(moved.any()):
            continue
        before = specimen.observe(batch).losses
        after = specimen.observe(mapped(batch, _exchange(tokens, changed))).losses
        if len(before) != len(after):
            continue
        for one, other in zip(before, after, strict=True):
            offset = _offset(one, other, tokens, middle)
            if offset is not None:
                found.append(Offset(offset, path))
    return tuple(found)


def _offset(before: LossCall, after: LossCall, tokens: Tensor, middle: int) -> tuple[float, ...] | None:
    if before.name not in {"cross_entropy", "nll_loss"} or before.target.is_floating_point():
        return None
    count = len(tokens)
    rows, others = _rows(before, count), _rows(after, count)
    if rows is None or others is None or rows.shape != others.shape:
        return None
    length = rows.shape[1]
    differs = ((rows - others).abs().amax(2) > 1e-5 * rows.abs().max()).any(0)
    first = int(differs.to(torch.int8).argmax())
    # What changes from the very first position on looks ahead, or does not know positions.
    if not bool(differs.any()) or first == 0 or abs(first - middle) > 2:
        return None
    target = before.target.reshape(count, length)
    kept = target != before.options.get("ignore_index", -100)
    matches: list[float] = []
    for ahead in range(_FURTHEST):
        start = middle - first + ahead
        stop = min(length, tokens.shape[1] - start)
        begin = max(0, -start)
        counted = kept[:, begin:stop]
        same = target[:, begin:stop] == tokens[:, begin + start : stop + start]
        matches.append(float(same[counted].double().mean()) if bool(counted.any()) else 0.0)
    return tuple(matches)


def _rows(call: LossCall, count: int) -> Tensor | None:
    """Predictions as (examples, positions, classes)."""
    prediction = call.prediction
    if prediction.ndim == 3 and len(prediction) == count and call.target.ndim == 2:
        return prediction.movedim(1, 2)
    if prediction.ndim == 2 and len(prediction) % count == 0 and len(prediction) > 2 * count:
        return prediction.reshape(count, -1, prediction.shape[1])
    return None


def _exchange(wanted: Tensor, changed: Tensor) -> Callable[[Any], Any]:
    def exchange(leaf: Any) -> Any:
        return changed if leaf is wanted else leaf

    return exchange
