"""What theory says of a loss before training, and what the theories of different losses share."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Expected:
    """The loss that theory gives, in the units in which ART reports losses.

    Attributes:
        uniform: of uniform predictions, of equal scores, or of an output of zero where the outputs are values
            (`OF_VALUES`); None where that is not known.
        prior: of the best prediction that is the same for every input; None where that is not known.
        reason_if_none: why something is not known.
        bias: the bias of the final layer that predicts the prior, for each output; empty where there is none.
    """

    uniform: float | None
    prior: float | None
    reason_if_none: str = ""
    bias: tuple[float, ...] = ()

    def times(self, factor: float, added: float = 0.0) -> "Expected":
        """The same of a multiple of the loss, with something added that does not depend on predictions."""
        return replace(
            self,
            uniform=None if self.uniform is None else self.uniform * factor + added,
            prior=None if self.prior is None else self.prior * factor + added,
        )


def unknown(reason: str) -> Expected:
    """Nothing is known, and why."""
    return Expected(None, None, reason)


def columns(targets: "Tensor") -> "Tensor":
    """(examples, outputs) in double precision."""
    return targets.double().reshape(len(targets), -1)


def vector(option: Any, count: int) -> "Tensor | None":
    """A weight for each class or output; None where the option is something else."""
    import torch

    if option is None:
        return torch.ones(count, dtype=torch.float64)
    if not isinstance(option, list | int | float):
        return None
    weights = torch.tensor(cast("Any", option), dtype=torch.float64).reshape(-1)
    return weights.expand(count) if len(weights) in {1, count} else None


def listed(values: "Tensor") -> tuple[float, ...]:
    """As numbers of Python."""
    return tuple(cast("list[float]", values.reshape(-1).tolist()))
