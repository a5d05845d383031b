"""What a step makes of a loss that its call did not reduce: a mean over everything, over a mask, or something else."""

from typing import TYPE_CHECKING

from art_training.setup.observation import BatchObservation, LossCall
from art_training.setup.scores.losses import terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

EVERYTHING = "none"  # a plain mean of all that the call returned
COUNTED = "mean"  # over what counts, as the call itself would have taken it
EXAMPLES = "sum"  # a sum, divided by the examples


class OwnMean:
    """Finds the mean that a step takes by hand, from batches of which each must agree with it.

    Attributes:
        masks: of each batch, by the path of a batch entry that is the mask where the mean is one over a mask.
        parts: of each batch, the step's loss, the plain mean of what its call returned, and the examples.
    """

    def __init__(self) -> None:
        self.masks: dict[str, list[Tensor]] = {}
        self.parts: list[tuple[float, float, float]] = []
        self._fitting: dict[str, None] | None = None

    def see(self, call: LossCall, observation: BatchObservation, whole: float) -> None:
        """Take in a batch whose loss is `whole`."""
        from art_training.setup.scores.step_loss import close  # imports torch

        values = call.value.double()
        masks = _masks(values, observation)
        # A mask that fits comes first: of values that are all alike, as of outputs of zero, every mean is the same.
        means = {path: float((values * mask).sum() / mask.sum()) for path, mask in masks.items()}
        means |= _means(call, values, observation.weight)
        fitting = {name: None for name, value in means.items() if close(value, whole)}
        known = fitting if self._fitting is None else {name: None for name in self._fitting if name in fitting}
        self._fitting = known
        for path, mask in masks.items():
            self.masks.setdefault(path, []).append(mask.bool().cpu())
        self.masks = {path: seen for path, seen in self.masks.items() if path in known}
        self.parts.append((whole, means[EVERYTHING], float(observation.weight)))

    @property
    def kind(self) -> str | None:
        """`EVERYTHING`, `COUNTED`, `EXAMPLES`, or the path of a mask; None where it is none of these."""
        return next(iter(self._fitting or {}), None)

    @property
    def made_of_everything(self) -> tuple[float, float] | None:
        """The step's loss as (factor, summand) of the plain mean; None where no such numbers hold for all batches."""
        factors = [whole / part for whole, part, _ in self.parts if part]
        if len(factors) == len(self.parts) > 1 and alike(factors):
            return factors[0], 0.0
        rests = [whole - part for whole, part, _ in self.parts]
        return (1.0, rests[0]) if len(rests) > 1 and alike(rests) else None


def _means(call: LossCall, values: "Tensor", examples: int) -> "dict[str, float]":
    found = {EVERYTHING: float(values.mean())}
    parts = terms(call)
    if parts is not None:
        found[COUNTED] = float(parts.total.sum() / parts.weight.sum())
    if examples:
        found[EXAMPLES] = float(values.sum()) / examples
    return found


def _masks(values: "Tensor", observation: BatchObservation) -> "Mapping[str, Tensor]":
    """Entries of the batch that are a yes or no for each value of the call."""
    from art_training.setup.scores.step_loss import tensors_of  # imports torch

    return {
        path: tensor.to(values).reshape(values.shape)
        for path, tensor in tensors_of(observation.batch).items()
        if tensor.numel() == values.numel() and bool(((tensor == 0) | (tensor == 1)).all()) and bool(tensor.any())
    }


def alike(numbers: list[float]) -> bool:
    """Whether all of the numbers are the same in single precision."""
    return max(numbers) - min(numbers) <= 1e-3 * abs(numbers[0])
