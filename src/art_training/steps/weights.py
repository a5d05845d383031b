"""What tells two sets of weights apart: a digest of the numbers, whatever file they are kept in."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from art_training.records import Artifact, Outcome

if TYPE_CHECKING:
    from torch import Tensor

LAST = "last.ckpt"
_BEST = "best.ckpt"
_CHECKPOINT = "checkpoint"


def digest_of(weights: "Mapping[str, Tensor]", names: Iterable[str] | None = None) -> str:
    """SHA-256, in hexadecimal, of parameters and buffers: their names, types, shapes and bytes.

    Args:
        weights: on the CPU, by name.
        names: only of these; None: of all. Their order does not count.
    """
    import torch

    digest = hashlib.sha256()
    for name in sorted(weights if names is None else names):
        tensor = weights[name].detach().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def checkpoint_of(outcome: Outcome) -> Artifact | None:
    """The weights that a step's scores are of: `last.ckpt`, else `best.ckpt`, else its only checkpoint."""
    found = {artifact.name: artifact for artifact in outcome.artifacts if artifact.kind == _CHECKPOINT}
    for name in (LAST, _BEST):
        if name in found:
            return found[name]
    return next(iter(found.values())) if len(found) == 1 else None
