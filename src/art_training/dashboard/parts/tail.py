"""The end of a log, live: only new lines are sent, and it follows the end unless one has scrolled up."""

from collections.abc import Sequence
from dataclasses import dataclass

from nicegui.element import Element

_LINES = 1000  # that are shown


class _Box(Element, component="tail.js"):
    """The part that the browser has."""


@dataclass(eq=False)
class Tail:
    """A log in the element that is open."""

    _lines: tuple[str, ...] = ()
    _ready: bool = False

    def __post_init__(self) -> None:
        self.element = _Box()
        self.element.props["most"] = _LINES
        self.element.on("ready", self._begin)

    def show(self, lines: Sequence[str]) -> None:
        """Show this log, of which the beginning is what was shown before."""
        before, self._lines = self._lines, tuple(lines)
        if not self._ready or before == self._lines:
            return
        grown = self._lines[: len(before)] == before
        self._feed(len(before) if grown else 0)

    def _begin(self) -> None:
        self._ready = True
        self._feed(0)

    def _feed(self, known: int) -> None:
        begin = max(known, len(self._lines) - _LINES)
        self.element.run_method("feed", begin, self._lines[begin:])
