"""SIGTERM, as `timeout`, SLURM and `docker stop` send it, ends work as Ctrl-C does: what is to be kept or tidied is."""

import logging
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.util import get_temp_dir
from types import FrameType
from typing import Any

from art_training.errors import Interrupted

_TWICE_SECONDS = 5.0  # `timeout` signals a process and then the group that it leads: one wish, told twice
_EXIT_CODE = 128 + signal.SIGTERM  # of a program that SIGTERM ends, as shells say it
_KEPT = "what was measured is kept, and the next run goes on from there"
_LOG = logging.getLogger("art_training")


@contextmanager
def ending_on_sigterm(*, told: bool = False, left: str = _KEPT) -> Generator[None]:
    """Let SIGTERM break off a block of work as Ctrl-C does, and leave it as a program leaves that SIGTERM ends.

    A handler of the user's is called, and whether anything ends is left to it and to Lightning. Threads other than the main
    one cannot handle signals: there SIGTERM ends the process at once.

    Args:
        told: whether somebody listens who is told how the work ended; else one line of the log says it.
        left: what is left of it, as that line says.

    Raises:
        SystemExit: with 143, where SIGTERM broke the block off.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is None:  # None: not installed from Python
        yield
        return
    get_temp_dir()  # of this process, which removes it; children that SIGTERM ends too cannot remove one of their own
    handler = _Handler(before)
    signal.signal(signal.SIGTERM, handler)
    try:
        yield
    except BaseException as error:
        if not handler.received or not is_interruption(error):
            raise
        if not told:
            _LOG.warning("Interrupted by SIGTERM: %s.", left)
        raise SystemExit(_EXIT_CODE) from error
    finally:
        signal.signal(signal.SIGTERM, before)
        handler.hear_of_children()


def is_interruption(error: BaseException) -> bool:
    """Whether an error is Ctrl-C or SIGTERM, or came of its handling: workers of a loader, say, that died of it too."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt | Interrupted):
            return True
        seen = seen.__context__
    return False


@dataclass(eq=False)
class _Handler:
    """Raises what Ctrl-C raises."""

    before: Any
    received: float = 0.0
    children: Any = None  # what handled the end of a child until SIGTERM came
    process: int = field(default_factory=os.getpid)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:  # a child that was forked, and that nobody told to keep anything
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        first = time.monotonic() - self.received > _TWICE_SECONDS
        if first:
            self.received = time.monotonic()
        if callable(self.before):
            self.before(number, frame)
        elif first and self.before != signal.SIG_IGN:
            self._leave_children()
            raise KeyboardInterrupt("interrupted by SIGTERM")

    def hear_of_children(self) -> None:
        """Handle the end of children as before."""
        if self.children is not None:
            signal.signal(signal.SIGCHLD, self.children)

    def _leave_children(self) -> None:
        """Workers of a loader, whom SIGTERM may have ended too, are no failure any more that torch shall raise."""
        if hasattr(signal, "SIGCHLD") and self.children is None:
            self.children = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
