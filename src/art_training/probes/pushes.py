"""Whether a step of gradient descent brings what a layer gives nearer to the targets, or further from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from art_training.probes.cost import lighter
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries

_SURELY = 0.4  # more than nine tenths of the examples go one way


@dataclass(frozen=True)
class Pushes:
    """Examples whose prediction descent moves away from their target.

    Attributes:
        away: share of the examples that are moved at all.
        of: how many are moved.
    """

    away: float
    of: int


def pushes(specimen: Specimen, paths: Sequence[str]) -> Pushes | None:
    """Which way the output of the last layer that fits a target goes; None where none fits, or no graph was seen.

    A layer fits class numbers where it gives each example a score for each class, and other targets where it gives as many
    numbers.

    Args:
        specimen: within `kept()`; its step returns a loss.
        paths: of entries of the batch that may be targets.
    """
    batch = lighter(specimen).batches[0]
    outputs: list[Tensor] = []

    def keep(layer: Any, given: Any, output: Any) -> None:
        del layer, given
        if isinstance(output, Tensor) and output.requires_grad:
            outputs.append(output)

    handles = [one.register_forward_hook(keep) for one in specimen.module.modules()]
    try:
        loss = specimen.loss(batch, mode="evaluate")
    finally:
        for handle in handles:
            handle.remove()
    if loss is None or not loss.requires_grad:
        return None
    for path in paths:
        target = entries(batch)[path]
        found = [one for output in reversed(outputs) if (one := _moved(loss, output, target)) is not None]
        if found:
            # Beside what approximates the targets there may be a width of the same shape, which goes where it likes.
            return min(found, key=lambda one: abs(one.away - 0.5) < _SURELY)
    return None


def _moved(loss: Tensor, output: Tensor, target: Tensor) -> Pushes | None:
    """Which way an output goes; None where it fits no target, or is not moved."""
    side = _side(output, target)
    if side is None:
        return None
    (given,) = torch.autograd.grad(loss, [output], retain_graph=True, allow_unused=True)
    if given is None:
        return None
    moved = -(given.detach().reshape(side.shape) * side)
    per_example = moved.reshape(len(moved), -1).double().sum(1)
    per_example = per_example[per_example.abs() > 0]
    return Pushes(float((per_example < 0).double().mean()), len(per_example)) if len(per_example) else None


def _side(output: Tensor, target: Tensor) -> Tensor | None:
    """On which side of the output the target lies: positive where it should grow; None where they do not fit."""
    values = output.detach()
    count = len(target)
    if not target.is_floating_point() and target.dtype != torch.bool and target.ndim == 1:
        if (
            values.ndim == 2
            and len(values) == count
            and values.shape[1] > max(1, int(target.max()))
            and target.min() >= 0
        ):
            side = torch.full_like(values, -1 / (values.shape[1] - 1))
            return side.scatter(1, target[:, None], 1.0)
        if int(target.max()) > 1:
            return None
    if values.numel() != target.numel() or not values.ndim or len(values) != count:
        return None
    wanted = target.to(values.dtype).reshape(values.shape)
    if bool(((wanted == 0) | (wanted == 1)).all()):
        return wanted * 2 - 1
    return wanted - values
