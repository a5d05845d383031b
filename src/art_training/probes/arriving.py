"""One training step of the first batch, recorded for every probe that asks what of it arrives at which parameter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.passes import smaller
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size

_MOST_NODES = 50_000


@dataclass(frozen=True)
class Arriving:
    """A step in training mode on fresh weights.

    Attributes:
        loss: None where the step returns none.
        norms: of each parameter's gradient, in double precision, so that it is finite where every number is, and 0 only where
            all are; None where none arrives.
        sparse: parameters whose gradients are of the rows that were looked up alone.
        foreign: whether a parameter enters the loss that the model does not own.
    """

    loss: float | None
    norms: Mapping[str, float | None]
    sparse: frozenset[str]
    foreign: bool


def arriving(specimen: Specimen, *, rows: int) -> Arriving:
    """What the loss of the first rows of the first batch gives each parameter; made once for each number of rows.

    To be asked before an experiment changes anything, and of a step that leaves optimising to the trainer: one that
    optimises by itself has more than one beginning to look at.

    Args:
        specimen: as it was made.
        rows: at most.

    Raises:
        Exception: whatever the step raises.
    """
    assert specimen.automatic
    batch = specimen.batches[0]
    count = size(batch)
    if count > rows:
        batch, count = smaller(batch, count, rows), rows
    key = (Arriving, count)
    if key not in specimen.notes:
        with specimen.kept():
            specimen.notes[key] = _recorded(specimen, batch)
    return specimen.notes[key]


def entering(root: Tensor) -> Iterator[nn.Parameter]:
    """The parameters in the graph of a tensor."""
    seen: set[Any] = set()
    waiting: list[Any] = [root.grad_fn]
    while waiting and len(seen) < _MOST_NODES:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, nn.Parameter):
            yield variable
        waiting += [child for child, _ in node.next_functions]


def _recorded(specimen: Specimen, batch: Any) -> Arriving:
    known = {id(one) for one in specimen.module.parameters()}
    for parameter in specimen.module.parameters():
        parameter.grad = None
    loss = specimen.loss(batch)
    foreign = loss is not None and any(id(one) not in known for one in entering(loss))
    if loss is not None and loss.requires_grad:
        loss.backward()
    named = dict(specimen.module.named_parameters())
    return Arriving(
        None if loss is None else float(loss.detach().float().sum()),
        {name: None if one.grad is None else _norm(one.grad) for name, one in named.items()},
        frozenset(name for name, one in named.items() if one.grad is not None and one.grad.is_sparse),
        foreign,
    )


def _norm(gradient: Tensor) -> float:
    values = gradient.detach().coalesce().values() if gradient.is_sparse else gradient.detach()
    return float(torch.linalg.vector_norm(values.abs() if values.is_complex() else values, dtype=torch.float64))
