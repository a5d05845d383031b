"""One process at a time: locks that are gone the moment their process is, however it ended."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from art_training.errors import ARTError, ProjectLocked, StoreError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_held: set[int] = set()


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        pid: its process.
        host: its machine.
        since: when it took the lock, in UTC, ISO 8601.
    """

    pid: int
    host: str
    since: str

    @classmethod
    def here(cls) -> "Holder":
        """This process, now."""
        return cls(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))


def locked(project: str, holder: Holder | None) -> ProjectLocked:
    """The error for a project that `holder` (None: not known) runs at this moment."""
    if holder is None:
        return ProjectLocked(f"project {project!r} is being run by another process; wait for it to end")
    since = datetime.fromisoformat(holder.since).astimezone().strftime("%Y-%m-%d %H:%M")
    who = f"process {holder.pid} on host {holder.host}"
    if holder.host != socket.gethostname():
        stop = "or stop it there"
    elif holder.pid == os.getpid():
        who, stop = f"{who} (this one)", "or leave its other `run` first"
    else:
        stop = f"or stop it with `kill {holder.pid}`"
    return ProjectLocked(f"project {project!r} is being run by {who} since {since}; wait for it to end, {stop}")


def lock_name(project: str) -> str:
    """A file name for a project's lock: safe whatever the project is called."""
    return f"{sha256(project.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}.lock"


class ThreadLocks:
    """Locks of projects among the threads of this process; for stores that live in memory."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._holders: dict[str, Holder] = {}

    @contextmanager
    def hold(self, project: str) -> Generator[None]:
        """Hold a project.

        Raises:
            ProjectLocked: it is held already.
        """
        with self._guard:
            if project in self._holders:
                raise locked(project, self._holders[project])
            self._holders[project] = Holder.here()
        try:
            yield
        finally:
            with self._guard:
                del self._holders[project]


@contextmanager
def file_lock(
    path: Path, refusal: Callable[[Holder | None], ARTError], *, wait_seconds: float = 0.0
) -> Generator[None]:
    """Hold a lock on the file at `path`, which also says who holds it, against all other threads and processes.

    The file stays when the lock is given back: removing it would let two processes lock two files of one name.

    Args:
        path: its folder is made where it is missing.
        refusal: makes the error for a lock that somebody holds.
        wait_seconds: how long to wait for it.

    Raises:
        ARTError: what `refusal` makes.
        StoreError: the file cannot be made.
    """
    process = os.getpid()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StoreError(
            f"the lock {path} cannot be made: {error.strerror}; "
            "make the folder writable, or set ART_STORE to a place that is"
        ) from error
    deadline = time.monotonic() + wait_seconds
    try:
        while not _try_lock(file):
            if time.monotonic() >= deadline:
                raise refusal(_read_holder(file))
            time.sleep(0.01)
        _held.add(file)
        with suppress(OSError):  # A full disk: who holds the lock cannot be told, but held it is.
            os.ftruncate(file, 0)
            os.write(file, json.dumps(asdict(Holder.here())).encode())
        yield
    finally:
        if os.getpid() == process:  # In a forked child the file is closed already, and its number may be another's.
            _held.discard(file)
            os.close(file)


def _read_holder(file: int) -> Holder | None:
    try:
        os.lseek(file, 0, os.SEEK_SET)
        return Holder(**json.loads(os.read(file, 4096)))
    except (ValueError, TypeError, OSError):  # It is being written at this moment, or the system forbids to read it.
        return None


def _try_lock(file: int) -> bool:
    if fcntl is None:
        return _try_lock_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_lock_windows(file: int) -> bool:
    import msvcrt

    os.lseek(file, 1 << 30, os.SEEK_SET)  # Locked bytes cannot be read there; this one lies far behind the text.
    try:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    os.lseek(file, 0, os.SEEK_SET)
    return True


def _let_go_in_child() -> None:
    """A forked child (a data loader's worker) must not keep alive the lock of a parent that was killed."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
