"""The layers of a step's trainings, on their way into the store."""

from collections.abc import Iterator

from art_training.probes.layers import Layers
from art_training.records import LayerCurve
from art_training.records.labels import without_seed
from art_training.setup.called import Called

_SETUPS = 8  # of one step: a search has hundreds, and each would bring some hundred curves


class LayerWatch:
    """Watches the layers of the first setups that a step trains: of each under one seed."""

    def __init__(self) -> None:
        self._followed: dict[str, str] = {}  # the label of the training, by what it is without its seed
        self._monitor = Layers()
        self._label = ""
        self._called = Called()

    def begin(self, label: str, called: Called) -> tuple[Layers, ...]:
        """Monitors for the next training; none of another seed of a setup, nor once enough were watched.

        Args:
            label: of the training; empty where it is the step's only one.
            called: how the user calls the parts of the model.
        """
        self._monitor, self._label, self._called = Layers(), label, called
        first = self._followed.setdefault(without_seed(label), label)  # another seed tells least that is new
        if len(self._followed) > _SETUPS:
            self._followed.popitem()
            return ()
        return (self._monitor,) if first == label else ()

    def points(self) -> Iterator[tuple[str, int, int, float]]:
        """What has been seen since this was asked last, as points of curves: name, step, epoch, value."""
        for statistic, layer, step, epoch, value in self._monitor.take():
            yield str(LayerCurve(self._label, statistic, self._called.shown(layer))), step, epoch, value
