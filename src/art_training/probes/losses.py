"""What enters the losses of a step, and losses that are computed of something else."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.specimen import Specimen
from art_training.setup.observation import BatchObservation


def observed(specimen: Specimen) -> tuple[BatchObservation, ...]:
    """Every batch of the specimen on its way through the step, in evaluation mode."""
    return tuple(specimen.observe(batch) for batch in specimen.batches)


def with_input(name: str, change: Callable[[Tensor], Tensor]) -> AbstractContextManager[Any]:
    """A context in which a loss of torch is computed of something made of its input.

    Args:
        name: of the function, such as `cross_entropy`.
        change: what the input becomes; differentiable.
    """
    return _Changed(getattr(functional, name), change)


class _Changed(TorchFunctionMode):
    def __init__(self, function: Any, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._function = function
        self._change = change

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, with its input changed where it is the loss."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if func is self._function:
            if args:
                args = (self._change(args[0]), *args[1:])
            else:
                keywords["input"] = self._change(keywords["input"])
        return func(*args, **keywords)
