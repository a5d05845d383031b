"""Which runs a store is asked for, and what it gives of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from art_training.errors import UsageError
from art_training.records import RunStatus, StepState
from art_training.stores.fields import Field, Where


@dataclass(frozen=True)
class RunQuery:
    """Which runs; every field narrows.

    Attributes:
        project: only this project's.
        step: only this step's.
        part: only whose id begins or ends with this.
        status: only with this status.
        state: only where the last judgement says so.
        states: only where it says one of these; empty does not narrow.
        dead: ids of runs that are recorded as running and that `states`, and the field `state`, take for interrupted.
        fingerprint: only with this digest.
        where: conditions that all must be met.
        search: only with this text in the id, the step, its kind, the state or a parameter, in small or capital letters.
        order_by: a metric's address, to sort by its score, or a field to sort by; empty sorts by start.
        descending: newest or largest first. Runs without the value come last, and before them, those whose is no number.
        limit: at most so many.
        offset: leave out so many first.
    """

    project: str | None = None
    step: str | None = None
    part: str | None = None
    status: RunStatus | None = None
    state: StepState | None = None
    states: tuple[StepState, ...] = ()
    dead: tuple[str, ...] = ()
    fingerprint: str | None = None
    where: tuple[Where, ...] = ()
    search: str = ""
    order_by: str | Field = ""
    descending: bool = True
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        for name, value in (("limit", self.limit), ("offset", self.offset)):
            if value is not None and value < 0:
                raise UsageError(f"{name}={value} of a query of runs is negative; give 0 or more")

    @property
    def order(self) -> Field | None:
        """What it is sorted by; None sorts by start."""
        if isinstance(self.order_by, str):
            return Field("score", self.order_by) if self.order_by else None
        return None if self.order_by == Field("run", "started") else self.order_by


EVERY_RUN = RunQuery()


@dataclass(frozen=True)
class RunSummary:
    """One run as a row of a table: cheap to read by the thousand."""

    id: str
    project: str
    step: str
    kind: str
    status: RunStatus
    state: StepState
    started: datetime
    ended: datetime | None
    heartbeat: datetime | None
    process: str
    fingerprint: str
    seconds_before: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def seconds(self) -> float | None:
        """As of the run's record: with what the runs took that it went on from."""
        return None if self.ended is None else self.seconds_before + (self.ended - self.started).total_seconds()
