"""Gradients that a step which optimises by itself adds up over several batches: their number, and what their mean would do."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import affordable
from art_training.probes.direction import LossValues
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import Differentiated, steps
from art_training.probes.steps import parameters_of
from art_training.setup.data.batch import mapped, size

_MOST = 64  # batches an optimiser step that are waited for
_STEPS = 20  # of the optimiser, in each of two courses
_FEWEST = 6
_SECONDS = 4.0
_EXACT = 1e-4


@dataclass(frozen=True)
class AddedUp:
    """Gradients of several batches in one optimiser step.

    Attributes:
        batches: how many.
        first: the mean loss of a batch before the first step.
        last: after some steps as they are; infinite where it was not finite.
        divided: likewise with gradients over the number of batches.
        steps: of the optimiser in each course; 0: there was no time for enough of them.
        rate: the learning rate of its first group.
    """

    batches: int
    first: float
    last: float
    divided: float
    steps: int
    rate: float

    @property
    def too_large(self) -> bool:
        """Whether steps learn next to nothing, where smaller ones come further: that is only where the larger overshoot."""
        return self.steps > 0 and self.last >= 0.9 * self.first and self.divided <= 0.97 * min(self.first, self.last)


def added_up(specimen: Specimen) -> AddedUp | None:
    """What is added up; None where it is not the plain sum of mean losses of several batches, in one optimiser.

    Gradients that are cut or divided before the optimiser steps are no sum, whatever their size was.
    """
    if specimen.automatic or len(specimen.optimizers) != 1:
        return None
    counted = _counted(specimen)
    if counted is None or counted[0] < 2:
        return None
    batches, parts = counted
    if parts > 1 and not _is_apart(specimen):
        return None
    calls = affordable(specimen, -(-_STEPS * batches // parts), seconds=_SECONDS, least=-(-batches // parts))
    made = calls * parts // batches
    if made < _FEWEST:
        return AddedUp(batches, 0.0, 0.0, 0.0, 0, _rate(specimen))
    calls = made * batches // parts
    as_it_is, divided = _course(specimen, calls, 1), _course(specimen, calls, batches)
    few = max(batches, parts * len(specimen.batches))
    first = sum(as_it_is[:batches]) / batches
    last, other = (sum(one[-few:]) / few for one in (as_it_is, divided))
    finite = last if abs(last) < torch.inf else torch.inf
    return AddedUp(batches, first, finite, other, made, _rate(specimen))


@dataclass
class _Watch:
    """What becomes of the gradients of one optimiser.

    Attributes:
        arrived: the square of each gradient's norm, when something was last added to it.
        used: losses that were added up in each step; None of a step whose gradients are another thing than what arrived.
        calls: of `backward` that have added something since gradients were empty.
    """

    arrived: dict[int, float] = field(default_factory=dict[int, float])
    used: list[int | None] = field(default_factory=list["int | None"])
    calls: int = 0


def _counted(specimen: Specimen) -> tuple[int, int] | None:
    """Batches an optimiser step, and how many a call of the training step takes its batch apart into.

    None where steps differ in it, or losses are not means that are differentiated as they are.
    """
    optimizer = specimen.optimizers[0]
    watch = _Watch()
    parts: set[int] = set()
    with specimen.kept(), _watching(optimizer, watch), _Counting(optimizer, watch):
        optimizer.zero_grad()
        for index in range(_MOST):
            parts.add(_whole(specimen, index))
            if 0 in parts or len(parts) > 1:
                return None
            if len(watch.used) >= 2:
                break
    used = watch.used[0] if len(watch.used) == 2 and len(set(watch.used)) == 1 else None
    return None if used is None else (used, parts.pop())


def _is_apart(specimen: Specimen) -> bool:
    """Whether the losses of a step are of other examples each, and all of the batch; several of the same ones are one objective."""
    seen = specimen.once(steps)[0]
    rows = [len(one.prediction) for one in seen.calls if one.learns and one.prediction.ndim]
    return sum(rows) == size(seen.batch)


def _whole(specimen: Specimen, index: int) -> int:
    """How many means a call of the step differentiates as they are, each of one loss of torch; 0 where it does otherwise."""
    totals: list[float] = []
    with LossValues() as values, Differentiated(totals):
        _step(specimen, index)
    known = [value for _, value in values.found if value.requires_grad and value.numel() == 1]
    if len(known) != len(totals):
        return 0
    values_of = [float(one.detach()) for one in known]
    same = all(abs(one - value) <= _EXACT * abs(value) for one, value in zip(totals, values_of, strict=True))
    return len(totals) if same else 0


def _step(specimen: Specimen, index: int) -> None:
    with specimen.in_mode("train"), torch.enable_grad():
        specimen.step(mapped(specimen.batches[index % len(specimen.batches)], lambda leaf: leaf), index)


def _course(specimen: Specimen, calls: int, divisor: int) -> list[float]:
    """The losses of so many calls, gradients over a number before each step."""
    optimizer = specimen.optimizers[0]
    losses: list[float] = []

    def divide(stepping: Optimizer, *_: Any) -> None:
        for one in parameters_of(stepping):
            if one.grad is not None:
                one.grad.div_(divisor)

    handle = optimizer.register_step_pre_hook(divide)
    try:
        with specimen.kept():
            optimizer.zero_grad()
            for index in range(calls):
                with LossValues() as values:
                    _step(specimen, index)
                losses += [float(value.detach()) for _, value in values.found if value.requires_grad]
    finally:
        handle.remove()
    return losses


class _Counting(TorchFunctionMode):
    """Counts the losses that are differentiated, from each time on that gradients are empty."""

    def __init__(self, optimizer: Optimizer, watch: _Watch) -> None:
        super().__init__()
        self._optimizer = optimizer
        self._watch = watch

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and count it where it differentiates."""
        del types
        if func is Tensor.backward:
            if all(one.grad is None or not bool(one.grad.any()) for one in parameters_of(self._optimizer)):
                self._watch.calls = 0
                self._watch.arrived.clear()
            self._watch.calls += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def _watching(optimizer: Optimizer, watch: _Watch) -> Generator[None]:
    def arrived(parameter: Tensor) -> None:
        if parameter.grad is not None:
            watch.arrived[id(parameter)] = float(parameter.grad.square().sum())

    def stepping(one: Optimizer, *_: Any) -> None:
        now = sum(float(each.grad.square().sum()) for each in parameters_of(one) if each.grad is not None)
        before = sum(watch.arrived.values())
        watch.used.append(watch.calls if abs(now - before) <= _EXACT * before else None)

    with ExitStack() as stack:
        for one in parameters_of(optimizer):
            if one.requires_grad:
                stack.callback(one.register_post_accumulate_grad_hook(arrived).remove)
        stack.callback(optimizer.register_step_pre_hook(stepping).remove)
        yield


def scale_free(specimen: Specimen) -> bool:
    """Whether all optimisers give updates of the same size whatever the scale of the gradient."""
    names = ("Adam", "RMSprop", "Adagrad", "Lion", "Rprop", "Adafactor", "LAMB", "Muon")
    return all(any(name.lower() in type(one).__name__.lower() for name in names) for one in specimen.optimizers)


def _rate(specimen: Specimen) -> float:
    return float(specimen.optimizers[0].param_groups[0]["lr"])
