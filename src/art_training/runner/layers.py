"""The layers of a step's trainings, on their way into the store."""

from collections.abc import Iterator

from art_training.probes.layers import Layers
from art_training.records import LayerCurve
from art_training.setup.called import Called

_TRAININGS = 8  # of one step: a search has hundreds, and each would bring some hundred curves


class LayerWatch:
    """Watches the layers of the first trainings of a step."""

    def __init__(self) -> None:
        self._left = _TRAININGS
        self._monitor = Layers()
        self._label = ""
        self._called = Called()

    def begin(self, label: str, called: Called) -> tuple[Layers, ...]:
        """Monitors for the next training; none once enough were watched.

        Args:
            label: of the training; empty where it is the step's only one.
            called: how the user calls the parts of the model.
        """
        self._monitor, self._label, self._called = Layers(), label, called
        self._left -= 1
        return (self._monitor,) if self._left >= 0 else ()

    def points(self) -> Iterator[tuple[str, int, int, float]]:
        """What has been seen since this was asked last, as points of curves: name, step, epoch, value."""
        for statistic, layer, step, epoch, value in self._monitor.take():
            yield str(LayerCurve(self._label, statistic, self._called.shown(layer))), step, epoch, value
