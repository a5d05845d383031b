"""Everything that the page of a run shows, read for one visitor: of what has ended nothing is read twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from art_training.dashboard.parts.curves import Look
from art_training.dashboard.parts.growing import Growing
from art_training.errors import ProjectError
from art_training.records import Judgement, RunRecord, RunStatus
from art_training.stores import Store
from art_training.views import CurveRow, PointsRow, Progress, RunView, log_of, progress_of, run_before, run_of, view_of
from art_training.views.artifacts import ArtifactRow, artifacts_of
from art_training.views.health import HealthView, health_of


@dataclass(frozen=True)
class Found:
    """What the page of a run shows.

    Attributes:
        view: the run.
        progress: how far it is; None unless it runs.
        lines: of its log.
        points: its curves.
        closer: more points of the part that is looked at, as of `Growing`.
        health: of its trainings and layers.
        files: that it left.
        before: the run of the step that was completed before it; empty where there is none.
    """

    view: RunView
    progress: Progress | None
    lines: tuple[str, ...]
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
    _growing: Growing = field(init=False)
    _health: tuple[tuple[frozenset[str], tuple[CurveRow, ...], bool], HealthView] | None = None
    _ended: tuple[RunRecord, tuple[Judgement, ...], Found] | None = None

    def __post_init__(self) -> None:
        self._growing = Growing(self.run)

    def read(self, store: Store, look: Look) -> Found:
        """The run as it is now.

        Args:
            store: where it is.
            look: how its curves are looked at.

        Raises:
            ProjectError: there is no such run.
        """
        record = run_of(store, self.run)
        judgements = tuple(store.judgements(self.run)) if self._ended else ()
        if self._ended and self._ended[:2] == (record, judgements):
            return replace(self._ended[2], closer=self._growing.closer(store, look))
        view = view_of(store, record)
        found = Found(
            view=view,
            progress=progress_of(store, record),
            lines=log_of(store, record).lines,
            points=self._growing.read(store, view.curves),
            closer=self._growing.closer(store, look),
            health=self._read_health(store, view),
            files=artifacts_of(store, self.run),
            before=_before(store, record),
        )
        self._ended = None if record.status is RunStatus.RUNNING else (record, view.judgements, found)
        return found

    def _read_health(self, store: Store, view: RunView) -> HealthView:
        """Layers are looked at rarely: with most points of other curves there is nothing new to read of them."""
        logged = {curve.name for curve in view.curves}
        known = (frozenset(logged), view.layers, view.outcome is None)
        before = self._health
        if before is not None and before[0] == known and not any(row.curve in logged for row in before[1].layers):
            return before[1]
        found = health_of(store, self.run)
        self._health = (known, found)
        return found


def _before(store: Store, record: RunRecord) -> str:
    try:
        return run_before(store, record).id
    except ProjectError:
        return ""
