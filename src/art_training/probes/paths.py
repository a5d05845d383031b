"""Whether what the loss is told reaches the weights: what changes its value must change its gradient."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from art_training.probes.cost import lighter
from art_training.probes.responses import Responses, exchanged
from art_training.probes.specimen import Specimen

_RELATIVE = 1e-6  # of the largest element of a gradient: single precision, summed in another order


@dataclass(frozen=True)
class Path:
    """What exchanging the rows of one entry of the batch does.

    Attributes:
        path: of the entry.
        before: the loss as it is.
        after: with the rows of the entry moved to other examples.
        moved: the largest change of an element of a gradient, as a share of the largest element.
        parameters: that a gradient arrives at.
    """

    path: str
    before: float
    after: float
    moved: float
    parameters: int

    @property
    def broken(self) -> bool:
        """Whether no gradient knows of what the loss is told."""
        return self.moved <= _RELATIVE


def paths(specimen: Specimen, found: Responses) -> tuple[Path, ...]:
    """For each entry that the loss responds to, and that nothing but the loss sees, whether gradients respond too.

    Empty where the step optimises by itself, or has no gradient at all.
    """
    told_of = [one for one in found.entries if one.exchanged > 100 * found.noise]
    if not specimen.automatic or not told_of:
        return ()
    specimen = lighter(specimen)
    batch = specimen.batches[0]
    before = _pulled(specimen, batch)
    if before is None or not before[1]:
        return ()
    told: list[Path] = []
    for one in told_of:
        after = _pulled(specimen, exchanged(batch, one.path))
        if after is not None:
            moved = _change(before[1], after[1])
            told.append(Path(one.path, before[0], after[0], moved, len(before[1])))
    return tuple(told)


def _pulled(specimen: Specimen, batch: object) -> tuple[float, dict[str, Tensor]] | None:
    """The loss and its gradients, always from the same random state."""
    with specimen.seeded(0):
        for parameter in specimen.module.parameters():
            parameter.grad = None
        loss = specimen.loss(batch, mode="evaluate")
        if loss is None or not loss.requires_grad:
            return None
        loss.backward()
    pulled = {
        name: one.grad.detach().to_dense().clone()  # those of embeddings may be sparse
        for name, one in specimen.module.named_parameters()
        if one.grad is not None
    }
    return float(loss.detach()), pulled


def _change(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> float:
    if before.keys() != after.keys():
        return 1.0
    largest = max((float(one.abs().max()) for one in before.values() if one.numel()), default=0.0)
    moved = max((float((one - after[name]).abs().max()) for name, one in before.items() if one.numel()), default=0.0)
    return moved / largest if largest > 0 else float(moved > 0)
