"""Where in what is predicted of an image a spot of the image appears."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from art_training.probes.alignment import AS_THEY_ARE, TURNS, Maps, image_axes, maps, turn, turn_back, within
from art_training.probes.cost import lighter
from art_training.probes.passes import passed
from art_training.probes.rescaled import Course, few_steps
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, mapped

_SPOTS = ((0.15, 0.35), (0.1, 0.3), (0.35, 0.12))  # of height and width; no position of an image brings one near itself
_NEAR = 0.08  # of the size, about a spot
_CLEAR = 4.0  # times what appears in any other position
_KNOWN = 0.3  # correlation, for surroundings to say something of targets
_ROWS = 8
_FEWEST = 16


@dataclass(frozen=True)
class Positions:
    """How predictions lie on the image, and targets.

    Attributes:
        predictions: the position that spots of the image appear in.
        fits: the mean correlation of targets with what surroundings say of them, as they are.
        fits_turned: the same with the image in the position of the predictions.
        as_it_is: a few steps of training.
        turned: a few steps with each image so that predictions come to lie on the targets; None where none were made.
    """

    predictions: str
    fits: float
    fits_turned: float
    as_it_is: Course | None = None
    turned: Course | None = None

    @property
    def apart(self) -> bool:
        """Whether targets lie on the images, and predictions do not."""
        return self.predictions != AS_THEY_ARE and self.fits > _KNOWN and self.fits > 2 * self.fits_turned


@cache
def positions(inputs: tuple[str, ...], target: str) -> Callable[[Specimen], Positions | None]:
    """A probe; its answer is None where there is not one map for one image, or where spots appear at no place of their own."""

    def probe(specimen: Specimen) -> Positions | None:
        batch = specimen.batches[0]
        found = entries(batch)
        paths = [path for path in inputs if image_axes(found.get(path), found.get(target)) is not None]
        known = maps(specimen.batches, inputs, target)
        if len(paths) != 1 or known is None or len(known.images) < _FEWEST:
            return None
        if not found[paths[0]].is_floating_point():
            return None
        axes = image_axes(found[paths[0]], found[target]) or (2, 3)
        how = _predicted(specimen, paths[0], axes)
        if how is None:
            return None
        mine = within(known)
        if how == AS_THEY_ARE:
            return Positions(how, float(mine.as_they_are.mean()), 0.0)
        other = within(Maps(turn(known.images, how), known.targets))
        seen = Positions(how, float(mine.as_they_are.mean()), float(other.as_they_are.mean()))
        if not seen.apart or not specimen.automatic or len(specimen.optimizers) != 1:
            return seen
        light = lighter(specimen)
        changed = tuple(_turned(one, paths[0], axes, how) for one in light.batches)
        courses: list[Course | None] = []
        for batches in (light.batches, changed):
            with specimen.kept():
                courses.append(few_steps(light, batches))
        return Positions(how, seen.fits, seen.fits_turned, *courses)

    return probe


def _predicted(specimen: Specimen, path: str, axes: tuple[int, int]) -> str | None:
    """The position that all spots appear in."""
    light = lighter(specimen)
    batch = light.batches[0]
    image: Tensor = entries(batch)[path]
    size = tuple(image.shape[axis] for axis in axes)
    before = _prediction(light, batch, size)
    if before is None:
        return None
    found: set[str | None] = set()
    for share in _SPOTS:
        spot = torch.zeros(size)
        row, column = (round(one * length) for one, length in zip(share, size, strict=True))
        spot[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = 1
        shape = [size[axes.index(axis)] if axis in axes else 1 for axis in range(image.ndim)]
        bump = 3 * image.std() * spot.reshape(shape).to(image)
        after = _prediction(light, mapped(batch, lambda leaf, new=image + bump: new if leaf is image else leaf), size)
        if after is None or after.shape != before.shape:
            return None
        moved = (after - before)[:_ROWS].abs().double().flatten(0, -3).mean(0)
        found.add(_place(moved, (row, column)))
    return found.pop() if len(found) == 1 else None


def _prediction(specimen: Specimen, batch: Any, size: tuple[int, ...]) -> Tensor | None:
    """What is compared with maps; None where its last axes are no height and width."""
    compared = [one for _, one, _ in passed(specimen, batch).compared if one.ndim > 2]
    return compared[0].detach() if compared and tuple(compared[0].shape[-2:]) == size else None


def _place(moved: Tensor, spot: tuple[int, int]) -> str | None:
    height, width = moved.shape
    mark = torch.zeros_like(moved)
    radius = max(1, round(_NEAR * min(height, width)))
    row, column = spot
    mark[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = 1
    strength = {
        name: float((turn(mark, name) * moved).sum()) / float(mark.sum())
        for name, (across, _, _) in TURNS.items()
        if height == width or not across
    }
    first, second = sorted(strength, key=lambda name: -strength[name])[:2]
    return first if strength[first] > _CLEAR * strength[second] else None


def _turned(batch: Any, path: str, axes: tuple[int, int], how: str) -> Any:
    image: Tensor = entries(batch)[path]
    ends = image.movedim(axes, (-2, -1))
    new = turn_back(ends, how).movedim((-2, -1), axes).contiguous()
    return mapped(batch, lambda leaf: new if leaf is image else leaf)
