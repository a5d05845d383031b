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
        inside: of these, how often it stands between other tokens of its sequence.
        tokens: of all kinds, in the batches.
        gradient: the norm of what the row gets; 0, since it is not trained.
        otherwise: the norm of what it would get.
    """

    module: str
    index: int
    occurs: int
    inside: int
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
        sequences = [one for one in seen[name] if one.ndim >= 2 and one.shape[-1] >= 4]
        index = module.padding_idx
        if not sequences or index is None:
            continue
        flat = [one.reshape(-1, one.shape[-1]) == index for one in sequences]
        occurs = sum(int(one.sum()) for one in flat)
        inside = sum(int(_inside(one).sum()) for one in flat)
        gradient, otherwise = _gradients(specimen, name, module) if inside else (0.0, 0.0)
        tokens = sum(one.numel() for one in flat)
        result.append(Padding(name, index, occurs, inside, tokens, gradient, otherwise))
    return tuple(result)


def _inside(padding: Tensor) -> Tensor:
    """Where padding stands with other tokens on both sides."""
    other = (~padding).int()
    before = other.cumsum(1) > 0
    after = other.flip(1).cumsum(1).flip(1) > 0
    return padding & before & after


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
