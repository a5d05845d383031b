"""SQLite as the store uses it: journals, checkpoints, and errors in one sentence."""

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from art_training.errors import ARTError, StoreCorrupt, StoreError
from art_training.stores import Point, mounts, sqlite
from art_training.stores.sql import SqlStore
from art_training.stores.sqlite import wal_trouble
from art_training.testing.records import a_run, an_outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with twenty runs."""
    path = tmp_path / "store" / "art.db"
    with closing(SqlStore(path)) as store:
        for number in range(20):
            store.write(a_run(number), an_outcome(accuracy=0.5))
    return path


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def in_child(work: Callable[[], object], prepare: Callable[[], None]) -> str:
    """What `work` raises, or its repr, in a forked process that may not do everything."""
    import alembic.command  # noqa: F401  Whatever is imported lazily may be out of the child's reach.

    out, into = os.pipe()
    with warnings.catch_warnings():  # Later Pythons warn of a fork beside threads; none is at work here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            prepare()
            said = repr(work())
        except ARTError as error:
            said = f"{type(error).__name__}: {error}"
        except BaseException as error:
            said = f"not told: {error!r}"
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    with os.fdopen(out) as file:
        return file.read()


def limit_files(size: int) -> Callable[[], None]:
    """No file may grow beyond `size`, as on a full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_new_store_writes_ahead(path: Path) -> None:
    with raw(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA application_id").fetchone() == (0x41525432,)


def test_results_are_on_the_disk_when_written_and_curves_soon_after(path: Path) -> None:
    with closing(SqlStore(path)) as store:
        seen: list[str] = []
        with store._database._engine.connect() as connection:
            connection.connection.driver_connection.set_trace_callback(seen.append)  # type: ignore[union-attr]
        store.write(a_run(99))
        store.append("run-00099", points=[Point("loss", 1, 0, 0.1)])
    wanted = [
        statement for statement in seen if "synchronous" in statement or statement.startswith(("BEGIN", "COMMIT"))
    ]
    assert wanted == [
        "PRAGMA synchronous=FULL",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "PRAGMA synchronous=NORMAL",
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]


def test_no_connection_checkpoints_by_itself_or_maps_memory(path: Path) -> None:
    with closing(SqlStore(path)) as store:
        assert store._database._pragma("wal_autocheckpoint") == 0
        assert store._database._pragma("mmap_size") == 0


def test_a_checkpoint_waits_until_nobody_writes(path: Path) -> None:
    with closing(SqlStore(path, busy_seconds=0.1)) as store, raw(path) as other:
        store.write(a_run(50))
        before = path.stat().st_mtime_ns, path.read_bytes()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Exception, match="locked"):
            store._database.checkpoint()
        assert (path.stat().st_mtime_ns, path.read_bytes()) == before
        other.execute("ROLLBACK")
        store._database.checkpoint()
        assert path.read_bytes() != before[1]


def test_the_journal_does_not_grow_without_end(path: Path) -> None:
    journal = Path(f"{path}-wal")
    with closing(SqlStore(path)) as store:
        largest = 0
        for start in range(0, 120_000, 4000):
            store.append("run-00000", points=[Point("loss", start + step, 0, 0.1) for step in range(4000)])
            largest = max(largest, journal.stat().st_size)
        assert largest < 8 << 20
        assert len(store.curves("run-00000")["loss"].steps) == 120_000


def test_a_reader_that_holds_on_does_not_make_every_write_checkpoint(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqlStore(path)) as store, raw(path) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchone()
        done: list[int] = []
        checkpoint = store._database.checkpoint
        monkeypatch.setattr(store._database, "checkpoint", lambda: (done.append(1), checkpoint()))
        for start in range(0, 90_000, 1000):
            store.append("run-00000", points=[Point("loss", start + step, 0, 0.1) for step in range(1000)])
        assert 1 <= len(done) <= 6


def test_where_wal_does_not_work_the_older_journal_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise sqlite3.OperationalError("locking protocol")

    monkeypatch.setattr(sqlite, "_try_wal", fail)
    for _ in range(2):  # Said whenever it is opened, not only when it was made.
        with closing(SqlStore(tmp_path / "art.db")) as store:
            assert store._database._pragma("journal_mode") == "delete"
            assert store.notes == (f"the store {store.path} uses the rollback journal, which is slower than WAL",)
            store.write(a_run(), an_outcome())
    assert "does not work in" in wal_trouble(tmp_path / "art.db")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["art.db", "home", "locks"]  # No probe is left.


def test_a_network_file_system_is_known_by_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_read", lambda _: ((Path("/"), "nfs4"),))
    for where in (path, path.with_name("new.db")):
        with closing(SqlStore(where)) as store:
            assert store._database._pragma("journal_mode") == "delete"
            (note,) = store.notes
            assert "lies on a network file system (nfs4)" in note


def test_the_probe_works_here(tmp_path: Path) -> None:
    assert wal_trouble(tmp_path / "art.db") == "" or mounts.network_file_system(tmp_path)


def look(path: Path) -> None:
    with closing(SqlStore(path)) as store:
        store.runs()


@pytest.mark.parametrize("damage", ["text", "half", "stub", "middle"])
def test_a_damaged_file_is_told_and_left_alone(path: Path, damage: str) -> None:
    data = bytearray(path.read_bytes())
    if damage == "text":
        data = bytearray(b"dear diary, " * 1000)
    elif damage == "middle":
        data[4096 : len(data) // 2] = b"\xa5" * (len(data) // 2 - 4096)
    else:
        data = data[: len(data) // 2 if damage == "half" else 100]
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match=r"nothing was changed: move it away with .*`mkdir .*damaged; mv") as caught:
        look(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == data


def test_the_remedy_for_a_damaged_file_works(path: Path) -> None:
    path.write_text("dear diary")
    with pytest.raises(StoreCorrupt) as caught:
        SqlStore(path)
    subprocess.run(["sh", "-c", str(caught.value).split("`")[1]], check=True)
    with closing(SqlStore(path)) as store:
        assert store.runs() == []
    assert (path.parent / "damaged" / "art.db").read_text() == "dear diary"


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "art.db"
    with raw(path) as connection:
        connection.execute("CREATE TABLE songs (title)")
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match=r"a database of something else .its tables are songs"):
        SqlStore(path)
    assert path.read_bytes() == before


def test_a_database_that_is_locked_too_long_is_named(path: Path) -> None:
    with closing(SqlStore(path, busy_seconds=0.1)) as store, raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=rf"{path} was locked by another process for more than 0.1 seconds"):
            store.write(a_run(99))
        assert len(store.runs()) == 20  # Readers do not wait.
        other.execute("ROLLBACK")
        store.write(a_run(99))


def test_a_full_disk_is_told_and_loses_nothing(path: Path) -> None:
    store = SqlStore(path)

    def fill() -> None:
        with closing(SqlStore(path)) as full:
            for number in range(100, 1000):
                full.write(a_run(number), an_outcome(accuracy=0.5))
                os.write(2, b".")

    with store._database.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1")
    many = [Point("loss", step, 0, 0.1) for step in range(20_000)]
    with pytest.raises(StoreError, match=r"the disk that holds the store .* is full; what was committed is kept: make"):
        store.append("run-00000", points=many)
    store.close()
    said = in_child(fill, limit_files(300_000))
    assert said.startswith("StoreError: the store"), said
    assert "what was committed is kept: see whether the disk is full" in said
    with closing(SqlStore(path)) as again:
        assert len(again.runs()) >= 20
        again.write(a_run(2000), an_outcome())
    with raw(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_store_that_could_not_be_made_for_a_full_disk_can_be_made_later(tmp_path: Path) -> None:
    path = tmp_path / "art.db"
    said = in_child(lambda: SqlStore(path), limit_files(20_000))
    assert said.startswith("StoreError"), said
    with closing(SqlStore(path)) as store:
        assert store.runs() == []


def test_an_artifact_for_which_there_is_no_room_leaves_nothing(path: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(500_000))
    with closing(SqlStore(path)) as store:
        said = in_child(lambda: store.artifacts.put(tmp_path / "big", name="last.ckpt"), limit_files(200_000))
        assert said.startswith("StoreError: the file")
        assert "File too large; make room" in said
        assert store.artifacts.kept() == {}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may write less")
class TestWithoutPermission:
    @pytest.fixture
    def open_path(self) -> Iterator[Path]:
        """In a folder that everybody can reach; pytest's own cannot be."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            path = Path(folder) / "store" / "art.db"
            with closing(SqlStore(path)) as store:
                store.write(a_run(), an_outcome())
            yield path

    def as_nobody(self, work: Callable[[], object]) -> str:
        return in_child(work, lambda: os.setuid(65534))

    def test_a_folder_that_may_not_be_written_is_told(self, open_path: Path) -> None:
        for path in (open_path, open_path.parent / "new.db", open_path.parent / "deep" / "new.db"):
            said = self.as_nobody(lambda path=path: SqlStore(path))
            assert said.startswith(f"StoreError: the store {path} cannot be written: "), said
            assert said.endswith("make the file and its folder writable, or set ART_STORE to a place that is")

    def test_views_work_where_nothing_may_be_written(self, open_path: Path) -> None:
        assert stat.S_IMODE(open_path.parent.stat().st_mode) & 0o002 == 0

        def look() -> object:
            with closing(SqlStore(open_path, read_only=True)) as store:
                return len(store.runs()), store.outcome("run-00000") is not None, store.notes

        assert self.as_nobody(look) == "(1, True, ())"
        with closing(SqlStore(open_path)) as writer:  # Somebody writes at this moment.
            writer.write(a_run(1))
            assert self.as_nobody(look) == "(2, True, ())"

    def test_what_cannot_be_seen_for_lack_of_permission_is_told(self, open_path: Path) -> None:
        with closing(SqlStore(open_path)) as writer:
            writer.write(a_run(1))
            journal = Path(f"{open_path}-wal").read_bytes()
        Path(f"{open_path}-wal").write_bytes(journal)  # As a killed process leaves it, without the -shm file.

        def look() -> object:
            with closing(SqlStore(open_path, read_only=True)) as store:
                return store.notes

        assert "may be older than what is kept" in self.as_nobody(look)


def test_reading_alone_writes_nothing(path: Path) -> None:
    before = path.read_bytes()
    with closing(SqlStore(path, read_only=True)) as store:
        assert len(store.runs()) == 20
        with pytest.raises(StoreError, match="was opened for reading"):
            store.write(a_run(99))
    assert path.read_bytes() == before


def test_a_forked_child_uses_connections_of_its_own(path: Path) -> None:
    with closing(SqlStore(path)) as store:
        store.runs()

        def work() -> int:
            store.write(a_run(30))
            return len(store.runs())

        assert in_child(work, lambda: None) == "21"
        store.write(a_run(31))
        assert len(store.runs()) == 22


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"is a folder, a store is a file; give {tmp_path}/art.db"):
        SqlStore(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        SqlStore(tmp_path / "file" / "art.db")


def test_a_store_that_is_forgotten_closes_its_connections() -> None:
    code = (
        "import warnings, gc, sys; warnings.simplefilter('error')\n"
        "from art_training.stores.sql import SqlStore\n"
        "SqlStore('art.db').runs(); gc.collect(); SqlStore('art.db').runs()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not Path("art.db-wal").exists()


def test_a_file_that_never_was_a_store_is_not_to_be_moved(tmp_path: Path) -> None:
    text, songs = tmp_path / "passwd", tmp_path / "songs.db"
    text.write_text("root:x:0:0:root:/root:/bin/bash\n" * 200)
    with raw(songs) as connection:
        connection.execute("CREATE TABLE songs (title)")
    for path in (text, songs):
        before = path.read_bytes()
        with pytest.raises(
            StoreCorrupt, match=r"is not a store of ART: .*: name another path with ART_STORE"
        ) as caught:
            SqlStore(path)
        assert "mv " not in str(caught.value)
        assert path.read_bytes() == before


@pytest.mark.parametrize("below", ["art.db", "deeper/art.db"])
def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / ".art").write_text("mine")
    with pytest.raises(StoreError, match=rf"{tmp_path}/.art is a file, and a folder is needed; move it away"):
        SqlStore(tmp_path / ".art" / below)
    assert (tmp_path / ".art").read_text() == "mine"
