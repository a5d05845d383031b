"""SQLite as the store uses it: how a file is opened, what is durable, and what its errors mean.

Journal: WAL where it works. Before 3.51.3 SQLite has a rare fault (https://sqlite.org/wal.html#walresetbug): a
checkpoint that begins while another connection resets the WAL may lose committed pages. Here no connection ever
checkpoints by itself; `checkpoint` does it while it holds the write lock, so that nobody can reset the WAL meanwhile.
SQLite's own checkpoint when the last connection closes is alone by definition. Memory-mapped reading stays off.
"""

import errno
import os
import shlex
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from art_training.errors import ARTError, StoreCorrupt, StoreError
from art_training.stores.mounts import network_file_system
from art_training.stores.schema import APPLICATION_ID

Durability = Literal["FULL", "NORMAL"]

BUSY_SECONDS = 30.0
_HEADER_BYTES = 100  # https://sqlite.org/fileformat.html#the_database_header
_CHECKPOINT_BYTES = 4 << 20


class Database:
    """One SQLite file, opened. Safe for threads; a forked child gets connections of its own.

    Args:
        path: the file.
        read_only: nothing is written, not even beside it where that can be avoided.
        busy_seconds: how long to wait for another process's transaction.
    """

    def __init__(self, path: Path, *, read_only: bool = False, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self.read_only = read_only
        self.busy_seconds = busy_seconds
        self._mode = "ro" if read_only else "rwc"
        self._process = os.getpid()
        self._checkpoint_due = _CHECKPOINT_BYTES
        self._watching = threading.Lock()
        self._watch: tuple[int, str, sqlite3.Connection] | None = None  # of which process, its name, the connection
        self._engine = self._new_engine()

    @property
    def engine(self) -> Engine:
        """For this process: a connection must not be used on both sides of a fork."""
        if self._process != os.getpid():
            self._engine.dispose(close=False)
            self._process = os.getpid()
        return self._engine

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A transaction that sees one state of the database."""
        with errors_told(self.path, self.busy_seconds), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self, durability: Durability) -> Generator[Connection]:
        """A transaction that nobody else writes beside. FULL: on the disk when the block ends; NORMAL: soon after."""
        if self.read_only:
            raise StoreError(f"the store {self.path} was opened for reading; open it again to write")
        with errors_told(self.path, self.busy_seconds):
            with self.engine.connect().execution_options(art_durability=durability) as connection, connection.begin():
                yield connection
            self._checkpoint_when_due()

    def checkpoint(self) -> None:
        """Copy what the WAL holds into the database, while nobody can write."""
        with self.engine.connect().execution_options(art_durability="NORMAL") as holder, holder.begin():
            raw = self.engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                raw.close()

    def revision(self) -> str:
        """A token that differs as soon as any connection, of whatever process, has committed something.

        SQLite counts the commits of others for each connection by itself (https://sqlite.org/pragma.html#pragma_data_version),
        so that it is always the same one that is asked, and that one never writes. Which one it was is part of the token.
        """
        with errors_told(self.path, self.busy_seconds), self._watching:
            if self._watch is None or self._watch[0] != os.getpid():
                self._watch = os.getpid(), uuid4().hex[:12], self._connect()
            _, name, connection = self._watch
            return f"{name}.{connection.execute('PRAGMA data_version').fetchone()[0]}"

    def close(self) -> None:
        """Close every connection; the last one of all processes empties the WAL."""
        with suppress(DBAPIError, sqlite3.Error), self._watching:
            if self._watch is not None and self._watch[0] == os.getpid():
                self._watch[2].close()
            self._watch = None
        with suppress(DBAPIError, sqlite3.Error):
            self._engine.dispose(close=self._process == os.getpid())

    def open(self) -> Sequence[str]:
        """Make the first connection. Returns what a user should know, one sentence each."""
        if self.read_only:
            return self._open_for_reading()
        self._pragma("schema_version")
        return ()

    def choose_journal(self) -> None:
        """For a new database: WAL where it works."""
        self._pragma("journal_mode", "delete" if wal_trouble(self.path) else "wal")

    def check_journal(self) -> Sequence[str]:
        """For a database that exists. Returns what a user should know about its journal, one sentence each."""
        kind, is_wal = network_file_system(self.path.parent), self._pragma("journal_mode") == "wal"
        if kind and is_wal and not self.read_only:
            # It was made elsewhere and its folder was moved here. This fails while another process has it open.
            with suppress(sqlite3.Error):
                self._pragma("journal_mode", "delete")
        if kind:
            return (_on_network(self.path, kind),)
        if is_wal or self.read_only:  # One that reads a file as it lies there is told no journal.
            return ()
        return (f"the store {self.path} uses the rollback journal, which is slower than WAL",)

    def _open_for_reading(self) -> Sequence[str]:
        """Reading a WAL database writes the `-shm` file; where that is not allowed the file is read as it lies there."""
        try:
            self._pragma("schema_version")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                raise
        else:
            return ()
        self._mode = "ro&immutable=1"
        self._engine.dispose()
        self._pragma("schema_version")
        unread = self._wal_bytes()
        if not unread:
            return ()
        note = (
            f"the newest {unread} bytes of the store {self.path} are in its -wal file, which cannot be read without "
            "write access to the folder: what is shown may be older than what is kept"
        )
        return (note,)

    def _pragma(self, name: str, value: str | None = None) -> Any:
        raw = self.engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute(f"PRAGMA {name}" if value is None else f"PRAGMA {name}={value}")
            row = cursor.fetchone()
            return None if row is None else row[0]
        finally:
            raw.close()

    def _checkpoint_when_due(self) -> None:
        size = self._wal_bytes()
        if size >= self._checkpoint_due:
            # Busy, or a full disk: the WAL holds what was committed, and whoever writes next tries again.
            with suppress(DBAPIError, sqlite3.Error):
                self.checkpoint()
            self._checkpoint_due = size + _CHECKPOINT_BYTES
        elif size < _CHECKPOINT_BYTES:
            self._checkpoint_due = _CHECKPOINT_BYTES

    def _wal_bytes(self) -> int:
        try:
            return Path(f"{self.path}-wal").stat().st_size
        except OSError:
            return 0

    def _new_engine(self) -> Engine:
        engine = create_engine("sqlite://", creator=self._connect, poolclass=QueuePool, max_overflow=-1)
        event.listen(engine, "begin", _begin)
        return engine

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={self._mode}",
            uri=True,
            timeout=self.busy_seconds,
            isolation_level=None,  # Transactions begin where `_begin` says.
            check_same_thread=False,  # The pool hands a connection to one thread at a time.
        )
        connection.execute("PRAGMA wal_autocheckpoint=0")
        # Once the WAL begins anew its file is cut to this, so that its size tells how much there is to copy.
        connection.execute("PRAGMA journal_size_limit=1048576")
        return connection


def _begin(connection: Connection) -> None:
    durability = connection.get_execution_options().get("art_durability")
    if durability is None:
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql(f"PRAGMA synchronous={durability}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def wal_trouble(path: Path) -> str:
    """Why WAL does not work where `path` lies, in one sentence; empty where it works.

    The pragma may say `wal` where shared memory does not work, so a scratch database beside the real one is written
    through one connection and read through another. A file system that other machines reach is refused by its name:
    what one machine sees there proves nothing about two.
    """
    if kind := network_file_system(path.parent):
        return _on_network(path, kind)
    try:
        with TemporaryDirectory(prefix=".probe-", dir=path.parent) as folder:
            _try_wal(Path(folder) / "probe.db")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_FULL"):
            raise
        return (
            f"SQLite's WAL does not work in {path.parent} ({error}): the store {path} uses the slower rollback journal; "
            "a local folder (set ART_STORE) is faster"
        )
    return ""


def _on_network(path: Path, kind: str) -> str:
    return (
        f"the store {path} lies on a network file system ({kind}), where SQLite's WAL does not work: it uses the slower "
        "rollback journal; a local folder (set ART_STORE) is faster and safer"
    )


def _try_wal(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as one, closing(sqlite3.connect(path)) as two:
        (mode,) = one.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise sqlite3.OperationalError(f"the journal mode stays {mode}")
        one.execute("CREATE TABLE probe (value)")
        for value in (1, 2):  # The second is seen only if both read the same shared memory.
            one.execute("INSERT INTO probe VALUES (?)", (value,))
            if two.execute("SELECT max(value) FROM probe").fetchone() != (value,):
                raise sqlite3.OperationalError("a second connection does not see what the first wrote")


@contextmanager
def errors_told(path: Path, busy_seconds: float = BUSY_SECONDS) -> Generator[None]:
    """An error of SQLite or of the system as one sentence: what is wrong with the file at `path`, and what to do."""
    try:
        yield
    except ARTError:
        raise
    except OSError as error:
        raise _system_error(path, error) from error
    except DBAPIError as error:
        raise _error(path, error.orig or error, busy_seconds) from error
    except sqlite3.Error as error:
        raise _error(path, error, busy_seconds) from error


def _error(path: Path, error: BaseException, busy_seconds: float) -> StoreError:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return corrupt(path, str(error))
    if name.startswith("SQLITE_FULL"):
        return _full(path)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError(
            f"the store {path} was locked by another process for more than {busy_seconds:g} seconds; "
            "end the program that holds it open (a database browser?) and run again"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return not_writable(path, str(error))
    if name.startswith("SQLITE_IOERR"):
        return StoreError(
            f"the store {path} cannot be read or written ({error}, {name}); what was committed is kept: see whether the "
            "disk is full, gone or failing, and run again"
        )
    if "no such table" in str(error) or "no such column" in str(error):
        return corrupt(path, str(error))
    return StoreError(f"the store {path} refused: {error} ({name or type(error).__name__})")


def _system_error(path: Path, error: OSError) -> StoreError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return _full(path)
    return not_writable(path, error.strerror or str(error))


def _full(path: Path) -> StoreError:
    return StoreError(
        f"the disk that holds the store {path} is full; what was committed is kept: make room (`art gc` frees old "
        "checkpoints) and run again"
    )


def corrupt(path: Path, why: str) -> StoreCorrupt:
    """The error for a file that is not a store, or is damaged; one that never was a store is not to be moved."""
    if not _was_store(path):
        return StoreCorrupt(
            f"{path} is not a store of ART: {why}; nothing was changed: name another path with ART_STORE or store="
        )
    away = shlex.quote(f"{path.parent}/damaged")
    return StoreCorrupt(
        f"{path} is not a store of ART, or is damaged: {why}; nothing was changed: move it away with its -wal and -shm "
        f"files (`mkdir {away}; mv {shlex.quote(str(path))}* {away}`) and run again, or name another store with ART_STORE"
    )


def _was_store(path: Path) -> bool:
    """Whether a file that cannot be read was ART's: by the mark in its header, its place, or what stands beside it."""
    beside = path.parent / ("locks" if path.stem == "art" else f"{path.stem}-locks")
    if beside.is_dir() or path.parts[-2:] == (".art", "art.db"):
        return True
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return True  # nothing is known of it
    return header.startswith(b"SQLite format 3\0") and header[68:72] == APPLICATION_ID.to_bytes(4)


def not_a_folder(path: Path) -> StoreError | None:
    """The error for a store below something that is a file; None where there is no such thing."""
    for above in path.parents:
        if above.is_file():
            return StoreError(
                f"the store {path} cannot be made: {above} is a file, and a folder is needed; move it away, or set "
                "ART_STORE to another place"
            )
    return None


def not_writable(path: Path, why: str) -> StoreError:
    """The error for a place that may not be written."""
    return StoreError(
        f"the store {path} cannot be written: {why}; make the file and its folder writable, "
        "or set ART_STORE to a place that is"
    )
