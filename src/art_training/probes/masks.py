"""Random masks that a model's own code multiplies what it computes by: dropout that is written by hand."""

import inspect
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DRAWING = {"rand", "rand_like", "uniform_"}
_MULTIPLYING = {"mul", "mul_", "multiply", "__mul__", "__rmul__", "__imul__"}
_WITHOUT_NEWS = {"size", "dim", "numel", "item", "tolist", "__get__", "stride", "is_floating_point"}


class Masks(TorchFunctionMode):
    """Sees products of what depends on parameters with a mask of units, of a chance that is the same for all of them.

    A mask holds 0 and one other number, and is made of random numbers by comparing, rounding and scaling alone. It differs
    from unit to unit of an example, or from example to example of something that has positions: a mask of positions, as it
    hides what is to be reconstructed, is none, nor is what is drawn by probabilities that a model computes.

    Args:
        off: products that are made with the mean of the mask in its place, as `calls` names them.

    Attributes:
        calls: function, and file and line, of each product.
    """

    def __init__(self, *, off: Collection[tuple[str, str]] = ()) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []
        self._off = off
        self._random: dict[int, Tensor] = {}  # kept, so that no identity is given twice

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call."""
        del types
        keywords: dict[str, Any] = kwargs or {}
        name = getattr(func, "__name__", "")
        tensors = [one for one in (*args, *keywords.values()) if isinstance(one, Tensor)]
        if name in _MULTIPLYING and len(args) == 2 and len(tensors) == 2:
            mask = next((one for one in tensors if id(one) in self._random), None)
            other = next((one for one in tensors if one is not mask), None)
            if mask is not None and self._off and caller() in self._off:
                return func(*(mask.float().mean() if one is mask else one for one in args))
            if mask is not None and other is not None and _drops(mask, other):
                self.calls.append(caller())
        value = func(*args, **keywords)
        if isinstance(value, Tensor) and name not in _WITHOUT_NEWS and self._is_random(name, args, tensors):
            self._random[id(value)] = value
        return value

    def _is_random(self, name: str, args: Sequence[Any], tensors: Sequence[Tensor]) -> bool:
        """Whether what a call gives is drawn with one chance for all, or made of such numbers and nothing else."""
        if name in _DRAWING:
            return True
        if name == "bernoulli":
            return (
                bool(tensors) and not tensors[0].requires_grad and bool((tensors[0] == tensors[0].flatten()[0]).all())
            )
        if name == "bernoulli_":
            return len(tensors) == 1
        return len(tensors) == 1 and id(tensors[0]) in self._random


def _drops(mask: Tensor, other: Tensor) -> bool:
    """Whether a mask of 0 and one other number lies over units, or over whole examples with positions."""
    if not other.requires_grad or mask.requires_grad or mask.ndim > other.ndim or mask.numel() < 2:
        return False
    kept = mask[mask != 0]
    if not 0 < kept.numel() < mask.numel() or not bool((kept == kept[0]).all()):
        return False
    sizes = (1,) * (other.ndim - mask.ndim) + tuple(mask.shape)
    units = 1 if other.ndim in {2, 4, 5} else other.ndim - 1
    by_example = all(size == 1 for size in sizes[1:]) and other.ndim > 2
    return by_example or sizes[units] > 1


def caller() -> tuple[str, str]:
    """The name of the user's function that made a call of torch, and where it is."""
    frame = inspect.currentframe()
    torch_folder, own = str(Path(torch.__file__).parent), str(Path(__file__).parents[1])
    while frame is not None and frame.f_code.co_filename.startswith((torch_folder, own)):
        frame = frame.f_back
    if frame is None:
        return "", ""
    return frame.f_code.co_name, f"{frame.f_code.co_filename}:{frame.f_lineno}"
