"""Which way a loss is learned: up or down, with what is added to it, and at the size that it has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import affordable, lighter
from art_training.probes.one_batch import LEAST, SECONDS, OneBatch, learned
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size
from art_training.setup.scores.losses import LOSSES

_STEPS = 40


@dataclass(frozen=True)
class Slope:
    """What one call of a loss counts in the loss of the step.

    Attributes:
        name: of the loss.
        value: of the call, its mean.
        lowest: the smallest derivative of the step's loss by a value of the call.
        highest: the largest.
        single: whether the call gave one number.
    """

    name: str
    value: float
    lowest: float
    highest: float
    single: bool


def slopes(specimen: Specimen) -> tuple[Slope, ...] | None:
    """What each call counts; None where the step optimises by itself or returns no loss."""
    if not specimen.automatic:
        return None
    with LossValues() as values:
        loss = specimen.loss(lighter(specimen).batches[0])
    if loss is None or not loss.requires_grad:
        return None
    known = [(name, value) for name, value in values.found if value.requires_grad]
    if not known:
        return ()
    gradients = torch.autograd.grad(loss, [value for _, value in known], allow_unused=True)
    return tuple(
        Slope(name, float(value.detach().mean()), float(given.min()), float(given.max()), value.numel() == 1)
        for (name, value), given in zip(known, gradients, strict=True)
        if given is not None
    )


def turned(specimen: Specimen) -> OneBatch | None:
    """The course of one batch where the sign of the loss is turned; its losses are those of the turned one."""
    return learned(replace(specimen, step=_scaled(specimen, -1.0)))


@dataclass(frozen=True)
class OwnSteps:
    """Losses of an example in the first and in the last steps of the user's own optimiser.

    Attributes:
        first: before any step.
        last: the mean of the last steps; infinite where it was not finite.
        rate: the learning rate of its first group.
    """

    first: float
    last: float
    rate: float


def by_sum(specimen: Specimen) -> OwnSteps | None:
    """The user's optimiser on the loss as it is."""
    return _own_steps(specimen, mean=False)


def by_mean(specimen: Specimen) -> OwnSteps | None:
    """The user's optimiser on the loss over the number of examples."""
    return _own_steps(specimen, mean=True)


def _own_steps(specimen: Specimen, *, mean: bool) -> OwnSteps | None:
    """Some steps of the user's optimiser over the batches, at the highest rate that it was made with."""
    if not specimen.automatic or len(specimen.optimizers) != 1:
        return None
    optimizer = specimen.optimizers[0]
    for group in optimizer.param_groups:
        group["lr"] = max(float(group.get(name, 0.0)) for name in ("lr", "initial_lr", "max_lr"))
    losses: list[float] = []
    for step in range(affordable(specimen, _STEPS, seconds=SECONDS, least=LEAST)):
        batch = specimen.batches[step % len(specimen.batches)]
        optimizer.zero_grad()
        loss = specimen.loss(batch)
        if loss is None or not loss.requires_grad:
            return None
        losses.append(float(loss.detach()) / size(batch))
        (loss / size(batch) if mean else loss).backward()
        if specimen.plan.clip is not None:
            torch.nn.utils.clip_grad_norm_(specimen.module.parameters(), specimen.plan.clip)
        optimizer.step()
    few = len(specimen.batches)
    tail = losses[-few:]
    last = sum(tail) / few
    first = sum(losses[:1])
    return OwnSteps(first, last if last == last else float("inf"), float(optimizer.param_groups[0]["lr"]))  # noqa: PLR0124


def _scaled(specimen: Specimen, factor: float) -> Callable[[Any, int], Any]:
    def step(batch: Any, index: int) -> Any:
        returned = specimen.step(batch, index)
        found = returned.get("loss") if isinstance(returned, dict) else returned
        return found * factor if isinstance(found, Tensor) else None

    return step


class LossValues(TorchFunctionMode):
    """Keeps what losses of torch gave, with its graph."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Tensor]] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        value = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in LOSSES and LOSSES[name].paired and getattr(torch.nn.functional, name, None) is func:
            self.found.append((name, value))
        return value
