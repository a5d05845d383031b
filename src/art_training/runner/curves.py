"""Curves on their way from an engine to the store, and their thinned form in an outcome."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from art_training.engines import Position
from art_training.records import Curve, LayerCurve
from art_training.stores import Point, Store

_POINTS = 1000
_BATCH = 5000
_SECONDS = 1.0


class CurveWriter:
    """Keeps points of one run in batches while it trains; what was handed over is kept even if the run dies later.

    Belongs to the thread that trains.

    Args:
        store: where.
        run: whose.
        tell: called with the points that were written.
    """

    def __init__(self, store: Store, run: str, tell: Callable[[Sequence[Point]], None] | None = None) -> None:
        self._store = store
        self._run = run
        self._tell = tell
        self._waiting: list[Point] = []
        self._flushed = time.monotonic()

    def add(self, points: Iterable[tuple[str, int, int, float]]) -> None:
        """Take points; they are written once enough of them, or a second, have come together."""
        self._waiting.extend(Point(*point) for point in points)
        if len(self._waiting) >= _BATCH or (self._waiting and time.monotonic() - self._flushed >= _SECONDS):
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            written, self._waiting = self._waiting, []
            self._store.append(self._run, points=written)
            if self._tell is not None:
                self._tell(written)
        self._flushed = time.monotonic()

    def inherit(self, run: str, *, label: str, until: int, others: Iterable[str] = ()) -> None:
        """Take over the points of one training of an earlier execution, up to the step from which this one goes on.

        Args:
            run: the execution.
            label: of the training; its curves begin with it.
            until: the step.
            others: labels of other trainings of that execution, which may begin with this one.
        """
        begins = f"{label}/" if label else ""
        apart = tuple(f"{other}/" for other in others if other != label and f"{other}/".startswith(begins))
        for name, curve in self._left_by(run, begins, apart).items():
            epochs = curve.epochs or (0,) * len(curve.steps)
            rows = zip(curve.steps, epochs, curve.values, strict=True)
            self.add((name, step, epoch, value) for step, epoch, value in rows if step <= until)
        self.flush()

    def _left_by(self, run: str, begins: str, apart: tuple[str, ...]) -> dict[str, Curve]:
        """The curves of a run; of the one that it went on from, where it died before its training began."""
        while run:
            curves = self._store.curves(run).items()
            found = {name: curve for name, curve in curves if name.startswith(begins) and not name.startswith(apart)}
            if found:
                return found
            record = self._store.run(run)
            run = record.resumed if record is not None else ""
        return {}


def thinned(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """Each curve with at most a thousand points: means over stretches of equal length; a stretch with NaN is NaN.

    Those of layers are left out: they are many, nothing judges an outcome by them, and the store has them.
    """
    return {name: _thin(curve) for name, curve in curves.items() if LayerCurve.parse(name) is None}


def _thin(curve: Curve) -> Curve:
    count = len(curve.steps)
    if count <= _POINTS:
        return curve
    edges = [round(index * count / _POINTS) for index in range(_POINTS + 1)]
    stretches = [slice(start, end) for start, end in pairwise(edges)]
    return Curve(
        steps=tuple(curve.steps[stretch][-1] for stretch in stretches),
        # Not math.fsum, which raises where both infinities meet, and where a sum is too large.
        values=tuple(sum(curve.values[stretch]) / (stretch.stop - stretch.start) for stretch in stretches),
        epochs=tuple(curve.epochs[stretch][-1] for stretch in stretches) if curve.epochs else (),
    )


def labelled(position: Position, label: str) -> Position:
    """With its points and its phase under the name of one training among several."""
    if not label:
        return position
    points = tuple((f"{label}/{name}", step, epoch, value) for name, step, epoch, value in position.points)
    return replace(position, phase=f"{position.phase} {label}", points=points)
