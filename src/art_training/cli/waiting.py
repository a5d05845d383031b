"""One line on a terminal that says what is waited for before there is anything to show, and is gone then."""

import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

IMPORTS = "importing the project"
PLANS = "looking at a batch and at what has changed"
_WIPE = "\r\x1b[2K"


class Waiting:
    """Says on stderr what is going on. It says nothing where that is no terminal, nor where `quiet` is wished."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._file: TextIO = sys.stderr
        self._says = not quiet and self._file.isatty()
        self._shown = False

    def __call__(self, what: str) -> None:
        """Say something in place of what was said before."""
        if self._says:
            self._file.write(f"{_WIPE if self._shown else ''}{what} ...")
            self._file.flush()
            self._shown = True

    def over(self) -> None:
        """Take the line away."""
        if self._shown:
            self._file.write(_WIPE)
            self._file.flush()
            self._shown = False

    @contextmanager
    def apart(self) -> Generator[None]:
        """What the user's code prints goes to stderr, and takes the line away before; so does the end, whatever it is."""
        apart: Any = _Apart(self, self._file) if self._says else self._file
        try:
            with redirect_stdout(apart), redirect_stderr(apart):
                yield
        finally:
            self.over()


class _Apart:
    """A text file in front of which the line is taken away. Whoever holds on to it, such as a logger, writes on to the file."""

    def __init__(self, waiting: Waiting, file: TextIO) -> None:
        self._waiting = waiting
        self._file = file

    def write(self, text: str) -> int:
        self._waiting.over()
        return self._file.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
