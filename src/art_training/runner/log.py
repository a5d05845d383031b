"""The log of a run: what was done when, and every warning on the way."""

import logging
import threading
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from art_training.records import StepProgress
from art_training.stores import Store

_SECONDS = 10.0


class RunLog:
    """Appends lines to one run's log; each begins with its time in UTC."""

    def __init__(self, store: Store, run: str) -> None:
        self._store = store
        self._run = run
        self._phase = ""
        self._told = 0.0

    def say(self, text: str) -> None:
        """Add a text; each of its lines becomes one of the log."""
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        self._store.append(self._run, lines=[f"{now} {line}" for line in text.splitlines() if line.strip()])

    def follow(self, progress: StepProgress) -> None:
        """Add a line where a phase begins, and every ten seconds that it lasts, with the newest losses."""
        now = time.monotonic()
        if progress.phase == self._phase and now - self._told < _SECONDS:
            return
        self._phase, self._told = progress.phase, now
        losses = {name: value for name, value in progress.values.items() if name.endswith("/loss")}
        told = "".join(f", {name} {value:.4g}" for name, value in losses.items())
        self.say(f"{progress.phase}{_epoch(progress)}{told}")

    @contextmanager
    def listening(self) -> Generator[None]:
        """Add every warning that is shown meanwhile, by `warnings` or by a logger; the user sees them as before."""
        shown = warnings.showwarning

        def show(  # noqa: PLR0917  The signature is that of warnings.showwarning.
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            self.say(f"{category.__name__}: {message} ({Path(filename).name}:{lineno})")
            shown(message, category, filename, lineno, file, line)

        handler = _Handler(self)
        warnings.showwarning = show
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)
            if warnings.showwarning is show:  # else someone put another in its place, which is theirs to take away
                warnings.showwarning = shown


def _epoch(progress: StepProgress) -> str:
    """In which epoch, from 1; before its first batch, and at the end, after which one: the losses are of that."""
    if progress.epoch is None:
        return ""
    epochs = progress.epochs if progress.epochs and progress.epochs > 0 else None
    of = f"/{epochs}" if epochs else ""
    if progress.epoch and (progress.batch == 0 or (epochs and progress.epoch >= epochs)):
        return f", after epoch {min(progress.epoch, epochs or progress.epoch)}{of}"
    return f", epoch {progress.epoch + 1}{of}"


class _Handler(logging.Handler):
    """Hands warnings and errors of loggers on to a run's log; of the thread that runs the step alone."""

    def __init__(self, log: RunLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and not record.name.startswith("sqlalchemy"):
            self._log.say(f"{record.levelname.lower()} of {record.name}: {record.getMessage()}")
