"""Which examples an example's prediction depends on, told by exchanging one of them."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.cost import lighter
from art_training.probes.gradients_again import GradientsAgain
from art_training.probes.passes import examples, passed, ways
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import mapped, size

_SEEDS = (0, 1, 2)
_ROWS = 4  # of an expensive model: the first, the one that is exchanged, and others
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Mixing:
    """How far predictions move when another example of the batch is exchanged.

    Attributes:
        others: the largest change of another example's prediction, as a share of how much predictions differ.
        noise: the same without any exchange.
        changed: how many other examples' predictions changed, of how many.
        of: see `changed`.
        random: whether which examples move is drawn anew each time, as by augmentations and by samples of negatives.
        statistics: whether only batch norms without statistics of their own make it.
        held: the largest change of another example's prediction, as `others`, where gradients that the step takes meanwhile
            are held as they were; None where it takes none.
        learned: whether with these held no prediction changes: what the step learned of the batch within itself made it.
    """

    others: float
    noise: float
    changed: int
    of: int
    random: bool = False
    statistics: bool = False
    held: float | None = None
    learned: bool = False


def mixing(specimen: Specimen) -> Mixing | None:
    """Whether examples of a batch see each other, in evaluation mode; None where predictions are not known by example.

    The middle example becomes a copy of the first, in every entry that has a row an example; what is predicted of the
    others must not move.
    """
    batch = specimen.batches[0]
    count = examples(specimen, batch)
    if count is None:
        return None
    specimen = lighter(specimen, least=_ROWS)
    batch, count = specimen.batches[0], size(specimen.batches[0])
    found = _mixing(specimen, batch, count, 0)
    if found is None or not found.changed:
        return found
    held = GradientsAgain(specimen.module)
    without = _mixing(specimen, batch, count, 0, held)
    if held.taken and without is not None:
        found = replace(found, held=without.others, learned=not without.changed)
        if found.learned:
            return found
        found = replace(found, others=without.others, noise=without.noise, changed=without.changed)
    # Mixtures of examples that are drawn anew each time are an augmentation.
    rows = {_touched(specimen, batch, count, seed) for seed in _SEEDS}
    if len(rows) > 1:
        return replace(found, random=True)
    batchwise = [one for one in specimen.module.modules() if isinstance(one, _NORMS) and one.running_mean is None]
    if batchwise:
        handles = [one.register_forward_hook(lambda _module, given, _output: given[0]) for one in batchwise]
        try:
            without = _mixing(specimen, batch, count, 0)
        finally:
            for handle in handles:
                handle.remove()
        if without is not None and not without.changed:
            return replace(found, statistics=True)
    return found


def exchanged(batch: Any, index: int, count: int) -> Any:
    """The batch with one example become a copy of the first."""

    def change(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or leaf.ndim == 0 or len(leaf) != count:
            return leaf
        changed = torch.clone(leaf)
        changed[index] = leaf[0]
        return changed

    return mapped(batch, change)


def _mixing(specimen: Specimen, batch: Any, count: int, seed: int, held: GradientsAgain | None = None) -> Mixing | None:
    middle = count // 2
    around = () if held is None else (held,)
    versions = [
        passed(specimen, one, seed=seed, around=around).predictions(count)
        for one in (batch, batch, exchanged(batch, middle, count))
    ]
    worst: Mixing | None = None
    for before, again, after in zip(*versions, strict=False):
        if not before.shape == again.shape == after.shape:
            continue
        read = zip(ways(before, count), ways(again, count), ways(after, count), strict=True)
        known = [one for way in read if (one := _moved(*way, middle, count)) is not None]
        least = min(known, key=lambda one: one.changed, default=None)
        if least is not None and (worst is None or least.changed > worst.changed):
            worst = least
    return worst


def _moved(before: Tensor, again: Tensor, after: Tensor, middle: int, count: int) -> Mixing | None:
    flat = [one.detach().reshape(count, -1).double() for one in (before, again, after)]
    spread = float(flat[0].std(0).max())
    if not spread > 0:
        return None
    others = [index for index in range(count) if index != middle]
    moved = (flat[2] - flat[0])[others].abs().amax(1)
    noise = float((flat[1] - flat[0]).abs().max())
    # Single precision adds the same numbers in another order.
    limit = max(10 * noise, 1e-5 * spread, 1e-6 * float(flat[0].abs().max()))
    return Mixing(float(moved.max()) / spread, noise / spread, int((moved > limit).sum()), len(others))


def _touched(specimen: Specimen, batch: Any, count: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """For each module that the step calls: the rows of what enters it that another exchanged example changes."""
    middle = count // 2
    pair = [passed(specimen, one, seed=seed).calls for one in (batch, exchanged(batch, middle, count))]
    found: list[tuple[int, ...]] = []
    for first, second in zip(*pair, strict=False):
        rows: set[int] = set()
        for before, after in zip(first.inputs, second.inputs, strict=False):
            if before.shape != after.shape:
                continue
            changed = [
                set(torch.nonzero((one != other).any(1)).flatten().tolist())
                for one, other in zip(ways(before, count), ways(after, count), strict=True)
            ]
            rows |= min(changed, key=len, default=set[int]())
        found.append(tuple(sorted(rows - {middle})))
    return tuple(found)
