"""One execution of one step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from art_training.records.fingerprint import Fingerprint
from art_training.records.provenance import Provenance
from art_training.records.verdict import StepState


class RunStatus(StrEnum):
    """How far an execution got. Whether its result is good is for the judgement to say."""

    RUNNING = "running"
    COMPLETED = "completed"
    ERRORED = "errored"
    INTERRUPTED = "interrupted"  # by the user; what was measured is kept
    KILLED = "killed"  # the process died; recognised by the next run


@dataclass(frozen=True)
class RunRecord:
    """One execution of one step of one project.

    Attributes:
        id: unique; sorts by time of start.
        project: the project's name, which scopes everything.
        step: the step's name, unique in its project.
        kind: the step's class, e.g. `Overfit`.
        fingerprint: what the result depends on.
        seed: the step's own seed.
        started: in UTC.
        status: how far it got.
        ended: in UTC, once it ended.
        heartbeat: when the process was last known to be alive, in UTC.
        process: host and process that ran it, `host:pid:start`.
        parameters: the resolved setup as a person declared it (plain data).
        consumes: the runs whose outcomes it used: step name to run id.
        provenance: where and with what it was made.
        error: one sentence, if it errored.
        traceback: the traceback, if it errored.
        resumed: the run whose checkpoint it went on from, or empty.
        seconds_before: what the runs took that it went on from, the first and all between.
        state: what the last judgement says; follows from status where there is none.
    """

    id: str
    project: str
    step: str
    kind: str
    fingerprint: Fingerprint
    seed: int
    started: datetime
    status: RunStatus = RunStatus.RUNNING
    ended: datetime | None = None
    heartbeat: datetime | None = None
    process: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    consumes: Mapping[str, str] = field(default_factory=dict[str, str])
    provenance: Provenance = field(default_factory=Provenance)
    error: str = ""
    traceback: str = ""
    resumed: str = ""
    seconds_before: float = 0.0
    state: StepState = StepState.RUNNING

    @property
    def seconds(self) -> float | None:
        """How long its result took, once it ended: with the runs that it went on from, without the time between them."""
        return None if self.ended is None else self.seconds_before + (self.ended - self.started).total_seconds()
