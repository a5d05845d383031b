"""What a training's own validations logged, and what their metric objects held when they began."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.monitor import Moment, Monitor


@dataclass(frozen=True)
class Validated:
    """One validation of a training.

    Attributes:
        step: optimiser steps done.
        logged: what is known by name when it is over.
        weights: a number for the weights that its batches met: a callback may put others in for a validation, as an average.
    """

    step: int
    logged: Mapping[str, float]
    weights: float


class Validations(Monitor):
    """Keeps each validation.

    Attributes:
        seen: in order.
        epochs: that have ended.
        names: of everything that was logged by the end of an epoch.
        held: updates that a metric object that a validation used held when it began, by the path of the object.
        shared: those of them that were updated since the validation before, as training does it.
        weights: a number for the weights at the end; None where training did not come to it.
    """

    def __init__(self) -> None:
        self.seen: list[Validated] = []
        self.epochs = 0
        self.names: set[str] = set()
        self.held: dict[str, int] = {}
        self.shared: set[str] = set()
        self._began: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self.weights: float | None = None
        self._met: float | None = None

    def validating(self, moment: Moment) -> None:
        """A metric object that holds updates now has been used by somebody else, or was not set back."""
        self._began = _updates(moment.module)
        self._met = None

    def predicting(self, moment: Moment) -> None:
        """Weigh the model once, after whoever changes it for a validation."""
        if self._met is None:
            self._met = _weighed(moment.module)

    def validated(self, moment: Moment) -> None:
        """Keep what was logged, and which metric objects that were used had not been set back."""
        now = _updates(moment.module)
        for name, updates in self._began.items():
            if updates and now.get(name) != updates:
                self.held[name] = updates
                if updates > self._left.get(name, 0):
                    self.shared.add(name)
        self._left = now
        weights = _weighed(moment.module) if self._met is None else self._met
        self.seen.append(Validated(moment.step, _numbers(moment.logged or {}), weights))

    def epoch_ended(self, moment: Moment) -> None:
        """Keep the names."""
        self.epochs += 1
        self.names.update(moment.logged or {})

    def ended(self, moment: Moment) -> None:
        """Keep the end."""
        self.names.update(moment.logged or {})
        self.weights = _weighed(moment.module)


def _updates(module: nn.Module) -> dict[str, int]:
    """How many updates each metric object holds, by its path."""
    found: dict[str, int] = {}
    for name, one in module.named_modules():
        updates = getattr(one, "_update_count", None)
        if hasattr(one, "compute") and isinstance(updates, int):
            found[name] = updates
    return found


def _numbers(logged: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in logged.items():
        if isinstance(value, Tensor) and value.numel() == 1:
            found[name] = float(value.detach())
        elif isinstance(value, int | float):
            found[name] = float(value)
    return found


def _weighed(module: nn.Module) -> float:
    """A sum that changes with any weight; weights that differ give the same one only by chance."""
    with torch.no_grad():
        parts = [one.double().abs().sum() for one in module.parameters() if one.is_floating_point()]
        return float(torch.stack([one.cpu() for one in parts]).sum()) if parts else 0.0
