"""Whether a loss is the same whatever the weights are."""

import math

import torch

from art_training.probes.arriving import arriving
from art_training.probes.cost import lighter
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import totals
from art_training.setup.data.batch import size

_DRAWS = 3
_RELATIVE = 1e-6  # what single precision leaves of a constant


def unmoved(specimen: Specimen) -> float | None:
    """The loss of the first batch, where it is the same number for all weights; None where weights or rows change it.

    Asked of the gradient first: where a single one is not exactly 0, the loss is no constant, and no more is computed. Where
    all are, units may be dead and a loss saturated; under weights that are drawn anew neither stays so.
    """
    light = lighter(specimen)
    if specimen.automatic:
        norms = arriving(specimen, rows=size(light.batches[0])).norms
        if any(norms.values()) or all(one is None for one in norms.values()):
            return None
    batch = light.batches[0]
    first = totals(light, batch)
    if not first or not all(map(math.isfinite, first)):
        return None
    for _ in range(_DRAWS):
        with torch.no_grad():
            for one in light.module.parameters():
                if one.is_floating_point():
                    one.add_(torch.randn_like(one) * (0.1 + one.abs().mean()))
        again = totals(light, batch)
        if len(again) != len(first) or any(abs(a - b) > _RELATIVE * abs(b) for a, b in zip(again, first, strict=True)):
            return None
    return sum(first)
