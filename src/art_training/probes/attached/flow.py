"""Gradients, updates and activations of each layer, told while a model trains."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch.optim import Optimizer

from art_training.probes.attached.probe import Left, Probe, Tell, Watch
from art_training.probes.layers import Layers
from art_training.probes.monitor import Moment
from art_training.records import Plain
from art_training.records.layers import ACTIVATION, GRADIENT, SATURATED, SILENT, UPDATE
from art_training.setup.called import Called

_NAMED = 6  # layers that are told one by one; of more, the smallest, the median and the largest
_TITLES = {
    GRADIENT: "gradient norms",
    UPDATE: "updates by weights",
    ACTIVATION: "RMS of outputs",
    SILENT: "silent units",
    SATURATED: "saturated values",
}


@dataclass(frozen=True, kw_only=True)
class _Flow(Probe):
    statistics: ClassVar[tuple[str, ...]]

    def watch(self, tell: Tell, called: Called) -> "Watch":
        return _Watch(self, tell, called)


@dataclass(frozen=True, kw_only=True)
class Gradients(_Flow):
    """The norm of each layer's gradient as the optimiser uses it; 0 where none arrives."""

    name: ClassVar[str] = "gradients"
    statistics: ClassVar[tuple[str, ...]] = (GRADIENT,)


@dataclass(frozen=True, kw_only=True)
class Updates(_Flow):
    """The share of each layer's weights that a step changes: the norm of the change over that of the weights."""

    name: ClassVar[str] = "updates"
    statistics: ClassVar[tuple[str, ...]] = (UPDATE,)


@dataclass(frozen=True, kw_only=True)
class Activations(_Flow):
    """The root mean square of what each layer gives, and the shares of silent and of saturated units."""

    name: ClassVar[str] = "activations"
    statistics: ClassVar[tuple[str, ...]] = (ACTIVATION, SILENT, SATURATED)


class _Watch(Watch):
    """Tells what `Layers` sees, which also the dashboard draws."""

    def __init__(self, probe: _Flow, tell: Tell, called: Called) -> None:
        super().__init__(1, tell)
        self._layers = Layers(every=probe.every)
        self._statistics = probe.statistics
        self._name = probe.name
        self._called = called
        self._rows: list[Mapping[str, Plain]] = []

    def beginning(self, moment: Moment) -> None:
        self._layers.beginning(moment)

    def entering(self, moment: Moment) -> None:
        self._layers.entering(moment)

    def differentiated(self, moment: Moment, optimizer: Optimizer) -> None:
        self._layers.differentiated(moment, optimizer)

    def stepped(self, moment: Moment) -> None:
        self._layers.stepped(moment)
        if self._layers.failure:
            self.fail(self._layers.failure)
        found: dict[str, dict[str, float]] = {}
        for statistic, layer, step, _, value in self._layers.take():
            if statistic in self._statistics:
                shown = self._called.shown(layer)
                found.setdefault(statistic, {})[shown] = value
                self._rows.append({"step": step, "layer": shown, "statistic": statistic, "value": value})
        for statistic, by_layer in found.items():
            self.tell(f"step {moment.step}, {_TITLES[statistic]}: {_told(by_layer)}")

    def ended(self, moment: Moment) -> None:
        self._layers.ended(moment)

    def left(self) -> Sequence[Left]:
        return (Left(self._name, f"{self._name} by layer over training", rows=self._rows),) if self._rows else ()


def _told(by_layer: Mapping[str, float]) -> str:
    if len(by_layer) <= _NAMED:
        return ", ".join(f"{name} {value:.3g}" for name, value in by_layer.items())
    low, high = min(by_layer, key=by_layer.__getitem__), max(by_layer, key=by_layer.__getitem__)
    middle = statistics.median(by_layer.values())
    return (
        f"smallest {by_layer[low]:.3g} of {low}, median {middle:.3g} of {len(by_layer)} layers, "
        f"largest {by_layer[high]:.3g} of {high}"
    )
