"""How far a project's running step is, remembered for whoever looks from another process."""

from dataclasses import dataclass
from datetime import datetime

from art_training.records import StepProgress, plain
from art_training.stores.reading import Unreadable, decode
from art_training.stores.store import Store


@dataclass(frozen=True)
class KeptProgress:
    """What a run told of itself last; see `StepProgress`.

    Attributes:
        run: which.
        at: when, in UTC.
        phase: what it did then.
        epoch: from 0; None where there are none.
        epochs: how many there will be, if known.
        batch: batches done in that epoch.
        batches: batches in an epoch, if known.
        fraction: share of the phase that was done, if known.
        seconds_left: estimate for the phase, if known.
    """

    run: str
    at: datetime
    phase: str
    epoch: int | None = None
    epochs: int | None = None
    batch: int | None = None
    batches: int | None = None
    fraction: float | None = None
    seconds_left: float | None = None


def keep_progress(store: Store, project: str, run: str, progress: StepProgress, at: datetime) -> None:
    """Remember how far a run is; a project runs one step at a time, and what was told of an earlier one goes.

    Raises:
        StoreError: the store cannot be written.
    """
    told = KeptProgress(
        run=run,
        at=at,
        phase=progress.phase,
        epoch=progress.epoch,
        epochs=progress.epochs,
        batch=progress.batch,
        batches=progress.batches,
        fraction=progress.fraction,
        seconds_left=progress.seconds_left,
    )
    store.remember(_key(project), plain(told))


def kept_progress(store: Store, project: str, run: str) -> KeptProgress | None:
    """What a run told last; None where nothing of it is remembered, as of runs of an earlier version."""
    try:
        found = decode(KeptProgress, store.memo(_key(project)))
    except Unreadable:  # nothing, or damaged: whoever runs tells again within seconds
        return None
    return found if found.run == run and found.at.tzinfo is not None else None


def _key(project: str) -> str:
    return f"progress:{project}"
