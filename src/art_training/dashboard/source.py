"""The store that the pages draw, read in worker threads: a page that waits for a disk holds up no other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from art_training.stores import Store

Rows = TypeVar("Rows")

_READERS = 4


@dataclass(eq=False)
class Source:
    """A store that is opened when it is first asked, and may not be there yet.

    Attributes:
        open: opens it for reading; None where there is no store yet.
        place: where it is, as a person would give it.
    """

    open: Callable[[], Store | None]
    place: str
    _store: Store | None = None
    _opening: Lock = field(default_factory=Lock)
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_READERS, thread_name_prefix="art-dashboard")
    )

    async def ask(self, question: Callable[[Store], Rows]) -> Rows | None:
        """What a view answers; None where there is no store yet.

        Raises:
            StoreError: the store cannot be read, or what is asked for is not in it.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def close(self) -> None:
        """Let the store go."""
        self._threads.shutdown(cancel_futures=True)
        if self._store is not None:
            self._store.close()
            self._store = None

    def _answer(self, question: Callable[[Store], Rows]) -> Rows | None:
        with self._opening:
            if self._store is None:
                self._store = self.open()
        return None if self._store is None else question(self._store)
