"""Tells pages that the store has changed: one look at the store for all of them, and none while nobody watches."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from art_training.dashboard.source import Source
from art_training.errors import ARTError

_EVERY = 0.4  # seconds: an update is to be seen within one
_REST = 4  # times as long as a page took to be read and drawn it is left alone: however much a store holds, the server has time
_QUIET = 5.0  # seconds after which pages are drawn again in any case: a process that died changes nothing in its store
_LOG = logging.getLogger("art_training")

Listener = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class _Page:
    """One who listens.

    Attributes:
        listener: is called.
        seen: the revision that it was last told of.
        told: when.
        rests: until when it is left alone.
    """

    listener: Listener
    seen: str | None
    told: float = 0.0
    rests: float = 0.0

    def is_due(self, revision: str | None, now: float) -> bool:
        """Whether it is to be told now."""
        return now >= self.rests and (revision != self.seen or now - self.told >= _QUIET)


@dataclass(eq=False)
class Pulse:
    """Asks the store for its revision, and calls those who listen when it is another, or time has passed.

    A page that takes long to be read and drawn is called less often, and misses nothing: what changed while it was left alone
    is there when it is called next.

    Attributes:
        source: the store.
        every: seconds between two looks.
        clock: tells seconds.
    """

    source: Source
    every: float = _EVERY
    clock: Callable[[], float] = time.monotonic
    _pages: dict[object, _Page] = field(default_factory=dict[object, _Page])
    _seen: str | None = "nothing yet"  # None: there is no store

    def listen(self, who: object, listener: Listener) -> None:
        """Call this, from now on, when the store has changed."""
        self._pages[who] = _Page(listener, self._seen, self.clock())

    def leave(self, who: object) -> None:
        """Call it no more."""
        self._pages.pop(who, None)

    async def beat(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.every)
            if self._pages:
                await self.look()

    async def look(self) -> None:
        """Look once. A store that cannot be read is another one, too: its pages say so."""
        try:
            self._seen = await self.source.ask(lambda store: store.revision())
        except ARTError as error:
            self._seen = f"unreadable: {error}"
        now = self.clock()
        due = [page for page in self._pages.values() if page.is_due(self._seen, now)]
        await asyncio.gather(*(self._tell(page) for page in due))

    async def _tell(self, page: _Page) -> None:
        page.seen, page.told = self._seen, self.clock()
        try:
            await page.listener()
        except Exception:  # noqa: BLE001  Other pages go on.
            _LOG.exception("A page of the dashboard could not be drawn again.")
        ended = self.clock()
        page.rests = ended + _REST * (ended - page.told)
