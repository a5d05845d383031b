"""Whether a run that is recorded as running still runs, and where a run therefore stands."""

from datetime import UTC, datetime, timedelta

from art_training.records import ProcessId, RunRecord, RunStatus, StepState
from art_training.stores import RunSummary

SILENCE = timedelta(seconds=60)
_MOMENT = timedelta(seconds=15)  # after a step: its checks are asked, and what the next one depends on is read


def is_alive(run: RunRecord | RunSummary, now: datetime | None = None) -> bool:
    """Whether the process of a run that never ended is still there.

    On this machine the process itself is asked for; of another machine's, only the heartbeat can tell.

    Args:
        run: recorded as running.
        now: the time to compare the heartbeat with, in UTC; by default the present.
    """
    process = ProcessId.parse(run.process)
    known = process.alive() if process else None
    if known is not None:
        return known
    return (now or datetime.now(UTC)) - (run.heartbeat or run.started) <= SILENCE


def is_busy(run: RunRecord | RunSummary, now: datetime | None = None) -> bool:
    """Whether the process of a run that has ended is likely still at work: it is there, and the end was a moment ago.

    A notebook's process stays for hours behind its last run.
    """
    since = (now or datetime.now(UTC)) - (run.ended or run.started)
    return since <= _MOMENT and is_alive(run, now)


def standing(run: RunRecord | RunSummary, now: datetime | None = None) -> StepState:
    """Where a run stands. One whose process died reads as interrupted, whatever its record still says."""
    match run.status:
        case RunStatus.RUNNING:
            return StepState.RUNNING if is_alive(run, now) else StepState.INTERRUPTED
        case RunStatus.INTERRUPTED | RunStatus.KILLED:
            return StepState.INTERRUPTED
        case RunStatus.ERRORED:
            return StepState.ERRORED
        case RunStatus.COMPLETED:
            # A process that died between recording and judging leaves a completed run that nobody judged.
            unjudged = run.state in {StepState.RUNNING, StepState.NOT_RUN}
            return StepState.NOT_JUDGED if unjudged else run.state
