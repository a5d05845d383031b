"""The curves of a run that grows: read once, and from then on only from where they ended when they were read last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from art_training.dashboard.parts.curves import Look
from art_training.stores import Store
from art_training.views import CurveRow, PointsRow, points_of
from art_training.views.points import in_order

_POINTS = 600  # of a curve when it is read whole: as many as a picture is wide
_MOST = 2 * _POINTS  # with what came since; then it is read whole again


@dataclass(eq=False)
class Growing:
    """Reads curves for one visitor, from several threads.

    Attributes:
        run: whose.
    """

    run: str
    _seen: dict[str, CurveRow] = field(default_factory=dict[str, CurveRow])
    _held: dict[str, PointsRow] = field(default_factory=dict[str, PointsRow])
    _close: dict[str, tuple[CurveRow, Look, PointsRow]] = field(
        default_factory=dict[str, tuple[CurveRow, Look, PointsRow]]
    )
    _reading: Lock = field(default_factory=Lock)

    def read(self, store: Store, curves: Sequence[CurveRow]) -> tuple[PointsRow, ...]:
        """The curves as they are now.

        Args:
            store: where they are.
            curves: all of the run's, in a few numbers each: those that are as before are not read.
        """
        with self._reading:
            changed = [curve for curve in curves if self._seen.get(curve.name) != curve]
            grown = [curve for curve in changed if self._has_grown(curve)]
            by_end: dict[int, list[str]] = {}
            for curve in grown:
                by_end.setdefault(self._held[curve.name].steps[-1], []).append(curve.name)
            for end, names in by_end.items():
                for row in points_of(store, self.run, names, _POINTS, first=end):
                    self._held[row.name] = _joined(self._held[row.name], row)
            for curve in grown:
                self._held[curve.name] = replace(self._held[curve.name], points=curve.points)
            stale = [curve.name for curve in changed if curve not in grown or not self._is_sound(curve)]
            if stale:
                self._held.update({row.name: row for row in points_of(store, self.run, stale, _POINTS)})
            self._seen = {curve.name: curve for curve in curves}
            return in_order(self._held[curve.name] for curve in curves if curve.name in self._held)

    def closer(self, store: Store, look: Look) -> Mapping[tuple[str, str], PointsRow]:
        """More points of the part that is looked at, by run, which is none, and name, where some are left out of the whole."""
        if not look.is_zoomed:
            return {}
        with self._reading:
            part = Look(first=look.first, last=look.last)
            sparse = [name for name, row in self._held.items() if row.truncated]
            wanted = [name for name in sparse if self._of(name, part) is None]
            if wanted:
                found = points_of(store, self.run, wanted, _POINTS, first=look.first, last=look.last)
                self._close.update({row.name: (self._seen[row.name], part, row) for row in found})
            return {("", name): row for name in sparse if (row := self._of(name, part)) is not None}

    def _of(self, name: str, part: Look) -> PointsRow | None:
        seen, of, row = self._close.get(name, (None, None, None))
        return row if seen == self._seen.get(name) and of == part else None

    def _has_grown(self, curve: CurveRow) -> bool:
        """Whether points came; where none did, one took the place of another."""
        return curve.name in self._held and curve.points > self._seen[curve.name].points

    def _is_sound(self, curve: CurveRow) -> bool:
        """Whether what is held is what a reading of the whole would give, or more of it; else it is read again."""
        row = self._held.get(curve.name)
        return row is not None and len(row.steps) <= _MOST and (row.truncated or len(row.steps) == curve.points)


def _joined(before: PointsRow, since: PointsRow) -> PointsRow:
    """With what came since; a later point at a step takes the place of the earlier one."""
    kept = sum(step < since.steps[0] for step in before.steps)
    epochs = (*before.epochs[:kept], *since.epochs) if len(before.epochs) == len(before.steps) else ()
    return replace(
        before,
        steps=(*before.steps[:kept], *since.steps),
        values=(*before.values[:kept], *since.values),
        epochs=epochs,
        truncated=before.truncated or since.truncated,
    )
