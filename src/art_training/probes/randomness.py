"""What is random in a model in each mode: dropout that no mode switches off, and dropout that a first evaluation ends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.masks import Masks, caller
from art_training.probes.modes import BatchNorm
from art_training.probes.specimen import Mode, Specimen
from art_training.setup.observation import BatchObservation

_OF_TORCH = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")  # beneath those of `functional`
_FUNCTIONS = (
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
    "scaled_dot_product_attention",
)  # fmt: skip
_ROWS = 4  # of an expensive model: every one of them tells
_PASSES = 3  # over the first batch, each from a seed of its own


@dataclass(frozen=True)
class Forced:
    """Dropout in evaluation mode.

    Attributes:
        calls: file and line of each call with dropout switched on, by the function that made it.
        spread: by how much the loss of one batch differs between passes from different seeds.
        without: the same with these calls made without dropout.
    """

    calls: tuple[tuple[str, str], ...]
    spread: float
    without: float


def forced(specimen: Specimen) -> Forced | None:
    """Dropout that is on though the model evaluates; None where the step returns no loss."""
    specimen = lighter(specimen, least=_ROWS)
    specimen.observe(specimen.batches[0])  # so that whether it can evaluate is not tried while calls are counted
    seeing, masks = _Dropouts(specimen, False), Masks()
    with specimen.kept(), masks, seeing:
        specimen.loss(specimen.batches[0], mode="evaluate")
    calls = tuple(dict.fromkeys((*seeing.calls, *masks.calls)))
    if not calls:
        return Forced((), 0.0, 0.0)
    spread = _spread(specimen, "evaluate")
    with _Dropouts(specimen, True), Masks(off=masks.calls):
        without = _spread(specimen, "evaluate")
    return None if spread is None or without is None else Forced(calls, spread, without)


@dataclass(frozen=True)
class Sticky:
    """Randomness of training before and after an evaluation.

    Attributes:
        before: by how much the loss of one batch differs between passes in training mode, before the model evaluated.
        after: the same after one pass in evaluation mode.
        changed: attributes of modules that this pass changed: name, before, after.
    """

    before: float
    after: float
    changed: tuple[tuple[str, Any, Any], ...]


def sticky(specimen: Specimen) -> Sticky | None:
    """Whether an evaluation ends what is random in training for good; None where the step returns no loss."""
    specimen = lighter(specimen, least=_ROWS)
    before = _spread(specimen, "train")
    if not before:
        return None if before is None else Sticky(0.0, 0.0, ())
    attributes = _attributes(specimen.module)
    specimen.observe(specimen.batches[0])
    after = _spread(specimen, "train")
    now = _attributes(specimen.module)
    changed = tuple((name, attributes[name], now[name]) for name in now if now[name] != attributes.get(name, now[name]))
    return None if after is None else Sticky(before, after, changed)


@dataclass(frozen=True)
class Modal:
    """The loss of one batch as the model stands when training begins, and with all of it in training mode.

    Attributes:
        standing: by how much it differs between passes from different seeds, as the model stands.
        training: the same after `train()`.
        statistics: batch norms whose statistics a pass moves as the model stands, and after `train()`.
    """

    standing: float
    training: float
    statistics: tuple[int, int]


def modal(specimen: Specimen) -> Modal | None:
    """What `train()` would change; None where all of the model trains, or the step computes no loss that is seen."""
    if all(one.training for one in specimen.module.modules()):
        return None
    specimen = lighter(specimen, least=_ROWS)
    standing, still = _spread(specimen, "train"), _collecting(specimen.module)
    specimen.module.train()
    training = _spread(specimen, "train")
    if standing is None or training is None:
        return None
    return Modal(standing, training, (still, _collecting(specimen.module)))


def _collecting(module: nn.Module) -> int:
    return sum(isinstance(one, BatchNorm) and one.training and one.running_mean is not None for one in module.modules())


def _spread(specimen: Specimen, mode: Mode) -> float | None:
    """The range of the loss of the first batch over passes from different seeds."""
    losses: list[float] = []
    for seed in range(_PASSES):
        with specimen.kept(seed=seed + 1):
            seen = specimen.observe(specimen.batches[0], mode=mode)
        value = loss_of(seen)
        if value is None:
            return None
        losses.append(value)
    return max(losses) - min(losses)


def loss_of(seen: BatchObservation) -> float | None:
    """The loss that a step returned, else the sum of those that it computed; None where it did neither."""
    found = seen.returned.get("loss") if isinstance(seen.returned, Mapping) else seen.returned
    if isinstance(found, Tensor) and found.numel() == 1:
        return float(found)
    return sum(float(one.value.double().sum()) for one in seen.losses) if seen.losses else None


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Plain attributes of all modules, without their modes."""
    return {
        f"{name}.{attribute}".strip("."): value
        for name, one in module.named_modules()
        for attribute, value in vars(one).items()
        if isinstance(value, bool | int | float | str) and attribute != "training" and not attribute.startswith("_")
    }


class _Dropouts(TorchFunctionMode):
    """Sees dropout that is switched on in calls that no module made whose own mode says so.

    Args:
        specimen: whose modules are asked for their mode.
        off: make these calls without dropout.
    """

    def __init__(self, specimen: Specimen, off: bool) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []
        self._off = off
        beneath: dict[Any, str] = {getattr(torch, name): name for name in _OF_TORCH}
        self._functions = beneath | {getattr(functional, name): name for name in _FUNCTIONS}

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        name = self._functions.get(func)
        if name is None:
            return func(*args, **keywords)
        place = "dropout_p" if name == "scaled_dot_product_attention" else "p"
        position = 4 if place == "dropout_p" else 1
        share = keywords.get(place, args[position] if len(args) > position else 0.0 if place == "dropout_p" else 0.5)
        trains = keywords.get("training", keywords.get("train", args[2] if len(args) > 2 else True))
        on = place == "dropout_p" or bool(trains)
        if not (on and isinstance(share, int | float) and share > 0):
            return func(*args, **keywords)
        self.calls.append(caller())
        if self._off:
            if len(args) > position:
                args = (*args[:position], 0.0, *args[position + 1 :])
            else:
                keywords[place] = 0.0
        return func(*args, **keywords)


def differ(first: Sequence[Tensor], again: Sequence[Tensor]) -> float:
    """The largest difference between tensors of two passes, as a share of how much the first differ."""
    largest = 0.0
    for one, other in zip(first, again, strict=False):
        if one.shape == other.shape and one.is_floating_point():
            scale = float(one.double().std()) if one.numel() > 1 else abs(float(one))
            largest = max(largest, float((one.double() - other.double()).abs().max()) / max(scale, 1e-12))
    return largest
