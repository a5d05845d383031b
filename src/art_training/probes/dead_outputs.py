"""The loss of a batch with and without some of the outputs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from torch import Tensor

from art_training.probes.losses import with_input
from art_training.probes.specimen import Specimen


@dataclass(frozen=True)
class Without:
    """The loss of one batch.

    Attributes:
        before: as it is.
        without: with outputs that cannot be chosen.
    """

    before: float
    without: float


@cache
def without_outputs(classes: tuple[int, ...]) -> Callable[[Specimen], Without | None]:
    """A probe: the loss of the first batch by `cross_entropy`, and the same with these classes taken out of the softmax.

    None where the step calls no `cross_entropy`.
    """

    def closed(logits: Tensor) -> Tensor:
        changed = logits.clone()
        changed[:, list(classes)] = float("-inf")
        return changed

    def probe(specimen: Specimen) -> Without | None:
        batch = specimen.batches[0]
        before = [call for call in specimen.observe(batch).losses if call.name == "cross_entropy"]
        with with_input("cross_entropy", closed):
            after = [call for call in specimen.observe(batch).losses if call.name == "cross_entropy"]
        if not before or not after:
            return None
        return Without(float(before[0].value.mean()), float(after[0].value.mean()))

    return probe
