"""Parameters that train and that no optimiser holds: what one batch is learned to with and without them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from art_training.probes.cost import affordable, lighter
from art_training.probes.specimen import Specimen
from art_training.probes.steps import parameters_of

_STEPS = 30  # fewer where they take long
_SECONDS, _LEAST = 2.0, 8  # of such a training
_RATE = 3e-3
_FEW = 64  # elements, below which a distribution cannot be told, only its bound


@dataclass(frozen=True)
class Ownership:
    """What trains and is held by no optimiser when training begins.

    Attributes:
        unowned: names of the parameters.
        fresh: of these, those whose weights are still distributed as initialisers draw them.
        without: what the loss of one batch fell to by Adam on what optimisers hold; None where it was not tried.
        with_them: on all that trains.
    """

    unowned: tuple[str, ...]
    fresh: frozenset[str]
    without: float | None = None
    with_them: float | None = None


def ownership(specimen: Specimen) -> Ownership:
    """Who owns what."""
    held = {id(one) for optimizer in specimen.optimizers for one in parameters_of(optimizer)}
    named = dict(specimen.module.named_parameters())
    unowned = tuple(name for name, one in named.items() if one.requires_grad and id(one) not in held)
    begun = _own_beginnings(specimen.module)
    fresh = frozenset(name for name, one in named.items() if id(one) not in held and (is_fresh(one) or name in begun))
    if not unowned or not specimen.automatic:
        return Ownership(unowned, fresh)
    trains = [one for one in named.values() if one.requires_grad]
    owned = [one for one in trains if id(one) in held]
    return Ownership(unowned, fresh, _learned(specimen, owned), _learned(specimen, trains))


def _own_beginnings(root: nn.Module) -> frozenset[str]:
    """Names of parameters that a module of the user's class begins with zeros or ones: weights from elsewhere are neither.

    Layers of torch are left out, whose biases and scales may be zeros and ones in weights from elsewhere too.
    """
    return frozenset(
        f"{place}.{name}" if place else name
        for place, module in root.named_modules()
        if not type(module).__module__.startswith("torch.nn")
        for name, one in module.named_parameters(recurse=False)
        if bool((one == 0).all()) or bool((one == 1).all())
    )


def _learned(specimen: Specimen, parameters: list[nn.Parameter]) -> float | None:
    specimen = lighter(specimen)
    with specimen.kept(seed=1):
        optimizer = torch.optim.Adam(parameters, lr=_RATE) if parameters else None
        last = math.inf
        for _ in range(affordable(specimen, _STEPS, seconds=_SECONDS, least=_LEAST)):
            specimen.module.zero_grad()
            loss = specimen.loss(specimen.batches[0])
            if loss is None or not loss.requires_grad:
                return None
            last = min(last, float(loss.detach()))
            loss.backward()
            if optimizer is not None:
                optimizer.step()
        return last


def is_fresh(parameter: Tensor) -> bool:
    """Whether a matrix or kernel is distributed as an initialiser draws it: evenly, or normally with a usual spread.

    Training leaves neither. Of n even draws the fourth moment over the square of the second is 1.8, give or take 1.5 /
    sqrt(n); the largest is the square root of 3 times the root mean square.
    """
    values = parameter.detach().double().flatten()
    square = float(values.square().mean()) if parameter.ndim > 1 else 0.0
    if not square > 0 or not math.isfinite(square):
        return False
    receptive = parameter[0, 0].numel() if parameter.ndim > 2 else 1
    inward, outward = parameter.shape[1] * receptive, parameter.shape[0] * receptive
    if len(values) < _FEW:  # evenly up to the bound that torch draws linear layers and convolutions to
        return len(values) >= _FEW / 4 and 0.85 < float(values.abs().max()) * math.sqrt(inward) <= 1 + 1e-6
    tolerance = 4 / math.sqrt(len(values))
    shape = float(values.pow(4).mean()) / square**2
    if abs(shape - 1.8) < 1.5 * tolerance and float(values.abs().max()) < math.sqrt(3 * square) * (1 + tolerance):
        return True
    usual = (
        math.sqrt(2 / inward),
        math.sqrt(1 / inward),
        math.sqrt(2 / outward),
        math.sqrt(2 / (inward + outward)),
        0.02,
        0.01,
        1,
    )
    spread = math.sqrt(square)
    near = any(abs(spread / one - 1) < tolerance for one in usual)
    return near and len(values) >= 4 * _FEW and abs(shape - 3) < 5 * tolerance
