"""Gradients that a step takes by itself, given back to a later pass: what still differs does not differ by them."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class GradientsAgain(TorchFunctionMode):
    """Notes every gradient with the shape of a parameter that a step takes; in later passes these stand in for its own.

    A step may move its weights within itself by what its whole batch says, as sharpness-aware minimisation and adaptation to
    a task do, or train one network before it asks it on behalf of another. Gradients by inputs are left as they are.

    Args:
        module: whose parameters these are.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.taken: list[list[Tensor | None]] = []
        self._parameters = list(module.parameters())
        self._shapes = {one.shape for one in self._parameters}
        self._next = 0

    def __enter__(self) -> Self:
        """Begin a pass."""
        self._next = 0
        super().__enter__()
        return self

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call; where it takes gradients, give those of the first pass."""
        del types
        value = func(*args, **(kwargs or {}))
        if func is Tensor.backward:
            again = self._again([one.grad for one in self._parameters])
            for parameter, gradient in zip(self._parameters, again, strict=True):
                if gradient is not None and parameter.grad is not None and parameter.grad.layout == gradient.layout:
                    parameter.grad = gradient.clone()
        elif func is torch.autograd.grad:
            again = self._again([one if one is None or one.shape in self._shapes else None for one in value])
            value = tuple(own if one is None else one for own, one in zip(value, again, strict=True))
        return value

    def _again(self, own: list[Tensor | None]) -> list[Tensor | None]:
        """What was taken at this place of the first pass; in it, and where a pass goes another way, what is taken now."""
        place, self._next = self._next, self._next + 1
        if place == len(self.taken):
            self.taken.append([None if one is None else one.detach().clone() for one in own])
            return own
        known = self.taken[place]
        return known if [_shape(one) for one in known] == [_shape(one) for one in own] else own


def _shape(gradient: Tensor | None) -> torch.Size | None:
    return None if gradient is None else gradient.shape
