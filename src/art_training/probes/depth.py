"""How gradients fare on their way through a deep network, and what is learned where every layer passes on as much."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.arriving import arriving
from art_training.probes.cost import lighter
from art_training.probes.one_batch import OneBatch, learned
from art_training.probes.passes import smaller
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_FEWEST = 5  # layers
_ROWS = 16
_FAINT = 1e-2  # of the largest: where gradients vanish by depth, they fade over several layers


@dataclass(frozen=True)
class Depth:
    """Gradients of layers of weights, as shares of the weights' norm.

    Attributes:
        gradients: by name of the layer, those of exactly 0 left out.
    """

    gradients: dict[str, float]

    @property
    def largest(self) -> float:
        """Of all layers."""
        return max(self.gradients.values(), default=0.0)

    @property
    def faintest(self) -> str:
        """The layer with the smallest."""
        return min(self.gradients, key=lambda name: self.gradients[name], default="")

    @property
    def ratio(self) -> float:
        """The smallest as a share of the largest; 1 where too few layers are faint to call it depth."""
        faint = [one for one in self.gradients.values() if one < _FAINT * self.largest]
        if len(self.gradients) < _FEWEST or len(faint) < _FEWEST - 1:
            return 1.0
        return self.gradients[self.faintest] / self.largest


def depth(specimen: Specimen) -> Depth:
    """The gradients of the first examples."""
    found = _norms(lighter(specimen))
    shares: dict[str, float] = {}
    for name, module in specimen.module.named_modules():
        gradient = found.get(f"{name}.weight")
        if isinstance(module, _LAYERS) and gradient is not None:
            norm = float(module.weight.detach().norm())
            share = gradient / norm if norm > 0 else 0.0
            if share > 0:
                shares[name] = share
    return Depth(shares)


def _norms(specimen: Specimen) -> Mapping[str, float | None]:
    """Of the gradients of the first examples; of a step that optimises by itself, of what is left after it."""
    if specimen.automatic:
        return arriving(specimen, rows=_ROWS).norms
    batch = specimen.batches[0]
    left = specimen.gradients(smaller(batch, size(batch), _ROWS))
    return {name: None if one is None else float(one.norm()) for name, one in left.items()}


def evened(specimen: Specimen) -> OneBatch | None:
    """The course of one batch where the numbers that each layer gives have mean 0 and variance 1 at the start.

    After Mishkin and Matas, All you need is a good init, https://arxiv.org/abs/1511.06422, with means as well.
    """

    def even(module: Any, _given: Any, output: Tensor) -> Tensor:
        axis = output.ndim - 1 if isinstance(module, nn.Linear) else 1
        with torch.no_grad():
            flat = output.movedim(axis, -1).reshape(-1, output.shape[axis])
            middle, spread = flat.mean(0), flat.std(0).clamp_min(1e-12)
            module.weight.div_(spread.view(-1, *[1] * (module.weight.ndim - 1)))
            if module.bias is not None:
                module.bias.sub_(middle).div_(spread)
            else:
                middle = torch.zeros_like(middle)
            shape = [-1 if place == axis else 1 for place in range(output.ndim)]
            return (output - middle.view(shape)) / spread.view(shape)

    handles = [one.register_forward_hook(even) for one in specimen.module.modules() if isinstance(one, _LAYERS)]
    try:
        specimen.observe(lighter(specimen).batches[0])
    finally:
        for one in handles:
            one.remove()
    return learned(specimen)
