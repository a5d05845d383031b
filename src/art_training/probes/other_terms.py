"""What is added to the loss that compares predictions with targets, and whether it leaves anything to be learned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from art_training.probes.cost import lighter
from art_training.probes.direction import LossValues
from art_training.probes.one_batch import learned
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import SeenLoss, SeenStep, steps

_SMALL = 0.02  # of the whole: what is added and no more cannot keep a loss from being learned


@dataclass(frozen=True)
class OtherTerms:
    """The comparing loss of one batch, learned with what is added to it and without.

    Attributes:
        name: of the loss that compares.
        first: its value before any step.
        together: the lowest tenth of its values while the whole is learned.
        alone: the same while it is learned alone.
        constant: its value for the best prediction that is the same for all examples.
        added: what is added, before any step.
        of_weights: whether that is the same for every batch: a function of the weights alone.
    """

    name: str
    first: float
    together: float
    alone: float
    constant: float
    added: float
    of_weights: bool

    @property
    def swamps(self) -> bool:
        """Whether nothing is learned with it that a constant would not give, and much without it."""
        return self.together >= 0.97 * self.constant and self.alone <= 0.8 * self.constant


def other_terms(specimen: Specimen) -> OtherTerms | None:
    """None where the step has not one comparing loss with something added, or optimises by itself."""
    if not specimen.automatic:
        return None
    known = _added(specimen.once(steps))  # which most models are done with
    specimen = lighter(specimen)
    known = known and _added(steps(specimen))
    if known is None:
        return None
    call, constant, added = known
    together: list[float] = []
    before = {name: one.detach().clone() for name, one in specimen.module.state_dict().items()}
    if learned(replace(specimen, step=_noting(specimen, together))) is None:
        return None
    specimen.module.load_state_dict(before)
    by_itself = learned(replace(specimen, step=alone(specimen)))
    if by_itself is None:
        return None
    lowest = sorted(together)[: max(1, len(together) // 10)]
    spread = max(added) - min(added)
    return OtherTerms(
        name=call.name,
        first=together[0],
        together=sum(lowest) / len(lowest),
        alone=by_itself.floor,
        constant=constant,
        added=added[0],
        of_weights=spread <= 1e-4 * max(abs(one) for one in added),
    )


def _added(seen: Sequence[SeenStep]) -> tuple[SeenLoss, float, list[float]] | None:
    """The comparing loss of the first batch, that of the best constant, and what is added to it in each; None of no weight."""
    if any(len(_comparing(one.calls)) != 1 or len(one.totals) != 1 for one in seen):
        return None
    calls = [_comparing(one.calls)[0] for one in seen]
    added = [one.totals[0] - float(call.value) for one, call in zip(seen, calls, strict=True)]
    constant = _constant(calls[0])
    if constant is None or not constant > 0 or abs(added[0]) <= _SMALL * abs(seen[0].totals[0]):
        return None
    return calls[0], constant, added


def _comparing(calls: tuple[SeenLoss, ...]) -> list[SeenLoss]:
    return [one for one in calls if one.learns and one.value.numel() == 1 and _constant(one) is not None]


def _constant(call: SeenLoss) -> float | None:
    """The loss of the best constant prediction, for losses that it is easily told of."""
    target = call.target
    function: Callable[..., Any] = getattr(functional, call.name)
    if call.name == "cross_entropy" and not target.is_floating_point() and call.prediction.ndim == 2:
        kept = target[target != call.options.get("ignore_index", -100)]
        shares = torch.bincount(kept, minlength=call.prediction.shape[1]).to(call.prediction.dtype) / max(1, len(kept))
        constant = shares.clamp_min(1e-6).log().expand_as(call.prediction)
    elif call.name in {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"}:
        constant = target.double().mean(0).to(call.prediction.dtype).expand_as(call.prediction)
    elif call.name == "binary_cross_entropy_with_logits":
        constant = torch.logit(target.mean(0), eps=1e-6).expand_as(call.prediction)
    else:
        return None
    return float(function(constant, target, **call.options).sum())


def _noting(specimen: Specimen, values: list[float]) -> Callable[[Any, int], Any]:
    def step(batch: Any, index: int) -> Any:
        with LossValues() as seen:
            returned = specimen.step(batch, index)
        values.append(float(_single(seen.found).detach()))
        return returned

    return step


def alone(specimen: Specimen) -> Callable[[Any, int], Any]:
    """The step of a specimen, returning nothing but the first loss that compares."""

    def step(batch: Any, index: int) -> Any:
        with LossValues() as seen:
            specimen.step(batch, index)
        return _single(seen.found)

    return step


def _single(found: list[tuple[str, Tensor]]) -> Tensor:
    """The first loss as one number: one that is left unreduced, as it mostly goes on: summed in an example, a mean over these."""
    value = next(value for _, value in found if value.requires_grad)
    return value if value.numel() == 1 else value.sum() / max(1, len(value))
