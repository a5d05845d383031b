"""What a model makes of the order of a sequence, and of what pads it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from art_training.probes.leaving_out import LeavingOut
from art_training.probes.passes import examples, passed
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, mapped

_FEWEST = 4  # positions


@dataclass(frozen=True)
class Moved:
    """How far predictions move.

    Attributes:
        share: the largest change, as a share of how much predictions differ.
        usual: the root of the mean square of the changes, likewise.
        noise: the same without a change of the input.
        examples: that were looked at.
        left_out: of what cutting padding off changes: `share` where it is left out of attention and means over positions;
            None of other changes.
    """

    share: float
    usual: float
    noise: float
    examples: int
    left_out: float | None = None


def reordered(specimen: Specimen) -> Moved | None:
    """How far predictions of whole sequences move when their positions are exchanged; None where there are none."""
    batch = specimen.batches[0]
    count = examples(specimen, batch)
    length = None if count is None else _length(batch, count)
    if count is None or length is None:
        return None
    order = torch.arange(length - 1, -1, -1)
    turned = mapped(batch, lambda leaf: leaf[:, order.to(leaf.device)] if _runs(leaf, count, length) else leaf)
    before, again, after = (passed(specimen, one).predictions(count) for one in (batch, batch, turned))
    whole = [
        number for number, one in enumerate(before) if len(one) == count
    ]  # of positions others are the same turned
    return _moved(count, *([made[number] for number in whole] for made in (before, again, after)))


@cache
def padded(token: float, path: str = "") -> Callable[[Specimen], Moved | None]:
    """The probe of how far predictions move when padding at the end is cut off, and whether masks in the model would end that.

    Of predictions at each position those at real ones count. None where there is nothing to cut, or where the model takes no
    shorter sequences.

    Args:
        token: what pads sequences.
        path: of these sequences in the batch; by default the first entry that may be some.
    """

    def probe(specimen: Specimen) -> Moved | None:
        batch = specimen.batches[0]
        count = examples(specimen, batch)
        known = entries(batch).get(path) if path else None
        length = None if count is None else _length(batch, count) if known is None else int(known.shape[1])
        if count is None or length is None:
            return None
        tokens = (
            next(leaf for leaf in entries(batch).values() if _runs(leaf, count, length)) if known is None else known
        )
        real = (tokens != token).reshape(count, length, -1).any(2)
        ends = (real * torch.arange(1, length + 1, device=real.device)).amax(1)
        longest = int(ends.median())
        rows = torch.nonzero((ends <= longest) & (ends > 0)).flatten()
        if len(rows) < 2 or longest >= length:
            return None
        few = mapped(
            batch, lambda leaf: leaf[rows] if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == count else leaf
        )
        cut = mapped(few, lambda leaf: leaf[:, :longest] if _runs(leaf, len(rows), length) else leaf)
        try:
            # By other random numbers: as many are drawn as there are positions, so that none are the same where some are cut off.
            before, again, after = (
                passed(specimen, one, seed=seed).predictions(len(rows)) for one, seed in ((few, 0), (few, 1), (cut, 0))
            )
        except Exception:  # noqa: BLE001  The user's code, which may take sequences of one length only.
            return None
        whole = torch.arange(length, device=ends.device) < ends[rows][:, None]
        kept = whole[:, :longest]
        found = _moved(len(rows), *_at_real_positions(before, again, after, kept, length))
        if found is None or not found.share > 10 * found.noise:
            return found
        try:
            one, other = (
                passed(specimen, batch, around=(LeavingOut(real),)).predictions(len(rows))
                for batch, real in ((few, whole), (cut, kept))
            )
        except Exception:  # noqa: BLE001  The user's code, whose tensors may only look like sequences.
            return found
        without = _moved(len(rows), *_at_real_positions(one, one, other, kept, length))
        return found if without is None else replace(found, left_out=without.share)

    return probe


def _at_real_positions(
    before: Sequence[Tensor], again: Sequence[Tensor], after: Sequence[Tensor], kept: Tensor, length: int
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Of predictions at each position those at `kept` (rows, longest), (kept, ...) each; others as they are."""
    found: tuple[list[Tensor], list[Tensor], list[Tensor]] = [], [], []
    for tensors in zip(before, again, after, strict=False):
        axis = _axis(tensors[0], tensors[2], len(kept), length, kept.shape[1])
        for into, one, positions in zip(found, tensors, (length, length, kept.shape[1]), strict=True):
            if axis is None:
                into.append(one)
                continue
            whole = one.reshape(len(kept), positions, *one.shape[1:]) if axis == 0 else one.movedim(axis, 1)
            into.append(whole[:, : kept.shape[1]][kept.to(one.device)])
    return found


def _axis(before: Tensor, after: Tensor, count: int, length: int, longest: int) -> int | None:
    """Where predictions have the positions that were cut, 0 where these are in one dimension with the examples; or None."""
    if before.ndim != after.ndim:
        return None
    changed = [axis for axis in range(before.ndim) if before.shape[axis] != after.shape[axis]]
    if len(changed) != 1:
        return None
    (axis,), each = changed, count if changed == [0] else 1
    return axis if (before.shape[axis], after.shape[axis]) == (each * length, each * longest) else None


def _moved(count: int, before: Sequence[Tensor], again: Sequence[Tensor], after: Sequence[Tensor]) -> Moved | None:
    for first, second, third in zip(before, again, after, strict=False):
        if first.shape != third.shape or first.shape != second.shape:
            continue
        flat = [tensor.detach().double() for tensor in (first, second, third)]
        spread = max(float(flat[place].std(0).max()) for place in (0, 2))  # of either: one may be the same for all
        if spread > 0:
            change, noise = flat[2] - flat[0], flat[1] - flat[0]
            return Moved(
                share=float(change.abs().max()) / spread,
                usual=float(change.square().mean().sqrt()) / spread,
                noise=float(noise.abs().max()) / spread,
                examples=count,
            )
    return None


def _length(batch: Any, count: int) -> int | None:
    """How many positions sequences have: tokens in two dimensions, or vectors in three."""
    for leaf in entries(batch).values():
        if isinstance(leaf, Tensor) and len(leaf.shape) > 1 and len(leaf) == count and leaf.shape[1] >= _FEWEST:
            if leaf.ndim == 2 and not leaf.is_floating_point():
                return int(leaf.shape[1])
            if leaf.ndim == 3:
                return int(leaf.shape[1])
    return None


def _runs(leaf: Any, count: int, length: int) -> bool:
    return isinstance(leaf, Tensor) and leaf.ndim >= 2 and tuple(leaf.shape[:2]) == (count, length)
