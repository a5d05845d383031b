"""A sign of life while a step works, so that others can tell a dead run from a long one."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from art_training.errors import StoreError
from art_training.stores import Store

SECONDS = 5.0


@contextmanager
def heartbeat(store: Store, run: str) -> Generator[None]:
    """Note every few seconds that the run is alive, from a thread of its own."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(SECONDS):
            try:
                store.beat(run, datetime.now(UTC))
            except StoreError:  # a store that is busy for a moment; the next beat tells, and writes of results raise
                continue

    thread = threading.Thread(target=beat, name=f"art-heartbeat-{run}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
