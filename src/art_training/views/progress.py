"""What a running step has done, and how long it is going to take, as far as that can be said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from art_training.records import RunRecord, RunStatus, Split, StepState
from art_training.stores import RunQuery, Store
from art_training.stores.progress import kept_progress
from art_training.views.life import standing
from art_training.views.points import LOSS, points_of

_FEWEST = 5  # points of a curve: its ends are enough


@dataclass(frozen=True)
class Progress:
    """How far a running step is. What cannot be said is None; nothing is guessed.

    Attributes:
        run: its run.
        seconds: how long it has worked, with the runs that it went on from.
        told: when it last told how far it is, or showed a sign of life.
        phase: what it does now, e.g. `fit trial 3`; empty where it has not said.
        epoch: in which epoch of the phase it is, from 0.
        epochs: how many there will be, unless training ends before.
        batch: batches done in this epoch.
        batches: batches in an epoch.
        fraction: share of the phase that is done, in 0..1.
        phase_seconds_left: until the phase ends, by the pace that it has.
        expected_seconds: how long the step took when it was last completed.
        seconds_left: until the step ends, if it takes as long as then, and no shorter than its phase at the pace that it has.
    """

    run: str
    seconds: float
    told: datetime
    phase: str = ""
    epoch: int | None = None
    epochs: int | None = None
    batch: int | None = None
    batches: int | None = None
    fraction: float | None = None
    phase_seconds_left: float | None = None
    expected_seconds: float | None = None
    seconds_left: float | None = None


def progress_of(store: Store, record: RunRecord, now: datetime | None = None) -> Progress | None:
    """How far a run is; None for one that does not run any more.

    Args:
        store: where the run is.
        record: the run.
        now: the present, in UTC.
    """
    now = now or datetime.now(UTC)
    if standing(record, now) is not StepState.RUNNING:
        return None
    worked = record.seconds_before + max((now - record.started).total_seconds(), 0.0)
    expected = _expected(store, record)
    alive = record.heartbeat or record.started
    told = kept_progress(store, record.project, record.id)
    if told is None:
        epoch, epochs, fraction = _by_points(store, record)
        return Progress(
            run=record.id,
            seconds=worked,
            told=alive,
            epoch=epoch,
            epochs=epochs,
            fraction=fraction,
            expected_seconds=expected,
            seconds_left=_left(expected, worked, None),
        )
    phase_left = _left(told.seconds_left, (now - told.at).total_seconds(), None)
    return Progress(
        run=record.id,
        seconds=worked,
        told=max(told.at, alive),
        phase=told.phase,
        epoch=told.epoch,
        epochs=told.epochs,
        batch=told.batch,
        batches=told.batches,
        fraction=told.fraction,
        phase_seconds_left=phase_left,
        expected_seconds=expected,
        seconds_left=_left(expected, worked, phase_left),
    )


def _expected(store: Store, record: RunRecord) -> float | None:
    """As a plan expects it: how long the step took when it was last completed."""
    query = RunQuery(project=record.project, step=record.step, status=RunStatus.COMPLETED, limit=1)
    before = next((store.run(run.id) for run in store.runs(query)), None)
    return before.seconds if before else None


def _left(expected: float | None, past: float, least: float | None) -> float | None:
    """What is left of an expected time; None once it is over, because then the expectation was wrong."""
    if expected is None or expected <= past:
        return None
    return max(expected - max(past, 0.0), least or 0.0)


def _by_points(store: Store, record: RunRecord) -> tuple[int | None, int | None, float | None]:
    """Epoch, epochs and share of a step's only training, by its newest point and the limits that were declared.

    Of several trainings, nothing says which is the newest one.
    """
    rows = [row for row in points_of(store, record.id, limit=_FEWEST) if (row.panel, row.split) == (LOSS, Split.TRAIN)]
    if not rows or len({row.training for row in rows}) > 1:
        return None, None, None
    steps, epochs = (_declared(record.parameters, name) for name in ("max_steps", "max_epochs"))
    step = max(row.steps[-1] for row in rows)
    epoch = max((row.epochs[-1] for row in rows if row.epochs), default=None)
    shares = [step / steps if steps else None, epoch / epochs if epochs and epoch is not None else None]
    known = [min(share, 1.0) for share in shares if share is not None]
    return epoch, epochs, max(known, default=None)


def _declared(parameters: Mapping[str, Any], name: str) -> int | None:
    """A limit of a training: the step's, else the Trainer's; None where there is none."""
    for limit in (
        parameters.get(f"step.{name.removeprefix('max_')}"),
        parameters.get(f"step.{name}"),
        parameters.get(f"trainer.{name}"),
    ):
        if isinstance(limit, int) and not isinstance(limit, bool):
            return limit if limit > 0 else None
    return None
