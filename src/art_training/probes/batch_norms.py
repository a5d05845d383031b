"""How far the statistics of batch norms come in a training, and what the difference costs."""

import math
from dataclasses import dataclass

from art_training.probes.cost import lighter
from art_training.probes.modes import BatchNorm
from art_training.probes.randomness import loss_of
from art_training.probes.specimen import Specimen

_STEPS = 12


@dataclass(frozen=True)
class Lag:
    """Batch norms whose running statistics do not come near those of the data within the training.

    Attributes:
        names: of those of which more than half of what they began with is left in the end, if only they trained.
        left: the largest share that is left.
        batches: that they see in the whole training.
        collected: the loss of the batches in evaluation mode after a few of them passed, with the statistics as they are
            collected.
        true: the same with statistics that weigh all these batches alike.
    """

    names: tuple[str, ...]
    left: float
    batches: int
    collected: float | None = None
    true: float | None = None


def lag(specimen: Specimen) -> Lag | None:
    """What is left of the initial statistics; None where the length of the training is not known."""
    plan = specimen.plan
    if not any(isinstance(one, BatchNorm) for one in specimen.module.modules()):
        return Lag((), 0.0, 0)
    if not plan.batches or (not plan.epochs and not plan.steps):
        return None
    batches = plan.batches * plan.epochs if plan.epochs else (plan.steps or 0) * plan.accumulate
    batches = min(batches, (plan.steps or batches) * plan.accumulate)
    left: dict[str, float] = {}
    for name, one in specimen.module.named_modules():
        trains = any(parameter.requires_grad for parameter in specimen.module.parameters())
        if not isinstance(one, BatchNorm) or one.running_mean is None or one.momentum is None or not trains:
            continue
        fresh = not bool(one.running_mean.any()) and bool((one.running_var == 1).all()) and one.training
        if fresh:
            left[name] = (1 - one.momentum) ** batches
    names = tuple(name for name, share in left.items() if share > 0.5)
    if not names:
        return Lag((), max(left.values(), default=0.0), batches)
    specimen = lighter(specimen)
    own = _evaluated(specimen, None, min(batches, _STEPS))
    return Lag(
        names, max(left[name] for name in names), batches, own, _evaluated(specimen, names, min(batches, _STEPS))
    )


def _evaluated(specimen: Specimen, averaged: tuple[str, ...] | None, batches: int) -> float | None:
    with specimen.kept(seed=1):
        norms = {name: one for name, one in specimen.module.named_modules() if isinstance(one, BatchNorm)}
        momenta = {name: one.momentum for name, one in norms.items()}
        for name in averaged or ():
            norms[name].momentum = None
            tracked = norms[name].num_batches_tracked
            if tracked is not None:
                tracked.zero_()
        try:
            for index in range(batches):
                specimen.observe(specimen.batches[index % len(specimen.batches)], mode="train")
            losses = [loss_of(specimen.observe(one)) for one in specimen.batches]
        finally:
            for name, one in norms.items():
                one.momentum = momenta[name]
    numbers = [one for one in losses if one is not None]
    return sum(numbers) / len(numbers) if numbers and all(math.isfinite(one) for one in numbers) else None
