"""Events go out to whoever listens; nobody answers."""

import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from art_training.records import Event
from art_training.runner.declared import Listener


@dataclass(frozen=True)
class Announcer:
    """Tells events.

    Attributes:
        listeners: of whoever started the run, e.g. a progress bar; what they raise ends the run.
        trackers: mirror the run somewhere else; what they raise is a warning.
    """

    listeners: Sequence[Listener]
    trackers: Sequence[Listener]

    def __call__(self, event: Event) -> None:
        """Tell an event."""
        for listener in self.listeners:
            listener(event)
        for tracker in self.trackers:
            try:
                tracker(event)
            except Exception:  # noqa: BLE001  A tracker mirrors; whatever it raises must not hurt the run.
                warnings.warn(f"the tracker {tracker!r} raised:\n{traceback.format_exc()}", stacklevel=2)
