"""A step that optimises by itself, as one that returns its loss: so that experiments can learn it as they learn others."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from art_training.probes.specimen import Specimen
from art_training.probes.steps import parameters_of


def returning(specimen: Specimen) -> Specimen | None:
    """The specimen with a step that returns its loss: itself, where the trainer optimises.

    None where a step that optimises by itself has not one optimiser, or differentiates something else than one loss: what it
    learns is then no single loss.
    """
    if specimen.automatic:
        return specimen
    if len(specimen.optimizers) != 1:
        return None
    changed = replace(specimen, step=_step(specimen), automatic=True, notes={})
    with specimen.kept():
        return changed if isinstance(changed.loss(specimen.batches[0]), Tensor) else None


def _step(specimen: Specimen) -> Callable[[Any, int], Any]:
    def step(batch: Any, index: int) -> Tensor | None:
        with _Undifferentiated(specimen) as seen:
            specimen.step(batch, index)
        return seen.totals[0] if len(seen.totals) == 1 else None

    return step


class _Undifferentiated(TorchFunctionMode):
    """Keeps what a step differentiates, and has it find no gradients, so that its optimiser leaves all as it is.

    Attributes:
        totals: what it would differentiate.
    """

    def __init__(self, specimen: Specimen) -> None:
        super().__init__()
        self.totals: list[Tensor] = []
        self._optimizers = specimen.optimizers

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, unless it differentiates."""
        del types
        if func is Tensor.backward:
            for optimizer in self._optimizers:
                for one in parameters_of(optimizer):
                    one.grad = None
            self.totals.append(args[0])
            return None
        return func(*args, **(kwargs or {}))
