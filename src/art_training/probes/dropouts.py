"""Dropout in a training step: how much of what differs between predictions is its noise."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.passes import memory, passed, smaller
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size

_HIGH = 0.75  # the noise of a dropout has p / (1 - p) of the square of what it is laid over: above, three times it
_ROWS = 16
_DRAWS = 6
_NAMES = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"}


@dataclass(frozen=True)
class Drop:
    """One dropout of a training step.

    Attributes:
        p: the share that it drops.
        module: name of the module; empty where it is a function.
        last: whether its output enters a loss, up to views.
    """

    p: float
    module: str
    last: bool


@dataclass(frozen=True)
class Drops:
    """The dropouts of a training step.

    Attributes:
        drops: in order.
        noise: the share of the variance of predictions that the high ones make; None where none is high.
        swapped: the same where they keep what they drop, and drop what they keep.
    """

    drops: tuple[Drop, ...]
    noise: float | None = None
    swapped: float | None = None


def drops(specimen: Specimen) -> Drops:
    """The dropouts of a training step, and what the high ones do to predictions."""
    batch = lighter(specimen).batches[0]
    few = min(size(batch), _ROWS)
    batch = smaller(batch, size(batch), few)
    mode = _Dropouts(specimen.module)
    seen = passed(specimen, batch, mode="train", around=(mode,))
    places = {memory(one) for _, one, _ in seen.compared}
    found = tuple(Drop(p, name, memory(output) in places) for p, name, output in mode.seen)
    if not any(one.p >= _HIGH for one in found):
        return Drops(found)

    def noise(change: Callable[[float], float]) -> float | None:
        draws = [
            passed(specimen, batch, mode="train", seed=seed, around=(_Changed(change),)).predictions(few)
            for seed in range(_DRAWS)
        ]
        if not all(draws) or len({one[0].shape for one in draws}) > 1:
            return None
        values = torch.stack([one[0].detach().double() for one in draws])
        by_chance = float(values.var(0).mean())
        everything = float(values.flatten(0, 1).var(0).mean())
        return by_chance / everything if everything > 0 else None

    return Drops(found, noise(lambda p: p if p >= _HIGH else 0.0), noise(lambda p: 1 - p if p >= _HIGH else 0.0))


class _Dropouts(TorchFunctionMode):
    def __init__(self, root: nn.Module) -> None:
        super().__init__()
        self.seen: list[tuple[float, str, Tensor]] = []
        self._root = root

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, and note it where it drops."""
        del types
        keywords: dict[str, Any] = kwargs or {}
        value = func(*args, **keywords)
        if func.__name__ in _NAMES and isinstance(value, Tensor) and _drops(args, keywords):
            self.seen.append((_p(args, keywords), self._name(_p(args, keywords)), value))
        return value

    def _name(self, p: float) -> str:
        kinds = nn.modules.dropout._DropoutNd  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        fitting = [name for name, one in self._root.named_modules() if isinstance(one, kinds) and one.p == p]
        known = [name for _, name, _ in self.seen]
        return next((name for name in fitting if name not in known), fitting[0] if fitting else "")


class _Changed(TorchFunctionMode):
    def __init__(self, change: Callable[[float], float]) -> None:
        super().__init__()
        self._change = change

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, with another share."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if func.__name__ in _NAMES and _drops(args, keywords):
            p = self._change(_p(args, keywords))
            with suppress(TypeError):
                return func(args[0], p, training=True)
        return func(*args, **keywords)


def _p(args: tuple[Any, ...], keywords: dict[str, Any]) -> float:
    return float(args[1] if len(args) > 1 else keywords.get("p", 0.5))


def _drops(args: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    return bool(args) and bool(args[2] if len(args) > 2 else keywords.get("training", True))
