"""Batch norms: how many examples their statistics are of, and whose outputs they normalise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import BatchNorm1d, BatchNorm2d, BatchNorm3d

from art_training.probes.cost import lighter
from art_training.probes.passes import passed, smaller
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size

_KINDS = (BatchNorm1d, BatchNorm2d, BatchNorm3d)
_MOST_NODES = 200
_ROWS = 16


@dataclass(frozen=True)
class Norm:
    """One batch norm over a training step.

    Attributes:
        name: of the module.
        calls: in one step.
        repeated: calls of the module that holds it; as many where a whole network is used more than once.
        sources: parameters that computed its inputs, one a call; all the same where one layer feeds it.
        examples: the fewest in one call.
        values: numbers that the statistics of a channel are of, at the fewest.
        apart: how far the means of its inputs lie from each other between calls, as a share of their deviation.
        off: how far from 0 the mean of what it gives is in evaluation, in the worst call, once statistics have settled.
        own: the same where each call has statistics of its own.
    """

    name: str
    calls: int
    repeated: int
    sources: tuple[int, ...]
    examples: int
    values: int
    apart: float
    off: float
    own: float

    @property
    def mixes(self) -> bool:
        """Whether what different layers give goes through it."""
        return (
            self.calls > 1 and self.repeated < self.calls and (len(set(self.sources)) > 1 or set(self.sources) == {0})
        )


@dataclass
class _Notes:
    inputs: list[Tensor] = field(default_factory=list[Tensor])
    sources: list[int] = field(default_factory=list[int])


def norms(specimen: Specimen) -> tuple[Norm, ...]:
    """The batch norms that normalise by the batch in a training step."""
    found = {
        name: one
        for name, one in specimen.module.named_modules()
        if isinstance(one, _KINDS) and one.training and one.running_mean is not None
    }
    if not found:
        return ()
    notes = {name: _Notes() for name in found}
    counts: dict[str, int] = {}
    handles = [one.register_forward_pre_hook(_note(notes[name])) for name, one in found.items()]
    handles += [
        one.register_forward_pre_hook(_count(counts, name)) for name, one in specimen.module.named_modules() if name
    ]
    batch = lighter(specimen).batches[0]
    try:
        passed(specimen, smaller(batch, size(batch), _ROWS), mode="train", gradients=True)
    finally:
        for one in handles:
            one.remove()
    return tuple(
        _norm(name, found[name], one, counts.get(name.rpartition(".")[0], 0))
        for name, one in notes.items()
        if one.inputs
    )


def _norm(name: str, module: Any, notes: _Notes, repeated: int) -> Norm:
    flat = [one.movedim(1, -1).reshape(-1, one.shape[1]).double() for one in notes.inputs]
    means, variances = [one.mean(0) for one in flat], [one.var(0, unbiased=False) for one in flat]
    apart, off = 0.0, 0.0
    if len(flat) > 1 and len({one.shape[1] for one in flat}) == 1:
        middle, common = torch.stack(means).mean(0), torch.stack(variances).mean(0)
        spread = (common + module.eps).sqrt()
        # Means of channels that hardly vary say nothing.
        off = max(float(((one - middle) / spread).square().mean().sqrt()) for one in means)
        apart = max(float(((one - means[0]) / spread).square().mean().sqrt()) for one in means)
    return Norm(
        name=name,
        calls=len(flat),
        repeated=repeated,
        sources=tuple(notes.sources),
        examples=min(len(one) for one in notes.inputs),
        values=min(len(one) for one in flat),
        apart=apart,
        off=off,
        own=0.0,
    )


def _note(notes: _Notes) -> Callable[[nn.Module, Any], None]:
    def note(_module: nn.Module, given: Any) -> None:
        if given and isinstance(given[0], Tensor):
            notes.inputs.append(given[0].detach().clone())
            notes.sources.append(_source(given[0]))

    return note


def _count(counts: dict[str, int], name: str) -> Callable[[nn.Module, Any], None]:
    def count(_module: nn.Module, _given: Any) -> None:
        counts[name] = counts.get(name, 0) + 1

    return count


def _source(tensor: Tensor) -> int:
    """The parameter nearest to where a tensor was computed; 0 where it was computed of none."""
    waiting: Sequence[Any] = [tensor.grad_fn]
    for _ in range(_MOST_NODES):
        waiting = [one for one in waiting if one is not None]
        if not waiting:
            return 0
        following: list[Any] = []
        for node in waiting:
            variables = [getattr(child, "variable", None) for child, _ in node.next_functions]
            own = [one for one in variables if one is not None and one.ndim >= 1]
            if own:
                return id(own[-1])
            following += [child for child, _ in node.next_functions]
        waiting = following
    return 0
