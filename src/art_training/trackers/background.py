"""A tracker at work beside the run: a slow or silent network keeps it waiting, and never the training."""

import threading
import traceback
import warnings
from queue import SimpleQueue

from art_training.records import CurvesGrew, Event, StepEnded, StepStarted
from art_training.setup.frames import is_users
from art_training.trackers.mirror import Kept, Mirror
from art_training.trackers.tracker import Tracker

_MOST_WAITING = 2000  # events; a second of training is one


class Background:
    """Takes events at once and lets a thread tell them to a tracker.

    The thread is a daemon: where the tracker does not come to its end in time, it is left behind.
    """

    def __init__(self, tracker: Tracker, kept: Kept) -> None:
        self._tracker = tracker
        self._mirror = Mirror(tracker, kept)
        self._waiting: SimpleQueue[Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._left_out = 0

    def __call__(self, event: Event) -> None:
        """Take an event, and warn of what has gone wrong by now."""
        if isinstance(event, CurvesGrew) and self._waiting.qsize() >= _MOST_WAITING:
            self._left_out += len(event.points)
        elif isinstance(event, StepStarted | CurvesGrew | StepEnded):
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"tracker {self._tracker.name}", daemon=True)
                self._thread.start()
            self._waiting.put(event)
        self._warn()

    def close(self) -> None:
        """Wait until all is told, for no longer than the tracker's patience."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(self._tracker.patience_seconds)
            if self._thread.is_alive():
                self._mirror.problems.append(
                    f"the tracker {self._tracker.name!r} was not done {self._tracker.patience_seconds:g} s after the run ended and "
                    "was left behind; what it lacks is in the store; patience_seconds= lets it have longer"
                )
        if self._left_out:
            self._mirror.problems.append(
                f"the tracker {self._tracker.name!r} fell behind, and {self._left_out} points of curves were left out; "
                "the store has them all"
            )
        self._warn()

    def _work(self) -> None:
        while (event := self._waiting.get()) is not None:
            self._mirror.tell(event)

    def _warn(self) -> None:
        problems = self._mirror.problems
        while problems:  # the other thread only appends
            warn(problems.pop(0))


def warn(text: str) -> None:
    """Warn at the user's line that ran the project, however deep below it something went wrong."""
    stack = [(frame.filename, frame.lineno) for frame in traceback.extract_stack()]
    file, line = next((one for one in reversed(stack) if is_users(one[0])), stack[0])
    warnings.warn_explicit(text, UserWarning, file, line or 1)
