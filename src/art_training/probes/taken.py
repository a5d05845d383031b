"""Entries of a batch that a module is given as arguments, and that change nothing."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.passes import passed, smaller
from art_training.probes.responses import exchanged, replaced
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import totals
from art_training.setup.data.batch import entries, mapped, rows, size

_FEWEST_ENTRIES = 3  # an input that matters, one that does not, and a target
_MOST_ENTRIES = 8
_ROWS = 16
_NOISE = 0.05  # of weights: enough that gates and last layers of zeros let something through
_RELATIVE = 1e-5  # single precision, summed in another order


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
    count = min(size(specimen.batches[0]), _ROWS)
    batch = smaller(specimen.batches[0], size(specimen.batches[0]), count)
    beside = {path: leaf for path, leaf in entries(batch).items() if isinstance(leaf, Tensor) and rows(leaf) == count}
    leaves = {path: leaf for path, leaf in beside.items() if leaf.is_floating_point() and not _all_alike(leaf)}
    if count < 4 or not leaves or not _FEWEST_ENTRIES <= len(beside) <= _MOST_ENTRIES:
        return ()
    with torch.no_grad():
        for parameter in specimen.module.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter) * _NOISE)
    with _given(specimen.module, leaves) as owners:
        before = totals(specimen, batch)
    if not before:
        return None
    loss = sum(before)
    noise = 10 * abs(sum(totals(specimen, batch)) - loss) + _RELATIVE * sum(abs(one) for one in before)
    changes = {path: abs(sum(totals(specimen, exchanged(batch, path))) - loss) for path in beside}
    most = max(changes.values())
    if most <= 100 * noise:
        return ()
    found: list[Taken] = []
    for path, owner in owners.items():
        if changes[path] > noise:
            continue
        changed = max(changes[path], _change(specimen, batch, path, loss))
        if changed <= noise and not (_compared_otherwise(specimen, batch, path) or _reaches(specimen, batch, path)):
            found.append(Taken(path, type(owner).__name__, _where(owner), changed, most, noise))
    return tuple(found)


def _change(specimen: Specimen, batch: Any, path: str, loss: float) -> float:
    """What else an entry may change: made all alike, and in training mode."""
    alike = abs(sum(totals(specimen, replaced(batch, path))) - loss)
    training = [sum(totals(specimen, one, mode="train")) for one in (batch, exchanged(batch, path))]
    return max(alike, abs(training[1] - training[0]))


def _all_alike(leaf: Tensor) -> bool:
    return bool((leaf == leaf[:1]).all())


def _compared_otherwise(specimen: Specimen, batch: Any, path: str) -> bool:
    """Whether something that a loss compares follows the entry: the loss may be weighed with nothing on purpose."""
    first, second = (passed(specimen, one).compared for one in (batch, exchanged(batch, path)))
    return len(first) != len(second) or any(
        not torch.equal(a, b)
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one[1:], other[1:], strict=True)
    )


def _reaches(specimen: Specimen, batch: Any, path: str) -> bool:
    """Whether the loss was computed of the entry, though it does not change with it: times nothing, on purpose."""
    wanted = entries(batch)[path]
    leaf = wanted.detach().clone().requires_grad_()
    loss = specimen.loss(mapped(batch, lambda one: leaf if one is wanted else one))
    if loss is None or not loss.requires_grad:
        return False
    return torch.autograd.grad(loss, leaf, allow_unused=True)[0] is not None


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
