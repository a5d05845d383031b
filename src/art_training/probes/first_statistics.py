"""What enters the first batch norm that came with its statistics, against these, and whether another scale of the inputs explains it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.cost import lighter
from art_training.probes.modes import BatchNorm
from art_training.probes.rescaled import Course, few_steps
from art_training.probes.specimen import Specimen
from art_training.setup.called import Called
from art_training.setup.data.batch import entries, mapped

_FEWEST = 8  # channels, for which one scale and one shift to be right is no accident
_MOST = 0.8  # of the channels, that a distance holds for
_TWICE, _SHIFTED = math.log(2), 1.0  # how far a typical channel is off before anything is tried
_SAME, _NEAR = math.log(1.5), 0.5  # and most of them may be off afterwards
_THIRD = 1 / 3
_SEEN = 20  # batches that statistics were collected of; a pass on trial, as for finding shapes, makes fewer
_CENTRED, _UNIT = 0.75, (0.5, 2.0)  # mean and deviation of what was standardised by somebody's mean and deviation
_DARKEST, _BRIGHTEST = 0.01, 0.99  # shares of numbers between which a range is looked at
_RANGE = 0.1  # by which a map that was fitted may miss 0 and 1
_PARTS = 1_000_000  # numbers, that quantiles are of


@dataclass(frozen=True)
class Distance:
    """Of what enters a batch norm from its statistics.

    Attributes:
        scale: the factor between deviations, as a logarithm, of a typical channel; and that most channels stay below.
        shift: likewise between means, in deviations.
    """

    scale: tuple[float, float]
    shift: tuple[float, float]

    @property
    def far(self) -> bool:
        """Whether these are other statistics."""
        return self.scale[0] > _TWICE or self.shift[0] > _SHIFTED

    @property
    def near(self) -> bool:
        """Whether these are the same, in most channels."""
        return self.scale[1] < _SAME and self.shift[1] < _NEAR

    @property
    def size(self) -> float:
        """Both in one number."""
        return self.scale[0] + self.shift[0]


@dataclass(frozen=True)
class FirstStatistics:
    """The statistics of a batch norm, and those of what enters it.

    Attributes:
        layer: name of the batch norm.
        found: with the inputs as they are.
        factor: by which inputs must be multiplied to meet them.
        offset: that must be added then.
        met: with inputs changed so; None where nothing was tried.
        as_it_is: a few steps of training with the inputs as they are.
        changed: with inputs changed so; None where it was not tried.
        forgotten: whether either the inputs as they are, or these changed so, are standardised, and the others a range that
            begins with 0: what becomes of pixels when they are normalised, or are not.
    """

    layer: str
    found: Distance
    factor: float = 1.0
    offset: float = 0.0
    met: Distance | None = None
    as_it_is: Course | None = None
    changed: Course | None = None
    forgotten: bool = False

    @property
    def explained(self) -> bool:
        """Whether one scale and one shift of all inputs bring most channels to their statistics."""
        return self.met is not None and self.met.near and self.met.size < _THIRD * self.found.size


@cache
def first_statistics(
    inputs: tuple[str, ...], pretrained: tuple[str, ...], called: Called
) -> Callable[[Specimen], FirstStatistics | None]:
    """A probe; None where no batch norm with statistics from elsewhere is entered, or inputs are no floating point.

    Args:
        inputs: paths of what enters the model.
        pretrained: names of modules that are declared to be; every batch norm whose weights were loaded is, too.
        called: how the user calls them.
    """

    def probe(specimen: Specimen) -> FirstStatistics | None:
        leaves = [entries(batch).get(path) for batch in specimen.batches for path in inputs]
        if not leaves or not all(isinstance(one, Tensor) and one.is_floating_point() for one in leaves):
            return None
        light = lighter(specimen)
        known = _first(light, lambda name: called.means(pretrained, name))
        if known is None:
            return None
        name, norm = known

        def entered(factor: float, offset: float) -> tuple[Tensor, Tensor]:
            return _moments(light, norm, tuple(_changed(one, inputs, factor, offset) for one in light.batches))

        mean, deviation = entered(1.0, 0.0)
        found = _distance(norm, mean, deviation)
        if not found.far:
            return FirstStatistics(name, found)
        target, unit = _statistics(norm)
        factor = float((unit / deviation.clamp_min(1e-12)).log().median().exp())
        here, there = entered(factor, 0.0)[0], entered(factor, 1.0)[0]
        slope = there - here
        offset = float((slope * (target - here) / unit**2).sum() / (slope / unit).square().sum().clamp_min(1e-12))
        met = _distance(norm, *entered(factor, offset))
        values = torch.cat([one.flatten() for one in leaves if isinstance(one, Tensor)]).double()
        forgotten = _is_one_normalised(values[:: 1 + len(values) // _PARTS], factor, offset)
        seen = FirstStatistics(name, found, factor, offset, met, forgotten=forgotten)
        if not seen.explained or not specimen.automatic or len(specimen.optimizers) != 1:
            return seen
        courses: list[Course | None] = []
        for batches in (light.batches, tuple(_changed(one, inputs, factor, offset) for one in light.batches)):
            with specimen.kept():
                courses.append(few_steps(light, batches))
        return replace(seen, as_it_is=courses[0], changed=courses[1])

    return probe


def _first(specimen: Specimen, declared: Callable[[str], bool]) -> tuple[str, nn.Module] | None:
    """The first batch norm that the step calls, where it came with statistics."""
    called: list[nn.Module] = []
    hooks = [
        one.register_forward_pre_hook(lambda module, _given: called.append(module))
        for one in specimen.module.modules()
        if isinstance(one, BatchNorm)
    ]
    try:
        specimen.observe(specimen.batches[0])
    finally:
        for hook in hooks:
            hook.remove()
    name = next((name for name, one in specimen.module.named_modules() if called and one is called[0]), "")
    if not name:
        return None
    norm: Any = called[0]
    trained = norm.num_batches_tracked is not None and int(norm.num_batches_tracked) >= _SEEN
    if not declared(name) and f"{name}.weight" not in specimen.loaded and not trained:
        return None
    if norm.running_mean is None or norm.running_var is None or len(norm.running_var) < _FEWEST:
        return None
    fresh = not bool(norm.running_mean.any()) and bool((norm.running_var == 1).all())
    finite = bool(norm.running_mean.isfinite().all()) and bool(norm.running_var.isfinite().all())
    return None if fresh or not finite else (name, norm)


def _moments(specimen: Specimen, norm: nn.Module, batches: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
    """Mean and deviation by channel of what enters a batch norm first in each batch."""
    given: list[Tensor] = []
    heard: list[Tensor] = []
    hook = norm.register_forward_pre_hook(lambda _module, args: heard.append(args[0].detach()))
    try:
        for batch in batches:
            heard.clear()
            specimen.observe(batch)
            given.append(heard[0].movedim(1, 0).flatten(1).double())
    finally:
        hook.remove()
    together = torch.cat(given, dim=1)
    return together.mean(1), together.std(1)


def _statistics(norm: Any) -> tuple[Tensor, Tensor]:
    return norm.running_mean.double(), (norm.running_var.double() + norm.eps).sqrt()


def _distance(norm: Any, mean: Tensor, deviation: Tensor) -> Distance:
    target, unit = _statistics(norm)
    # As the layer has it, which adds a little to every variance.
    scale = ((deviation.square() + norm.eps).sqrt() / unit).log().abs()
    shift = (mean - target).abs() / unit
    return Distance(*((float(one.median()), float(one.quantile(_MOST))) for one in (scale, shift)))


def _is_one_normalised(values: Tensor, factor: float, offset: float) -> bool:
    """Whether of numbers and what a map makes of them one was standardised, and the other was not: it begins with 0."""
    changed = values * factor + offset
    return (_is_standard(changed) and _is_from_zero(values)) or (_is_standard(values) and _is_of_unit(changed))


def _is_standard(values: Tensor) -> bool:
    return (
        abs(float(values.mean())) < _CENTRED and _UNIT[0] < float(values.std()) < _UNIT[1] and bool((values < 0).any())
    )


def _is_from_zero(values: Tensor) -> bool:
    """Whether none is below 0, and the least ones are near it: pixels, as 0..1 or 0..255."""
    least, most = (float(values.quantile(one)) for one in (_DARKEST, _BRIGHTEST))
    return bool((values >= 0).all()) and least <= 0.25 * most


def _is_of_unit(values: Tensor) -> bool:
    least, most = (float(values.quantile(one)) for one in (_DARKEST, _BRIGHTEST))
    return -_RANGE <= least <= 0.25 and 0.5 <= most <= 1 + _RANGE


def _changed(batch: Any, inputs: tuple[str, ...], factor: float, offset: float) -> Any:
    found = entries(batch)
    chosen = {id(found[path]) for path in inputs}
    return mapped(batch, lambda leaf: leaf * factor + offset if id(leaf) in chosen else leaf)
