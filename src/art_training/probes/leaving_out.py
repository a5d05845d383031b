"""Padding left out wherever a model brings positions together: what a mask of its own would do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_SOFTMAX = {functional.softmax, torch.softmax, Tensor.softmax}
_MEAN = {torch.mean, Tensor.mean}


class LeavingOut(TorchFunctionMode):
    """Lays a mask over attention and means over positions, and reads the last state where a sequence ends.

    Maxima are left as they are: as convolutions of texts are used, what a filter gives for nothing is one more bias. What another mask forbids by the example is allowed: it may be the wrong one. What forbids by the position, as a causal mask does,
    stays.

    Args:
        real: (examples, positions) whether a position counts; the first of each example does.
    """

    def __init__(self, real: Tensor) -> None:
        super().__init__()
        self._blank = ~real
        self._ends = real.long().sum(1) - 1
        self._count, self._length = real.shape

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, without padding where it brings positions together."""
        del types
        keywords: dict[str, Any] = dict(kwargs or {})
        if func is functional.scaled_dot_product_attention:
            return func(*args[:3], **self._attention(args, keywords))
        if func is functional.multi_head_attention_forward and tuple(args[1].shape[:2]) == (self._length, self._count):
            mask = torch.zeros_like(self._blank, dtype=args[0].dtype).masked_fill(self._blank, -torch.inf)
            given = keywords.get("attn_mask")
            kept = given if isinstance(given, Tensor) and given.ndim == 2 else None
            return func(*args, **{**keywords, "key_padding_mask": mask, "attn_mask": kept, "is_causal": False})
        x = args[0] if args else keywords.get("input")
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return func(*args, **keywords)
        if func is Tensor.__getitem__ and self._reads_last(x, args[1]):
            return x[torch.arange(self._count, device=x.device), self._ends.to(x.device)]
        filled = self._filled(func, x, args, keywords)
        return func(*args, **keywords) if filled is None else filled

    def _filled(self, func: Callable[..., Any], x: Tensor, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """What a call gives where padding is filled with what does not count; None where it brings no positions together."""
        if func is functional.adaptive_avg_pool1d:
            blank = self._over(x, x.ndim - 1) if args[1:] in ((1,), ((1,),), ([1],)) else None
            return None if blank is None else _mean(x, blank, x.ndim - 1, keepdim=True)
        if func not in _SOFTMAX | _MEAN:
            return None
        along: Any = keywords.get("dim", args[1] if len(args) > 1 else None)
        axes: list[int] = list(along) if isinstance(along, tuple | list) else [] if along is None else [along]
        axis = axes[0] % x.ndim if len(axes) == 1 else 0
        blank = self._over(x, axis)
        if blank is None:
            return None
        if func in _MEAN:
            keepdim = bool(keywords.get("keepdim", args[2] if len(args) > 2 else False))
            return _mean(x, blank, axis, keepdim=keepdim)
        known = torch.where(torch.isfinite(x), x, torch.zeros_like(x))
        given = {name: one for name, one in keywords.items() if name != "input"}
        return func(known.masked_fill(blank, -torch.inf), *args[1:], **given)

    def _over(self, x: Tensor, axis: int) -> Tensor | None:
        """The padding along an axis of positions, that can be broadcast; None where the axis is none, or no axis is the examples'."""
        if axis == 0 or x.shape[axis] != self._length or len(x) % self._count:
            return None
        blank = self._blank.to(x.device).repeat_interleave(len(x) // self._count, 0)  # heads lie within examples
        return blank.reshape(len(x), *(self._length if place == axis else 1 for place in range(1, x.ndim)))

    def _attention(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        query, key = args[0], args[1]
        mask = keywords.pop("attn_mask", args[3] if len(args) > 3 else None)
        causal = bool(keywords.pop("is_causal", args[5] if len(args) > 5 else False))
        blank = self._over(key, key.ndim - 2)
        if blank is None:
            return {**keywords, "attn_mask": mask, "is_causal": causal}
        allowed = ~blank.transpose(-1, -2)
        size = (query.shape[-2], key.shape[-2])
        if causal:
            allowed = allowed & torch.ones(size, dtype=torch.bool, device=key.device).tril()
        if isinstance(mask, Tensor) and mask.ndim == 2 and tuple(mask.shape) == size:
            allowed = allowed & (mask if mask.dtype == torch.bool else torch.isfinite(mask))
        return {**keywords, "attn_mask": allowed}

    def _reads_last(self, x: Tensor, index: Any) -> bool:
        whole = isinstance(index, tuple) and index in ((slice(None), -1), (slice(None), -1, slice(None)))
        return whole and x.ndim == 3 and tuple(x.shape[:2]) == (self._count, self._length)


def _mean(x: Tensor, blank: Tensor, axis: int, *, keepdim: bool) -> Tensor:
    kept = (~blank).to(x.dtype)
    return x.masked_fill(blank, 0).sum(axis, keepdim=keepdim) / kept.sum(axis, keepdim=keepdim)
