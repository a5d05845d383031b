"""Files kept by the SHA-256 of their bytes, wherever fsspec reaches."""

import os
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from art_training.errors import StoreError
from art_training.records import Artifact
from art_training.stores.artifacts import FolderArtifacts, changed, file_digest, gone, is_digest, told
from art_training.stores.store import ArtifactStore, Kept

_HALF = ".part"


class RemoteArtifacts(ArtifactStore):
    """Keeps files wherever fsspec reaches, and copies of what was fetched in a local folder.

    Other machines may put and free files at the same time: what was put in the last hour is not freed by `collect`,
    which is longer than an upload that was found unnecessary takes to be recorded.

    Args:
        url: e.g. `s3://bucket/folder`.
        cache: a local folder for what is fetched.
    """

    def __init__(self, url: str, cache: Path) -> None:
        from fsspec.core import url_to_fs

        self.url = url
        self.cache = FolderArtifacts(cache)
        try:
            fs, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"artifacts cannot be kept at {url!r}: {error}; install what it names, or give a folder"
            ) from error
        self._fs: Any = fs
        self._root = str(root).rstrip("/")

    def put(self, path: Path, *, name: str, kind: str = "other", note: str = "") -> Artifact:
        """Keep a copy of the file at `path`; uploaded under another name, then renamed where the system can."""
        with told(f"the file {path} cannot be kept as {name!r} at {self.url}"):
            digest, size = file_digest(path)
            place = self._place(digest)
            if self._size(place) != size:
                self._fs.makedirs(place.rpartition("/")[0], exist_ok=True)
                beside = f"{place}.{os.getpid()}-{threading.get_ident()}{_HALF}"
                self._fs.put_file(str(path), beside)
                self._fs.mv(beside, place)
            else:
                self._renew(place)
        return Artifact(name=name, kind=kind, digest=digest, bytes=size, note=note)

    def fetch(self, digest: str) -> Path:
        """A local copy, downloaded once; its bytes are read to see that they have this digest."""
        with suppress(StoreError):  # Not in the cache, or damaged there: it is fetched again.
            return self.cache.fetch(digest)
        place = self._place(digest)
        with told(f"the artifact {digest} cannot be read at {place}"), tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / digest
            try:
                self._fs.get_file(place, str(local))
            except FileNotFoundError:
                raise gone(digest, self.url) from None
            found, _ = file_digest(local)
            if found != digest:
                raise changed(digest, found, place)
            self.cache.delete(digest)
            self.cache.put(local, name=digest)
        return self.cache.fetch(digest)

    def has(self, digest: str) -> bool:
        """Whether it is kept."""
        return bool(self._fs.exists(self._place(digest)))

    def kept(self) -> Mapping[str, Kept]:
        """Every kept file."""
        names = ((place.rpartition("/")[2], entry) for place, entry in self._listing().items())
        return {name: Kept(int(entry["size"] or 0), self._time(entry)) for name, entry in names if is_digest(name)}

    def delete(self, digest: str, *, unused_since: datetime | None = None) -> bool:
        """Free it, unless it was put again since `unused_since`."""
        place = self._place(digest)
        with told(f"the artifact {digest} cannot be freed at {self.url}"):
            try:
                self._fs.invalidate_cache()
                if unused_since is not None and self._time(self._fs.info(place)) >= unused_since:
                    return False
                self._fs.rm_file(place)
            except FileNotFoundError:
                return False
        self.cache.delete(digest)
        return True

    def tidy(self, before: datetime, *, dry: bool = False) -> int:
        """Remove what killed uploads left."""
        listing = self._listing().items()
        halves = [(place, e) for place, e in listing if place.endswith(_HALF) and self._time(e) < before]
        for place, _ in () if dry else halves:
            with told(f"{place} cannot be removed"), suppress(FileNotFoundError):
                self._fs.rm_file(place)
        return sum(int(entry["size"] or 0) for _, entry in halves)

    def _listing(self) -> dict[str, dict[str, Any]]:
        with told(f"the artifacts at {self.url} cannot be listed"):
            self._fs.invalidate_cache()
            if not self._fs.exists(self._root):
                return {}
            return cast("dict[str, dict[str, Any]]", self._fs.find(self._root, detail=True))

    def _place(self, digest: str) -> str:
        if not is_digest(digest):
            raise StoreError(f"{digest!r} is not the digest of an artifact; a digest is 64 hexadecimal digits")
        return f"{self._root}/{digest[:2]}/{digest}"

    def _size(self, place: str) -> int | None:
        try:
            self._fs.invalidate_cache()
            return int(self._fs.info(place)["size"])
        except FileNotFoundError:
            return None

    def _renew(self, place: str) -> None:
        """Its age starts anew, where the system can say so; elsewhere the file is copied onto itself."""
        try:
            self._fs.touch(place, truncate=False)
        except (NotImplementedError, ValueError):
            self._fs.cp_file(place, place)

    def _time(self, entry: Mapping[str, Any]) -> datetime:
        """When a file was put; now, which keeps it, where the system does not say."""
        for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
            value = entry.get(name)
            if isinstance(value, datetime):
                return value if value.tzinfo else value.replace(tzinfo=UTC)
            if isinstance(value, int | float):
                return datetime.fromtimestamp(value, UTC)
            if isinstance(value, str):
                with suppress(ValueError):
                    return datetime.fromisoformat(value)
        return datetime.now(UTC)
