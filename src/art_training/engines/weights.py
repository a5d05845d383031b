"""What tells two sets of weights apart: a digest of the numbers, whatever file they are kept in."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from art_training.setup.identity.sparse import strided_parts

if TYPE_CHECKING:
    from torch import Tensor


def digest_of(weights: "Mapping[str, Tensor]", names: Iterable[str] | None = None) -> str:
    """SHA-256, in hexadecimal, of parameters and buffers: their names, types, shapes and bytes.

    Args:
        weights: by name, on any device.
        names: only of these; None: of all. Their order does not count.
    """
    import torch

    digest = hashlib.sha256()
    for name in sorted(weights if names is None else names):
        for part in strided_parts(weights[name].detach().cpu()):
            tensor = part.contiguous()
            digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
