"""The store that the pages draw, read in worker threads: a page that waits for a disk holds up no other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeVar

from art_training.errors import StoreError
from art_training.stores import Store

Rows = TypeVar("Rows")

_READERS = 4


@dataclass(eq=False)
class Source:
    """A store that is opened when it is first asked, may not be there yet, and may be another one by the next question.

    Attributes:
        open: opens it for reading; None where there is no store yet.
        place: where it is, as a person would give it.
        file: that it is kept in; None where it is in none.
    """

    open: Callable[[], Store | None]
    place: str
    file: Path | None = None
    _store: Store | None = None
    _seen: "Seen | None" = None
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
            store = self._current()
        return None if store is None else question(store)

    def _current(self) -> Store | None:
        """The store that is there now: an open file goes on to be read after it was deleted or another took its place."""
        seen = None if self.file is None else Seen.of(self.file)
        if self._store is not None and seen != self._seen:
            if seen is None or self._seen is None or seen.which != self._seen.which or not self._opens():
                self._store.close()  # those who read it now come to their end
                self._store = None
            self._seen = seen
        if self._store is None:
            self._seen, self._store = seen, self.open()
        return self._store

    def _opens(self) -> bool:
        """Whether the file that was written to since is still a store.

        SQLite alone may open it: whoever closes a file lets go of every lock that the process has on it
        (https://sqlite.org/howtocorrupt.html, 2.2).
        """
        try:
            again = self.open()
        except StoreError:
            return False
        if again is not None:
            again.close()
        return again is not None


class Seen(NamedTuple):
    """A file as it is now.

    Attributes:
        which: what tells it from another that stands in its place later.
        written: what tells it from itself, once it was written to.
    """

    which: tuple[int, int]
    written: tuple[int, int]

    @classmethod
    def of(cls, file: Path) -> "Seen | None":
        """The file that is there; None where there is none."""
        try:
            about = file.stat()
        except OSError:
            return None
        return cls((about.st_dev, about.st_ino), (about.st_mtime_ns, about.st_size))
