"""Entries of a batch that a module is given as arguments, and that change nothing."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.passes import passed
from art_training.probes.responses import exchanged, replaced
from art_training.probes.specimen import Mode, Specimen
from art_training.probes.step_losses import totals
from art_training.setup.data.batch import entries, rows, size

_MOST_ENTRIES = 8
_NOISE = 0.05  # of weights: enough that gates and last layers of zeros let something through
_RELATIVE = 1e-5  # single precision, summed in another order
_MODES: tuple[Mode, ...] = ("evaluate", "train")


@dataclass(frozen=True)
class Taken:
    """An entry that a module is given and that changes nothing.

    Attributes:
        path: of the entry.
        module: the class of the innermost module that is given it.
        where: file and line of that class, where it is known.
        changed: the most that the loss changes when rows of the entry are exchanged among the examples or made all alike.
        others: the same of the entry that changes it most.
        noise: what two computations of the same differ by.
    """

    path: str
    module: str
    where: str
    changed: float
    others: float
    noise: float


def taken(specimen: Specimen) -> tuple[Taken, ...] | None:
    """Entries of floating point that a module is given in vain; None where no loss is seen."""
    batch = specimen.batches[0]
    count = size(batch)
    leaves = {
        path: leaf
        for path, leaf in entries(batch).items()
        if isinstance(leaf, Tensor)
        and leaf.is_floating_point()
        and rows(leaf) == count
        and not bool((leaf == leaf[:1]).all())
    }
    if count < 4 or not leaves or len(leaves) > _MOST_ENTRIES:
        return ()
    with torch.no_grad():
        for parameter in specimen.module.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter) * _NOISE)
    with _given(specimen.module, leaves) as owners:
        before: dict[Mode, tuple[float, ...]] = {mode: totals(specimen, batch, mode=mode) for mode in _MODES}
    if not before["evaluate"]:
        return None
    loss = sum(before["evaluate"])
    noise = 10 * abs(sum(totals(specimen, batch)) - loss) + _RELATIVE * sum(abs(one) for one in before["evaluate"])
    changes = {path: _change(specimen, batch, path, before) for path in leaves}
    most = max(changes.values())
    idle = [path for path in owners if changes[path] <= noise]
    if not idle or most <= 100 * noise:
        return ()
    return tuple(
        Taken(path, type(owners[path]).__name__, _where(owners[path]), changes[path], most, noise)
        for path in idle
        if not _compared_otherwise(specimen, batch, path)
    )


def _change(specimen: Specimen, batch: Any, path: str, before: dict[Mode, tuple[float, ...]]) -> float:
    others = [exchanged(batch, path), replaced(batch, path)]
    return max(abs(sum(totals(specimen, other, mode=mode)) - sum(before[mode])) for mode in _MODES for other in others)


def _compared_otherwise(specimen: Specimen, batch: Any, path: str) -> bool:
    """Whether something that a loss compares follows the entry: the loss may be weighed with nothing on purpose."""
    first, second = (passed(specimen, one).compared for one in (batch, exchanged(batch, path)))
    return len(first) != len(second) or any(
        not torch.equal(a, b)
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one[1:], other[1:], strict=True)
    )


@contextmanager
def _given(root: nn.Module, leaves: dict[str, Tensor]) -> Generator[dict[str, nn.Module]]:
    """Fills with the innermost module that is given each entry."""
    owners: dict[str, nn.Module] = {}

    def enter(module: nn.Module, args: Any, keywords: Any) -> None:
        given = [one for one in (*args, *keywords.values()) if isinstance(one, Tensor)]
        for path, leaf in leaves.items():
            if any(one is leaf or _views(one, leaf) for one in given):
                owners[path] = module

    handles = [one.register_forward_pre_hook(enter, with_kwargs=True) for one in root.modules()]
    try:
        yield owners
    finally:
        for handle in handles:
            handle.remove()


def _views(one: Tensor, leaf: Tensor) -> bool:
    return one.numel() == leaf.numel() and one.dtype == leaf.dtype and one.data_ptr() == leaf.data_ptr()


def _where(module: nn.Module) -> str:
    if type(module).__module__.startswith("torch."):
        return ""
    try:
        _, line = inspect.getsourcelines(type(module))
        return f"{inspect.getsourcefile(type(module))}:{line}"
    except (OSError, TypeError):
        return ""
