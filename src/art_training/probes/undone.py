"""A loss whose input has been normalised once too often, computed as if it had not been."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from art_training.probes.loss_graph import activation_before
from art_training.probes.one_batch import OneBatch, learned
from art_training.probes.specimen import Specimen

_TINY = 1e-30
_NORMALISING = frozenset({
    functional.softmax, functional.log_softmax, functional.sigmoid, functional.logsigmoid, functional.cross_entropy,
    functional.binary_cross_entropy_with_logits, torch.softmax, torch.log_softmax, torch.sigmoid, Tensor.softmax,
    Tensor.log_softmax, Tensor.sigmoid,
})  # fmt: skip


def without_first(specimen: Specimen) -> OneBatch | None:
    """The course of one batch where whatever normalises a probability is given its logit."""
    return learned(specimen, around=_Undone)


class _Undone(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, of the logits where it is of what a softmax or a sigmoid has made."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if func in _NORMALISING:
            given = args[0] if args else keywords.get("input")
            if isinstance(given, Tensor):
                changed = _logits(given)
                if args:
                    args = (changed, *args[1:])
                else:
                    keywords["input"] = changed
        return func(*args, **keywords)


def _logits(tensor: Tensor) -> Tensor:
    made = activation_before(tensor)
    if made is not None and made.kind == "sigmoid":
        return torch.logit(tensor, eps=1e-6)
    if (made is not None and made.kind == "softmax") or (made is None and _adds_up(tensor)):
        return tensor.clamp_min(_TINY).log()
    return tensor


def _adds_up(tensor: Tensor) -> bool:
    """Whether rows are probabilities, whatever made them."""
    if tensor.ndim < 2 or tensor.shape[1] < 2 or not tensor.is_floating_point():
        return False
    values = tensor.detach()
    return bool((values >= 0).all()) and bool((values.sum(1) - 1).abs().max() < 1e-3)
