"""A few steps of the user's own optimiser, with inputs or targets as they are and brought to mean 0 and deviation 1."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from art_training.probes.cost import affordable, lighter
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import children, entries

_STEPS = 40
_SECONDS, _LEAST = 2.0, 8  # of each course; where a step takes long there are fewer, and as many in both
_TINY = 1e-8


@dataclass(frozen=True)
class Course:
    """The loss over a few steps.

    Attributes:
        first: before any step, the mean over the batches.
        last: the mean of the last pass over the batches; infinite where a loss was not finite.
        steps: that were made.
    """

    first: float
    last: float
    steps: int


@dataclass(frozen=True)
class Rescaled:
    """Two courses from the same weights.

    Attributes:
        mean: of the entries, before.
        deviation: likewise.
        largest: the largest absolute value.
        as_it_is: with them as they are.
        standard: with each of mean 0 and deviation 1: feature by feature in a table, else as a whole.
    """

    mean: float
    deviation: float
    largest: float
    as_it_is: Course
    standard: Course


@cache
def rescaled(paths: tuple[str, ...]) -> Callable[[Specimen], Rescaled | None]:
    """A probe that compares the two; None where the step does not train by one optimiser, or an entry is no float."""

    def probe(specimen: Specimen) -> Rescaled | None:
        found = [entries(batch) for batch in specimen.batches]
        columns = {path: [one.get(path) for one in found] for path in paths}
        if not specimen.automatic or len(specimen.optimizers) != 1 or not paths:
            return None
        leaves = [x for column in columns.values() for x in column]
        numbers = [x for x in leaves if isinstance(x, Tensor) and x.is_floating_point()]
        if len(numbers) < len(leaves):
            return None
        values = torch.cat([x.flatten().double() for x in numbers])
        if not bool(values.isfinite().all()):
            return None
        moments = {path: _moments(column) for path, column in columns.items()}
        light = lighter(specimen)
        changed = tuple(_replaced(batch, moments) for batch in light.batches)
        with specimen.kept():
            as_it_is = few_steps(light, light.batches)
        with specimen.kept():
            standard = few_steps(light, changed)
        if as_it_is is None or standard is None:
            return None
        return Rescaled(float(values.mean()), float(values.std()), float(values.abs().max()), as_it_is, standard)

    return probe


def planned(specimen: Specimen) -> int | None:
    """How many steps the training would take in all; None where it is not known."""
    return specimen.plan.steps


def few_steps(specimen: Specimen, batches: tuple[Any, ...]) -> Course | None:
    """Some steps of the user's one optimiser on batches, within `kept()`; None where the step gives no loss that learns."""
    (optimizer,) = specimen.optimizers
    with torch.no_grad():
        before = [specimen.loss(batch) for batch in batches]
    if any(one is None for one in before):
        return None
    first = sum(float(one.detach()) for one in before if one is not None) / len(before)
    losses: list[float] = []
    for step in range(affordable(specimen, _STEPS, seconds=_SECONDS, least=_LEAST)):
        optimizer.zero_grad()
        loss = specimen.loss(batches[step % len(batches)])
        if loss is None or not loss.requires_grad:
            return None
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            return Course(first, math.inf, len(losses))
        loss.backward()
        if specimen.plan.clip is not None:
            torch.nn.utils.clip_grad_norm_(specimen.module.parameters(), specimen.plan.clip)
        optimizer.step()
        for schedule in specimen.schedules:
            if schedule.interval == "step" and not schedule.monitor:
                schedule.scheduler.step()
    tail = losses[-len(batches) :]
    return Course(first, sum(tail) / len(tail), len(losses))


def _moments(column: list[Any]) -> tuple[Tensor, Tensor]:
    """Mean and deviation: of each feature of a table, else of all numbers."""
    together = torch.cat(column)
    if together.ndim == 2 and together.shape[1] > 1:
        deviation = together.std(0)
        return together.mean(0), torch.where(deviation > _TINY, deviation, torch.ones_like(deviation))
    return together.mean(), together.std().clamp_min(_TINY)


def _replaced(batch: Any, moments: dict[str, tuple[Tensor, Tensor]], path: str = "") -> Any:
    """A copy of a batch with some entries standardised; containers keep their types where they can."""
    inner = children(batch)
    if inner is None:
        if path not in moments:
            return batch
        mean, deviation = moments[path]
        return (batch - mean) / deviation
    values = {name: _replaced(value, moments, f"{path}.{name}" if path else name) for name, value in inner.items()}
    if isinstance(batch, tuple | list):
        kind: Any = type(batch)
        return kind(**values) if hasattr(batch, "_fields") else kind(values.values())
    if isinstance(batch, dict):
        return dict(zip(batch, values.values(), strict=True))
    copy: Any = object.__new__(type(batch))
    for name, value in values.items():
        object.__setattr__(copy, name, value)
    return copy
