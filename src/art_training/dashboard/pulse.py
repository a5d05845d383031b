"""Tells pages that the store has changed: one look at the store for all of them, and none while nobody watches."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from art_training.dashboard.source import Source
from art_training.errors import ARTError

_EVERY = 0.4  # seconds: an update is to be seen within one
_QUIET = 5.0  # seconds after which pages are drawn again in any case: a process that died changes nothing in its store
_LOG = logging.getLogger("art_training")

Listener = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class Pulse:
    """Asks the store for its revision, and calls those who listen when it is another, or time has passed.

    Attributes:
        source: the store.
        every: seconds between two looks.
    """

    source: Source
    every: float = _EVERY
    _listeners: dict[object, Listener] = field(default_factory=dict[object, Listener])
    _seen: str | None = None
    _told: float = 0.0

    def listen(self, who: object, listener: Listener) -> None:
        """Call this, from now on, when the store has changed."""
        self._listeners[who] = listener

    def leave(self, who: object) -> None:
        """Call it no more."""
        self._listeners.pop(who, None)

    async def beat(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.every)
            if self._listeners:
                await self.look()

    async def look(self) -> None:
        """Look once. A store that cannot be read is another one, too: its pages say so."""
        try:
            revision = await self.source.ask(lambda store: store.revision())
        except ARTError as error:
            revision = f"unreadable: {error}"
        if revision == self._seen and time.monotonic() - self._told < _QUIET:
            return
        self._seen, self._told = revision, time.monotonic()
        await asyncio.gather(*(self._tell(listener) for listener in list(self._listeners.values())))

    async def _tell(self, listener: Listener) -> None:
        try:
            await listener()
        except Exception:  # noqa: BLE001  Other pages go on.
            _LOG.exception("A page of the dashboard could not be drawn again.")
