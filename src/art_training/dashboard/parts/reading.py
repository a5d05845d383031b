"""Everything that the page of a run shows, read for one visitor: of what has ended nothing is read twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from art_training.dashboard.parts.curves import Look
from art_training.dashboard.parts.growing import Growing
from art_training.dashboard.parts.tail import LINES
from art_training.errors import ProjectError
from art_training.records import Outcome, RunRecord, RunStatus
from art_training.stores import Store
from art_training.views import PointsRow, Progress, RunView, progress_of, run_before, run_of, view_of
from art_training.views.artifacts import ArtifactRow, artifacts_of
from art_training.views.health import HealthView, health_from, is_of_layer
from art_training.views.history import LogTail, tail_of


@dataclass(frozen=True)
class Found:
    """What the page of a run shows.

    Attributes:
        view: the run.
        progress: how far it is; None unless it runs.
        log: the end of it.
        points: its curves.
        closer: more points of the part that is looked at, as of `Growing`.
        health: of its trainings and layers.
        files: that it left.
        before: the run of the step that was completed before it; empty where there is none.
    """

    view: RunView
    progress: Progress | None
    log: LogTail
    points: tuple[PointsRow, ...]
    closer: Mapping[tuple[str, str], PointsRow]
    health: HealthView
    files: tuple[ArtifactRow, ...]
    before: str


@dataclass(eq=False)
class Reading:
    """Reads one run, from several threads.

    Attributes:
        run: its id.
    """

    run: str
    _curves: Growing = field(init=False)
    _layers: Growing = field(init=False)  # apart, as they are many and drawn as a table
    _log: LogTail | None = None
    _health: tuple[Outcome | None, tuple[PointsRow, ...], HealthView] | None = None
    _ended: Found | None = None

    def __post_init__(self) -> None:
        self._curves, self._layers = Growing(self.run), Growing(self.run)

    def read(self, store: Store, look: Look) -> Found:
        """The run as it is now.

        Args:
            store: where it is.
            look: how its curves are looked at.

        Raises:
            ProjectError: there is no such run.
        """
        record, ended = run_of(store, self.run), self._ended
        view = view_of(store, record, ended.view if ended else None)
        if ended is not None and view is ended.view:
            return replace(ended, closer=self._curves.closer(store, look))
        points = self._curves.read(store, view.curves)
        self._log = tail_of(store, self.run, LINES, self._log)
        found = Found(
            view=view,
            progress=progress_of(store, record),
            log=self._log,
            points=points,
            closer=self._curves.closer(store, look),
            health=self._read_health(store, view, points),
            files=artifacts_of(store, self.run),
            before=_before(store, record),
        )
        self._ended = None if record.status is RunStatus.RUNNING else found
        return found

    def _read_health(self, store: Store, view: RunView, points: Sequence[PointsRow]) -> HealthView:
        """Of layers too only what is new is read; what modules log of theirs stands among the curves."""
        rows = tuple(row for row in (*self._layers.read(store, view.layers), *points) if is_of_layer(row.name))
        known = self._health
        if known is not None and known[0] == view.outcome and _are_same(known[1], rows):
            return known[2]
        found = health_from(view.outcome, rows)
        self._health = (view.outcome, rows, found)
        return found


def _are_same(before: Sequence[PointsRow], now: Sequence[PointsRow]) -> bool:
    """Whether nothing was read of any: a curve that is as it was is the one that was held."""
    return len(before) == len(now) and all(one is other for one, other in zip(before, now, strict=True))


def _before(store: Store, record: RunRecord) -> str:
    try:
        return run_before(store, record).id
    except ProjectError:
        return ""
