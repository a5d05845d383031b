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
        epoch = "" if progress.epoch is None else f", epoch {progress.epoch + 1}"
        of = f"/{progress.epochs}" if epoch and progress.epochs else ""
        losses = {name: value for name, value in progress.values.items() if name.endswith("/loss")}
        self.say(f"{progress.phase}{epoch}{of}" + "".join(f", {name} {value:.4g}" for name, value in losses.items()))

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


class _Handler(logging.Handler):
    """Hands warnings and errors of loggers on to a run's log; of the thread that runs the step alone."""

    def __init__(self, log: RunLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and not record.name.startswith("sqlalchemy"):
            self._log.say(f"{record.levelname.lower()} of {record.name}: {record.getMessage()}")
