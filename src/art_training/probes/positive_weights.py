"""What the weight of positives in a loss does to the decisions that are learned with it: trained with it and without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import affordable, lighter
from art_training.probes.losses import observed
from art_training.probes.specimen import Specimen
from art_training.setup.observation import BatchObservation, LossCall

_STEPS, _FEWEST = 150, 30
_SECONDS = 2.0  # for one training
_LEAST = 0.25  # odds of a yes, in the eyes of the loss
_NOISE = 3.0  # standard errors of a share, about


@dataclass(frozen=True)
class Decided:
    """What is decided of the batches that were trained on.

    Attributes:
        found: the share of the positives that are called so.
        called: the share of all that is called positive.
    """

    found: float
    called: float


@dataclass(frozen=True)
class PositiveWeights:
    """The weights of positives in a binary cross-entropy.

    Attributes:
        weights: (labels,) as the loss has them.
        shares: (labels,) of the targets that are positive.
        rows: of which the shares are.
        steps: of each training.
        weighted: what is decided after training as it is; None where it was not trained.
        plain: after the same training without the weights.
    """

    weights: tuple[float, ...]
    shares: tuple[float, ...]
    rows: int
    steps: int = 0
    weighted: Decided | None = None
    plain: Decided | None = None

    @property
    def suspect(self) -> bool:
        """Whether two labels in three, or more, are weighted against their rarity."""
        return 3 * len(self.against) >= 2 * len(self.weights)

    @property
    def against(self) -> list[int]:
        """Labels whose weight takes the odds of a yes to their square or below, and to a quarter or below.

        The weight that balances a label takes its odds to 1, and the inverse of that weight to their square.
        """
        found: list[int] = []
        for number, (weight, share) in enumerate(zip(self.weights, self.shares, strict=True)):
            odds = share / (1 - share) if share < 1 else float("inf")
            if share > 0 and 0 < weight < 1 and weight * odds <= min(odds**2, _LEAST) * (1 + _NOISE / self.rows**0.5):
                found.append(number)
        return found


def positive_weights(specimen: Specimen) -> PositiveWeights | None:
    """Read the weights; where they are suspect, train with them and without. None where there are none."""
    light = lighter(specimen)
    if not any(_call(one) for one in observed(replace(light, batches=light.batches[:1]))):
        return None  # most losses have none; a few rows say so
    calls = [_call(one) for one in observed(specimen)]
    known = [one for one in calls if one is not None]
    if not known or len(known) < len(calls):
        return None
    weights: Tensor = known[0].options["pos_weight"].detach().double().cpu()
    targets = torch.cat([one.target.double().cpu().reshape(-1, weights.numel()) for one in known])
    if weights.ndim > 1 or (weights.numel() > 1 and known[0].target.shape[-1] != weights.numel()):
        return None
    found = PositiveWeights(
        tuple(weights.reshape(-1).tolist()), tuple((targets > 0.5).double().mean(0).tolist()), len(targets)
    )
    if not found.suspect or not specimen.automatic or len(specimen.optimizers) != 1:
        return found
    steps = affordable(light, _STEPS, seconds=_SECONDS, least=_FEWEST)
    weighted, plain = _trained(light, steps, weighted=True), _trained(light, steps, weighted=False)
    return PositiveWeights(found.weights, found.shares, found.rows, steps, weighted, plain)


def _trained(specimen: Specimen, steps: int, *, weighted: bool) -> Decided | None:
    with specimen.kept(seed=1):
        optimizer = specimen.optimizers[0]
        for number in range(steps):
            batch = specimen.batches[number % len(specimen.batches)]
            optimizer.zero_grad()
            if weighted:
                loss = specimen.loss(batch)
            else:
                with _Unweighted():
                    loss = specimen.loss(batch)
            if loss is None:
                return None
            loss.backward()
            optimizer.step()
        return _decided([_call(one) for one in observed(specimen)])


def _decided(calls: Sequence[LossCall | None]) -> Decided | None:
    known = [one for one in calls if one is not None]
    if len(known) < len(calls):
        return None
    chosen = torch.cat([(one.prediction > 0).reshape(-1) for one in known])
    truth = torch.cat([(one.target > 0.5).reshape(-1) for one in known])
    return Decided(float(chosen[truth].double().mean()), float(chosen.double().mean()))


def _call(observation: BatchObservation) -> LossCall | None:
    """The one binary cross-entropy with such weights."""
    calls = [one for one in observation.losses if isinstance(one.options.get("pos_weight"), Tensor)]
    return calls[0] if len(calls) == 1 and calls[0].target.ndim > 0 else None


class _Unweighted(TorchFunctionMode):
    """The loss without the weights of positives."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and leave the weights out where it is the loss."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if func is functional.binary_cross_entropy_with_logits:
            if len(args) > 6:
                args = (*args[:6], None, *args[7:])
            keywords.pop("pos_weight", None)
        return func(*args, **keywords)
