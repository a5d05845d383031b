"""The end of a log, live: only new lines are sent, and it follows the end unless one has scrolled up."""

from dataclasses import dataclass, field

from nicegui.element import Element

from art_training.views.history import LogTail
from art_training.views.visible import legible

LINES = 1000  # that are shown


class _Box(Element, component="tail.js"):
    """The part that the browser has."""


@dataclass(eq=False)
class Tail:
    """A log in the element that is open."""

    _shown: LogTail = field(default_factory=lambda: LogTail(0, ()))
    _ready: bool = False

    def __post_init__(self) -> None:
        self.element = _Box()
        self.element.props["most"] = LINES
        self.element.on("ready", self._begin)

    def show(self, tail: LogTail) -> None:
        """Show the end of a log, of which the beginning is what was shown before."""
        before, self._shown = self._shown, tail
        if self._ready and before != tail:
            known = before.first + len(before.lines)
            self._feed(known if known <= tail.first + len(tail.lines) else 0)

    def _begin(self) -> None:
        self._ready = True
        self._feed(0)

    def _feed(self, known: int) -> None:
        """Send what is behind so many lines."""
        begin = max(known, self._shown.first)
        self.element.run_method("feed", begin, legible(self._shown.lines[begin - self._shown.first :]))
