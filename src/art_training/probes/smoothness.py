"""Whether neighbours in what enters a convolution or a recurrent layer are alike, as it stands and read in another order."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from art_training.probes.entrance import first_inputs
from art_training.probes.specimen import Specimen

_KINDS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.RNN, nn.LSTM, nn.GRU)


@dataclass(frozen=True)
class Smoothness:
    """The correlation of neighbours, averaged over axes and examples.

    Attributes:
        layer: the name of the layer that is entered.
        shape: of what enters it.
        found: as it stands.
        other: with channels read from the other end, as if a view had exchanged the axes.
        error: the standard error of their difference.
    """

    layer: str
    shape: tuple[int, ...]
    found: float
    other: float
    error: float


def smoothness(specimen: Specimen) -> Smoothness | None:
    """How alike neighbours are where several channels enter the first such layer; None where there is none."""
    given: list[Tensor] = []
    layer: nn.Module | None = None
    for batch in specimen.batches:
        one = first_inputs(specimen.module, _KINDS, lambda batch=batch: specimen.observe(batch))
        if one is None or not one[1].is_floating_point() or one[1].ndim < 3:
            return None
        layer = one[0]
        given.append(one[1].float().cpu())
    if len({one.shape[1:] for one in given}) > 1:
        return None
    x = torch.cat(given)
    last = isinstance(layer, nn.RNNBase)  # channels last
    if last and not getattr(layer, "batch_first", False):
        return None
    as_it_is = x.movedim(-1, 1) if last else x
    channels, axes = as_it_is.shape[1], as_it_is.shape[2:]
    if channels < 2 or min(axes) < 4 or len(x) < 8:
        return None
    flat = x.reshape(len(x), -1)
    other = flat.reshape(len(x), channels, *axes) if last else flat.reshape(len(x), *axes, channels).movedim(-1, 1)
    mine, theirs = _neighbours(as_it_is), _neighbours(other)
    difference = theirs - mine
    name = next((name for name, one in specimen.module.named_modules() if one is layer), "")
    return Smoothness(
        layer=name,
        shape=tuple(x.shape),
        found=float(mine.mean()),
        other=float(theirs.mean()),
        error=float(difference.std() / len(x) ** 0.5),
    )


def _neighbours(x: Tensor) -> Tensor:
    """(examples, channels, ...) -> (examples,): correlation of neighbours along each axis, averaged over axes."""
    centred = x - x.flatten(2).mean(2).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
    power = centred.square().flatten(1).mean(1).clamp_min(1e-12)
    found = [
        (centred.narrow(axis, 1, x.shape[axis] - 1) * centred.narrow(axis, 0, x.shape[axis] - 1)).flatten(1).mean(1)
        / power
        for axis in range(2, x.ndim)
    ]
    return torch.stack(found).mean(0)
