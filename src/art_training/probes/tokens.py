"""Embeddings with a row for padding: whether what it stands for is padding."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.passes import passed
from art_training.probes.specimen import Specimen


@dataclass(frozen=True)
class Padding:
    """The row of an embedding that is never trained.

    Attributes:
        module: name of the embedding.
        index: the token that it is of.
        occurs: how often it occurs in the batches.
        inside: of these, how often it stands between other tokens of its sequence, or in a bag that tells where it ends.
        alone: of those inside, how many have no other beside them, as words have and what fills something up has not.
        span: tokens of all kinds between the first and the last one of their sequence that is another.
        tokens: of all kinds, in the batches.
        gradient: the norm of what the row gets; 0, since it is not trained.
        otherwise: the norm of what it would get.
    """

    module: str
    index: int
    occurs: int
    inside: int
    alone: int
    span: int
    tokens: int
    gradient: float
    otherwise: float


def paddings(specimen: Specimen) -> tuple[Padding, ...]:
    """Every embedding with a row for padding that enters a step with sequences."""
    found = {
        name: one
        for name, one in specimen.module.named_modules()
        if isinstance(one, nn.Embedding | nn.EmbeddingBag) and one.padding_idx is not None
    }
    seen: dict[str, list[Tensor]] = {name: [] for name in found}
    handles = [one.register_forward_pre_hook(_note(seen[name])) for name, one in found.items()]
    try:
        for batch in specimen.batches if found else ():
            passed(specimen, batch, mode="train")
    finally:
        for one in handles:
            one.remove()
    result: list[Padding] = []
    for name, module in found.items():
        bags = isinstance(module, nn.EmbeddingBag)
        sequences = [one for one in seen[name] if (bags and one.ndim == 1) or (one.ndim >= 2 and one.shape[-1] >= 4)]
        index = module.padding_idx
        if not sequences or index is None:
            continue
        flat = [one.reshape(-1, one.shape[-1]) == index for one in sequences]
        # The items of several bags one after another: nothing fills them up.
        spans = [
            torch.ones_like(one) if given.ndim == 1 else _span(one) for one, given in zip(flat, sequences, strict=True)
        ]
        inside = [one & span for one, span in zip(flat, spans, strict=True)]
        total = sum(int(one.sum()) for one in inside)
        gradient, otherwise = _gradients(specimen, name, module) if total else (0.0, 0.0)
        result.append(
            Padding(
                module=name,
                index=index,
                occurs=sum(int(one.sum()) for one in flat),
                inside=total,
                alone=sum(int((one & ~_beside(padding)).sum()) for one, padding in zip(inside, flat, strict=True)),
                span=sum(int(one.sum()) for one in spans),
                tokens=sum(one.numel() for one in flat),
                gradient=gradient,
                otherwise=otherwise,
            )
        )
    return tuple(result)


def _span(padding: Tensor) -> Tensor:
    """What lies between the first and the last token of a sequence that is not padding, these included."""
    other = (~padding).int()
    return (other.cumsum(1) > 0) & (other.flip(1).cumsum(1).flip(1) > 0)


def _beside(padding: Tensor) -> Tensor:
    """Where the token before or behind is padding."""
    found = torch.zeros_like(padding)
    found[:, 1:] |= padding[:, :-1]
    found[:, :-1] |= padding[:, 1:]
    return found


def _gradients(specimen: Specimen, name: str, module: nn.Embedding | nn.EmbeddingBag) -> tuple[float, float]:
    """What the row gets of the first batch, and what it would get if it were trained."""
    index = module.padding_idx
    found: list[float] = []
    try:
        for padding in (index, None):
            module.padding_idx = padding
            gradient = specimen.gradients(specimen.batches[0]).get(f"{name}.weight")
            row = None if gradient is None or index is None else gradient.to_dense()[index]
            found.append(0.0 if row is None else float(row.norm()))
    finally:
        module.padding_idx = index
    return found[0], found[1]


def _note(seen: list[Tensor]) -> Callable[[nn.Module, Any], None]:
    def note(_module: nn.Module, given: Any) -> None:
        if given and isinstance(given[0], Tensor) and given[0].dtype in {torch.int64, torch.int32}:
            seen.append(given[0].detach().clone())

    return note
