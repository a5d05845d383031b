"""Files kept by the SHA-256 of their bytes: in a folder, or wherever fsspec reaches."""

import hashlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

from art_training.errors import StoreError
from art_training.records import Artifact
from art_training.stores.store import ArtifactStore, Kept

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_CHUNK_BYTES = 1 << 20
_INCOMING = "incoming"


class FolderArtifacts(ArtifactStore):
    """Keeps files in a local folder as `ab/abcdef...`, read-only. Safe for threads and processes.

    Args:
        folder: made when the first file is put.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread = threading.Lock()

    def put(self, path: Path, *, name: str, kind: str = "other", note: str = "") -> Artifact:
        """Keep a copy of the file at `path`. Where its bytes are kept already, this costs reading them once."""
        with told(f"the file {path} cannot be kept as {name!r} in {self.folder}"):
            digest, size = file_digest(path)
            with self._lock(exclusive=False):
                if self._is_whole(digest, size):
                    os.utime(self._place(digest))  # It is wanted again: its age starts anew.
                else:
                    digest, size = self._copy(path)
        return Artifact(name=name, kind=kind, digest=digest, bytes=size, note=note)

    def fetch(self, digest: str) -> Path:
        """The kept file itself; its bytes are read once to see that they still have this digest."""
        place = self._place(digest)
        try:
            found, _ = file_digest(place)
        except FileNotFoundError:
            raise gone(digest, str(self.folder)) from None
        except OSError as error:
            raise StoreError(f"the artifact {digest} cannot be read at {place}: {error.strerror}") from error
        if found != digest:
            raise changed(digest, found, str(place))
        return place

    def has(self, digest: str) -> bool:
        """Whether it is kept."""
        return self._place(digest).is_file()

    def kept(self) -> Mapping[str, Kept]:
        """Every kept file."""
        found: dict[str, Kept] = {}
        for place in self.folder.glob("??/*"):
            with suppress(FileNotFoundError):  # Freed by another process meanwhile.
                if is_digest(place.name):
                    status = place.stat()
                    found[place.name] = Kept(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
        return found

    def delete(self, digest: str, *, unused_since: datetime | None = None) -> bool:
        """Free it, unless it was put again since `unused_since`."""
        place = self._place(digest)
        if not place.exists():
            return False
        with told(f"the artifact {digest} cannot be freed in {self.folder}"), self._lock(exclusive=True):
            try:
                put = datetime.fromtimestamp(place.stat().st_mtime, UTC)
                if unused_since is not None and put >= unused_since:
                    return False
                place.chmod(0o644)  # Windows removes no read-only file.
                place.unlink()
            except FileNotFoundError:
                return False
        return True

    def tidy(self, before: datetime, *, dry: bool = False) -> int:
        """Remove what killed copies left."""
        freed = 0
        for half in self.folder.glob(f"{_INCOMING}/*"):
            with suppress(FileNotFoundError):  # Another process tidies too.
                status = half.stat()
                if datetime.fromtimestamp(status.st_mtime, UTC) < before:
                    freed += status.st_size
                    if not dry:
                        half.unlink()
        return freed

    def _place(self, digest: str) -> Path:
        if not is_digest(digest):
            raise StoreError(f"{digest!r} is not the digest of an artifact; a digest is 64 hexadecimal digits")
        return self.folder / digest[:2] / digest

    def _is_whole(self, digest: str, size: int) -> bool:
        try:
            return self._place(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def _copy(self, path: Path) -> tuple[str, int]:
        """Written beside, synced, renamed: a file in its place is whole. The digest is of the bytes that were written."""
        beside = self.folder / _INCOMING
        beside.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=beside)
        try:
            hashing, size = hashlib.sha256(), 0
            with os.fdopen(handle, "wb") as target, path.open("rb") as source:
                while chunk := source.read(_CHUNK_BYTES):
                    hashing.update(chunk)
                    target.write(chunk)
                    size += len(chunk)
                target.flush()
                os.fsync(target.fileno())
            digest = hashing.hexdigest()
            place = self._place(digest)
            place.parent.mkdir(exist_ok=True)
            Path(temporary).chmod(0o444)
            Path(temporary).replace(place)
            _sync_folder(place.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return digest, size

    @contextmanager
    def _lock(self, *, exclusive: bool) -> Generator[None]:
        """Between `put` and `delete`: a file found to be kept is not freed before its age was renewed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._thread if exclusive else nullcontext():
            if fcntl is None:
                yield
                return
            with (self.folder / ".lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
                yield


def file_digest(path: Path) -> tuple[str, int]:
    """SHA-256 of a file's bytes in hexadecimal, and how many there are."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return found, file.tell()


class TemporaryArtifacts(FolderArtifacts):
    """Keeps files in a temporary folder that goes when the store is closed, is forgotten, or the process ends."""

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="art-artifacts-"))
        super().__init__(folder / "artifacts")
        self.close = weakref.finalize(self, _remove_own, folder, os.getpid())


def _remove_own(folder: Path, process: int) -> None:
    if process == os.getpid():  # A forked child that ends does not take its parent's files along.
        shutil.rmtree(folder, ignore_errors=True)


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 in hexadecimal, and no path."""
    return len(text) == 64 and all(character in "0123456789abcdef" for character in text)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; not every system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def gone(digest: str, where: str) -> StoreError:
    """The error for a file that was freed."""
    return StoreError(
        f"the artifact {digest} is not kept any more at {where}; `art gc` or another process freed it: "
        "run the step that made it again (`art run --force`)"
    )


def changed(digest: str, found: str, where: str) -> StoreError:
    """The error for a file whose bytes have another digest than when it was put."""
    return StoreError(
        f"the artifact at {where} was changed: its bytes have the digest {found}, not {digest}; "
        "ART loads only what it kept: remove the file and run the step that made it again"
    )


@contextmanager
def told(what: str) -> Generator[None]:
    """An error of the operating system as one sentence."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{what}: {error.strerror or error}; make room there or choose another place") from error
