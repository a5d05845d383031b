"""Telling events to whoever listens."""

import traceback
import warnings
from collections.abc import Sequence

from art_training.records import Event
from art_training.runner.declared import Listener
from art_training.runner.log import RunLog
from art_training.stores import Store
from art_training.trackers import Background, Kept, Tracker


class Announcer:
    """Tells events, and waits in the end for trackers that write beside the run.

    Args:
        listeners: of whoever started the run, e.g. a progress bar; what they raise ends the run.
        trackers: mirror the run somewhere else: a `Tracker` in a thread of its own, any other callable at once; what
            they raise is a warning.
        store: of the project.
    """

    def __init__(self, listeners: Sequence[Listener], trackers: Sequence[Tracker | Listener], store: Store) -> None:
        self._listeners = listeners
        self._store = store
        self._trackers = [self._beside(one) if isinstance(one, Tracker) else one for one in trackers]

    def __call__(self, event: Event) -> None:
        """Tell an event."""
        for listener in self._listeners:
            listener(event)
        for tracker in self._trackers:
            if isinstance(tracker, Background):
                tracker(event)
                continue
            try:
                tracker(event)
            except Exception:  # noqa: BLE001  A tracker mirrors; whatever it raises must not hurt the run.
                warnings.warn(f"the tracker {tracker!r} raised:\n{traceback.format_exc()}", stacklevel=2)

    def close(self) -> None:
        """Let trackers come to their end, each for no longer than its patience."""
        for tracker in self._trackers:
            if isinstance(tracker, Background):
                tracker.close()

    def _beside(self, tracker: Tracker) -> Background:
        store = self._store
        kept = Kept(store.artifacts.fetch, store.log, say=lambda run, text: RunLog(store, run).say(text))
        return Background(tracker, kept)
