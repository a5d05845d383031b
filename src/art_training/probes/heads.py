"""Activations on the last layer: which values they leave to predictions, and what is learned without them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.one_batch import OneBatch, learned
from art_training.probes.passes import memory, passed
from art_training.probes.specimen import Specimen
from art_training.probes.written_losses import WrittenLosses

_WHOLE = (-math.inf, math.inf)
# What an activation gives at least and at most, by the function that computes it.
_RANGES: Mapping[str, tuple[float, float]] = {
    "relu": (0.0, math.inf),
    "relu_": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "hardtanh": (-1.0, 1.0),
    "leaky_relu": _WHOLE,
    "elu": (-1.0, math.inf),
    "gelu": (-0.17, math.inf),
    "silu": (-0.279, math.inf),
    "softplus": (0.0, math.inf),
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softmax": (0.0, 1.0),
    "exp": (0.0, math.inf),
    "square": (0.0, math.inf),
    "abs": (0.0, math.inf),
}
_CUTS = {"clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_min_", "clamp_max", "clamp_max_"}
_VIEWS = {
    "view", "reshape", "squeeze", "unsqueeze", "flatten", "permute", "transpose", "movedim", "float", "contiguous",
    "__getitem__", "expand", "clone", "to", "t", "unflatten", "double",
}  # fmt: skip


@dataclass(frozen=True)
class Head:
    """An activation whose output enters a loss, up to views.

    Attributes:
        activation: which.
        call: how many activations were computed before it in a step.
        loss: that it enters.
        low: the least that it gives.
        high: the most.
        prediction: as it entered.
        target: that it is compared with.
    """

    activation: str
    call: int
    loss: str
    low: float
    high: float
    prediction: Tensor
    target: Tensor

    @property
    def beyond(self) -> float:
        """The share of targets that it cannot give."""
        values = self.target.double()
        return float(((values < self.low - 1e-6) | (values > self.high + 1e-6)).double().mean())

    @property
    def bound(self) -> float:
        """The least mean squared error that it leaves, as a share of the variance of the targets."""
        values = self.target.double()
        variance = float(values.var())
        missed = (values - values.clamp(self.low, self.high)).square().mean()
        return float(missed) / variance if variance > 0 else 0.0


def heads(specimen: Specimen) -> tuple[Head, ...]:
    """The activations in front of losses, of the first batch of the specimen, in training mode."""
    light = lighter(specimen)
    found = _heads(light)
    # What the targets are is told of all rows.
    return found if light is specimen or not found else _heads(specimen)


def _heads(specimen: Specimen) -> tuple[Head, ...]:
    found: list[Head] = []
    mode = _Activations()
    watch = WrittenLosses(specimen.batches[0])
    seen = passed(specimen, specimen.batches[0], mode="train", around=(mode, watch))
    written = None if seen.compared else watch.found()
    for name, prediction, target in seen.compared if written is None else [written[:3]]:
        made = mode.made.get(memory(prediction))
        if made is not None:
            activation, call, low, high = made
            found.append(Head(activation, call, name, low, high, prediction.detach(), target.detach()))
    return tuple(found)


def without_head(specimen: Specimen) -> OneBatch | None:
    """The course of one batch without the activation in front of its loss."""
    found = heads(specimen)
    calls = {one.call for one in found}
    return learned(specimen, around=lambda: _Without(calls)) if calls else None


class _Activations(TorchFunctionMode):
    """Notes which activation made what.

    Attributes:
        made: name, number and bounds of the activation, by where its output lies; views of it lie there too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[tuple[int, int], tuple[str, int, float, float]] = {}
        self._kept: list[Tensor] = []  # so that no memory is given twice
        self._count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note it where it is an activation."""
        del types
        value = func(*args, **(kwargs or {}))
        name = func.__name__
        if isinstance(value, Tensor):
            bounds = _bounds(name, args, kwargs or {})
            if bounds is not None:
                self.made[memory(value)] = name, self._count, *bounds
                self._count += 1
                self._kept.append(value)
            elif name in _VIEWS and args and isinstance(args[0], Tensor):
                made = self.made.get(memory(args[0]))
                if made is not None:
                    self.made[memory(value)] = made
                    self._kept.append(value)
            elif memory(value) in self.made and name != "__get__":
                del self.made[memory(value)]  # changed in place
        return value


class _Without(TorchFunctionMode):
    def __init__(self, calls: set[int]) -> None:
        super().__init__()
        self._calls = calls
        self._count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, unless it is one of the activations."""
        del types
        if _bounds(func.__name__, args, kwargs or {}) is not None and isinstance(args[0], Tensor):
            self._count += 1
            if self._count - 1 in self._calls:
                return args[0] * 1.0
        return func(*args, **(kwargs or {}))


def _bounds(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> tuple[float, float] | None:
    """What an activation, or a cut at numbers, gives at least and at most; None where a function is neither."""
    if not args:
        return None
    if name in _RANGES:
        return _RANGES[name]
    if name not in _CUTS:
        return None
    first, second = (*args[1:3], None, None)[:2]
    least = None if "clamp_max" in name else keywords.get("min", first)
    most = keywords.get("max", first if "clamp_max" in name else second)
    if isinstance(least, Tensor) or isinstance(most, Tensor):
        return None
    return -math.inf if least is None else float(least), math.inf if most is None else float(most)


def reachable_entropy(head: Head) -> float:
    """The least cross entropy that scores between two bounds leave, over all classes the same."""
    if math.isinf(head.high):
        return 0.0
    classes = head.prediction.shape[1]
    return float(torch.tensor(1 + (classes - 1) * math.exp(head.low - head.high)).log())


def reachable_binary(head: Head) -> float:
    """The least binary cross entropy of logits between two bounds, for the targets that there are."""
    targets = head.target.double()
    logits = torch.where(targets > 0.5, min(head.high, 30.0), max(head.low, -30.0)).double()
    return float(functional.binary_cross_entropy_with_logits(logits, targets))
