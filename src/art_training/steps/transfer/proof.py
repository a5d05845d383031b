"""What became of the weights: which part stayed, which part moved, and whether one phase went on where the other ended."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from art_training.engines.weights import digest_of
from art_training.records import Reading

if TYPE_CHECKING:
    from torch import Tensor

FROZEN = "frozen part"
TRAINED = "trained part"
BETWEEN = "weights between the phases"
THAWED = "thawed part"

_NAMED = 50


def compared(
    name: str, names: Sequence[str], before: "Mapping[str, Tensor]", after: "Mapping[str, Tensor]", note: str
) -> Reading:
    """A part of the weights before and after a phase: digests, counts, and the tensors that are not what they were."""
    import torch

    # Bit by bit, so that NaN is what it was and -0.0 is not 0.0.
    changed = [one for one in names if not torch.equal(_bits(before[one]), _bits(after[one]))]
    value = {
        "tensors": len(names),
        "values": sum(before[one].numel() for one in names),
        "before": digest_of(before, names),
        "after": digest_of(after, names),
        "changed": changed[:_NAMED],
        "changed tensors": len(changed),
    }
    return Reading(name, value, note=note)


def between(ended: "Mapping[str, Tensor]", began: str) -> Reading:
    """Whether fine-tuning began with the very weights that the frozen phase ended with."""
    value = {"tensors": len(ended), "before": digest_of(ended), "after": began}
    return Reading(BETWEEN, value, note="those that the frozen phase ended with, and those that fine-tuning began with")


def _bits(tensor: "Tensor") -> "Tensor":
    import torch

    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
