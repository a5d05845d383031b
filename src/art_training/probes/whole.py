"""A step in which nothing is taken out of the graph, to see what its parts would learn."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from art_training.probes.places import place_of_call

_DISTRIBUTIONS = ("torch.distributions",)  # whose `sample` is `rsample` without a graph

_OUT = {Tensor.numpy, Tensor.__array__}
_DIFFERENTIATING = {Tensor.backward, torch.autograd.backward, torch.autograd.grad}


class Whole(TorchFunctionMode):
    """Detaches nothing, whatever the step asks for, and keeps graphs that several losses then share.

    Attributes:
        where: file and line of the first that did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.where = ""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, unless it cuts a graph."""
        del types
        detaches = func is Tensor.detach or func == Tensor.data.__get__  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        if detaches and isinstance(args[0], Tensor) and args[0].requires_grad and not isinstance(args[0], nn.Parameter):
            place = place_of_call()
            if place:  # in the user's code, not in that of torch
                self.where = self.where or place
                return args[0]
        if func in _OUT and args[0].requires_grad:
            # Nothing of a graph gets out of torch, and torch refuses to try; that the tensor was detached was undone here.
            return func(args[0].detach(), *args[1:], **(kwargs or {}))
        if func is torch.normal and (drawn := _drawn(*args, **(kwargs or {}))) is not None:
            self.where = self.where or place_of_call(_DISTRIBUTIONS)
            return drawn
        if func.__name__ == "_set_grad_enabled" and args[0] is False:
            place = place_of_call(_DISTRIBUTIONS)
            if place:
                self.where = self.where or place
                return None
        if func in _DIFFERENTIATING:
            return func(*args, **{**(kwargs or {}), "retain_graph": True})
        return func(*args, **(kwargs or {}))


def _drawn(mean: Any, std: Any = 1.0, **keywords: Any) -> Tensor | None:
    """What `torch.normal` draws, as a function of mean and deviation; None where neither carries a graph."""
    learned = [one for one in (mean, std) if isinstance(one, Tensor) and one.requires_grad]
    if not learned or keywords.keys() - {"generator"}:
        return None
    shape = torch.broadcast_shapes(*(one.shape for one in (mean, std) if isinstance(one, Tensor)))
    noise = torch.randn(shape, generator=keywords.get("generator"), dtype=learned[0].dtype, device=learned[0].device)
    return mean + std * noise
