"""What a running step tells of itself, for whoever looks at the store from another process."""

import time
from contextlib import suppress
from datetime import UTC, datetime

from art_training.errors import StoreError
from art_training.records import StepProgress
from art_training.stores import Store
from art_training.stores.progress import keep_progress

_SECONDS = 1.0


class Following:
    """Remembers the progress of one run: where a phase begins, and every second that it lasts.

    Belongs to the thread that runs the step.
    """

    def __init__(self, store: Store, project: str, run: str) -> None:
        self._store = store
        self._project = project
        self._run = run
        self._phase: str | None = None
        self._told = 0.0

    def follow(self, progress: StepProgress) -> None:
        """Take the newest progress; it is remembered unless the last is less than a second old, and of the same phase."""
        now = time.monotonic()
        if progress.phase == self._phase and now - self._told < _SECONDS:
            return
        self._phase, self._told = progress.phase, now
        with suppress(
            StoreError
        ):  # a store that is busy for a moment; the next second tells, and writes of results raise
            keep_progress(self._store, self._project, self._run, progress, datetime.now(UTC))
