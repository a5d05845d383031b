"""Whether images and the maps that are learned of them lie on each other, told by what a pixel's surroundings say of its target."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import detached, entries

_MOST_ROWS = 400
_MOST_CLASSES = 6
_SMALLEST, _LARGEST = 8, 64  # pixels a side; larger maps are averaged down to about that
_DECAY = 1e-3  # of the ridge, as a share of the variance of a feature

TURNS = {
    "as they are": (False, False, False),
    "mirrored left to right": (False, False, True),
    "mirrored top to bottom": (False, True, False),
    "turned by 180 degrees": (False, True, True),
    "with rows and columns exchanged": (True, False, False),
    "turned by 90 degrees": (True, True, False),
    "turned by 270 degrees": (True, False, True),
    "with rows and columns exchanged and turned by 180 degrees": (True, True, True),
}
AS_THEY_ARE = next(iter(TURNS))
MOVED = "moved to a side"


@dataclass(frozen=True)
class Maps:
    """Images with a target for each of their pixels.

    Attributes:
        images: (rows, channels, height, width).
        targets: (rows, kinds, height, width): of classes one map each, 1 where the class is.
        classes: their numbers; None where targets are no class numbers.
    """

    images: Tensor
    targets: Tensor
    classes: Tensor | None = None


@dataclass(frozen=True)
class Fit:
    """How well what is said of each pixel fits the targets, row by row.

    Attributes:
        as_they_are: (rows,) correlation of what is said with the targets.
        turned: (rows,) the largest with the image in another position.
        how: the position of each row, by name.
    """

    as_they_are: Tensor
    turned: Tensor
    how: tuple[str, ...]


def first_batches(specimen: Specimen) -> tuple[Any, ...]:
    """The batches that the step is given, as they are, on the processor."""
    return tuple(detached(one) for one in specimen.batches)


def maps(
    batches: Iterable[Any], inputs: tuple[str, ...], target: str | None, *, classes: Tensor | None = None
) -> Maps | None:
    """The images and maps of some batches; None where there is not one image with one map of its size.

    Args:
        batches: as a step is given them.
        inputs: paths of the entries that may be the image.
        target: path of the map.
        classes: of class numbers, those that are told apart; by default the most frequent ones of the first batch.
    """
    images: list[Tensor] = []
    targets: list[Tensor] = []
    rows = 0
    for batch in batches:
        found = entries(batch)
        learned = found.get(target) if target is not None else None
        placed = [one for path in inputs if (one := _image(found.get(path), learned)) is not None]
        if len(placed) != 1 or not isinstance(learned, Tensor):
            return None
        learned = learned if learned.ndim == 4 else learned.unsqueeze(1)
        if not learned.is_floating_point() and learned.shape[1] == 1:
            classes = _frequent(learned) if classes is None else classes
            learned = learned == classes.reshape(1, -1, 1, 1)
        step = max(1, min(placed[0].shape[2:]) // _LARGEST)
        images.append(functional.avg_pool2d(placed[0].float(), step))
        targets.append(functional.avg_pool2d(learned.float(), step))
        rows += len(learned)
        if rows >= _MOST_ROWS:
            break
    if not images or len({(one.shape[1:], two.shape[1:]) for one, two in zip(images, targets, strict=True)}) > 1:
        return None
    known = Maps(torch.cat(images)[:_MOST_ROWS], torch.cat(targets)[:_MOST_ROWS], classes)
    return known if bool(known.images.isfinite().all()) and bool(known.targets.isfinite().all()) else None


def image_axes(leaf: Any, target: Any) -> tuple[int, int] | None:
    """Where height and width of an image stand, which are those of a map; None where it is no image of that size."""
    if not isinstance(leaf, Tensor) or not isinstance(target, Tensor) or leaf.ndim != 4 or target.ndim not in {3, 4}:
        return None
    size, small = tuple(target.shape[-2:]), min(target.shape[-2:]) < _SMALLEST
    if small or len(leaf) != len(target):
        return None
    return next(((axis, axis + 1) for axis in (2, 1) if tuple(leaf.shape[axis : axis + 2]) == size), None)


class Surroundings:
    """Says of each pixel what its target is, by colour and contrast about it: wherever it is, and whichever way up.

    Args:
        known: images and targets that it learns from, by least squares.
    """

    def __init__(self, known: Maps) -> None:
        given = _features(known.images)
        self._mean = given.mean((0, 2, 3), keepdim=True)
        self._deviation = given.std((0, 2, 3), keepdim=True).clamp_min(1e-6)
        x = ((given - self._mean) / self._deviation).movedim(1, -1).flatten(0, 2).double()
        y = known.targets.movedim(1, -1).flatten(0, 2).double()
        gram = x.T @ x + _DECAY * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
        self._offset = y.mean(0)
        self._weights = torch.linalg.solve(gram, x.T @ (y - self._offset))

    def say(self, images: Tensor) -> Tensor:
        """(rows, kinds, height, width) of these images."""
        x = (_features(images) - self._mean) / self._deviation
        return (x.movedim(1, -1).double() @ self._weights + self._offset).movedim(-1, 1)


def within(known: Maps) -> Fit:
    """How well a half of some maps says the other half's."""
    halves = [slice(0, None, 2), slice(1, None, 2)]
    said = torch.zeros_like(known.targets, dtype=torch.float64)
    for mine, other in (halves, halves[::-1]):
        said[mine] = Surroundings(Maps(known.images[other], known.targets[other])).say(known.images[mine])
    return fit(said, known.targets)


def fit(said: Tensor, targets: Tensor) -> Fit:
    """How what was said fits, as it is and in all positions of the image.

    Args:
        said: (rows, kinds, height, width).
        targets: likewise.
    """
    square = said.shape[2] == said.shape[3]
    # Overall levels say nothing of places.
    one, other = (x.double() - x.double().mean((2, 3), keepdim=True) for x in (said, targets))
    size = (one.square().flatten(1).sum(1) * other.square().flatten(1).sum(1)).sqrt().clamp_min(1e-12)
    turned = {
        name: (turn(one, name) * other).flatten(1).sum(1) / size
        for name, (across, _, _) in TURNS.items()
        if square or not across
    }
    as_they_are = turned.pop(AS_THEY_ARE)
    spectrum = torch.fft.rfft2(one) * torch.fft.rfft2(other).conj()
    turned[MOVED] = torch.fft.irfft2(spectrum.sum(1), s=one.shape[2:]).flatten(1).amax(1) / size
    names = list(turned)
    values = torch.stack([turned[name] for name in names])
    # A turn says more than a shift, which is one of very many: it goes first where it fits nearly as well.
    values[-1] -= 0.05
    best = values.argmax(0)
    return Fit(as_they_are, values.amax(0), tuple(names[int(place)] for place in best))


def turn(x: Tensor, how: str) -> Tensor:
    """Bring (..., height, width) into another position."""
    across, rows, columns = TURNS[how]
    x = x.transpose(-2, -1) if across else x
    flips = [axis for axis, on in ((-2, rows), (-1, columns)) if on]
    return x.flip(flips) if flips else x


def turn_back(x: Tensor, how: str) -> Tensor:
    """Undo `turn`."""
    across, rows, columns = TURNS[how]
    flips = [axis for axis, on in ((-2, rows), (-1, columns)) if on]
    x = x.flip(flips) if flips else x
    return x.transpose(-2, -1) if across else x


def _image(leaf: Any, target: Any) -> Tensor | None:
    axes = image_axes(leaf, target)
    return None if axes is None else leaf if axes == (2, 3) else leaf.movedim(-1, 1)


def _frequent(numbers: Tensor) -> Tensor:
    values, counts = numbers.unique(return_counts=True)
    return values[counts.argsort(descending=True)[:_MOST_CLASSES]].sort().values


def _features(images: Tensor) -> Tensor:
    """Colours, their means over two neighbourhoods, their squares and local contrast: nothing that has a direction."""
    near, far = _blurred(images, 3), _blurred(images, 7)
    contrast = (_blurred(images.square(), 5) - _blurred(images, 5).square()).clamp_min(0).sqrt()
    return torch.cat([images, near, far, near.square(), far.square(), contrast], dim=1)


def _blurred(images: Tensor, width: int) -> Tensor:
    return functional.avg_pool2d(images, width, 1, width // 2, count_include_pad=False)
