"""The files that a run left."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from art_training.errors import StoreError
from art_training.records import Artifact
from art_training.stores import Store

Shown = Literal["picture", "table", "text", "download"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
# What may be shown in a page. Pictures that can hold scripts, such as SVG, are for download alone.
_PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_TABLES = {".csv": "text/csv"}
_TEXTS = dict.fromkeys((".txt", ".md", ".json", ".log", ".yaml", ".yml", ".diff"), "text/plain")
_DOWNLOAD = "application/octet-stream"


@dataclass(frozen=True)
class ArtifactRow:
    """One file that a run left.

    Attributes:
        name: its name within the run.
        kind: checkpoint, figure, table, text or other.
        digest: SHA-256 of its bytes, in hexadecimal.
        bytes: its size.
        note: what it is, in a few words.
        kept: whether it is still there.
        shown: how it can be looked at without running anything: as a picture, a table or text, or not at all.
        media_type: as which it is to be sent: never one that a browser would run.
    """

    name: str
    kind: str
    digest: str
    bytes: int
    note: str
    kept: bool
    shown: Shown
    media_type: str

    @classmethod
    def of(cls, artifact: Artifact, *, kept: bool) -> "ArtifactRow":
        """The row of one artifact."""
        shown, media_type = _shown(artifact.name)
        return cls(
            artifact.name, artifact.kind, artifact.digest, artifact.bytes, artifact.note, kept, shown, media_type
        )


def artifacts_of(store: Store, run: str) -> tuple[ArtifactRow, ...]:
    """The files that a run's outcome names, in its order; none where it has no outcome."""
    outcome = store.outcome(run)
    artifacts = outcome.artifacts if outcome else ()
    return tuple(ArtifactRow.of(one, kept=_is_kept(store, one.digest)) for one in artifacts)


def artifact_of(store: Store, run: str, digest: str) -> tuple[ArtifactRow, Path]:
    """One file of a run and where a copy of it can be read, its bytes checked.

    Raises:
        StoreError: the run's outcome names no such file, or it is not kept any more, or its bytes are others.
    """
    row = next((one for one in artifacts_of(store, run) if one.digest == digest), None)
    if row is None or not _DIGEST.fullmatch(digest):
        raise StoreError(
            f"run {run!r} left no file with the digest {digest[:64]!r}; `art show` lists those that it left"
        )
    if not row.kept:
        raise StoreError(f"{row.name} of run {run} is not kept any more: `art gc` freed it, or somebody deleted it")
    return row, store.artifacts.fetch(digest)


def _is_kept(store: Store, digest: str) -> bool:
    return _DIGEST.fullmatch(digest) is not None and store.artifacts.has(digest)


def _shown(name: str) -> tuple[Shown, str]:
    ending = Path(name).suffix.lower()
    if ending in _PICTURES:
        return "picture", _PICTURES[ending]
    if ending in _TABLES:
        return "table", _TABLES[ending]
    return ("text", _TEXTS[ending]) if ending in _TEXTS else ("download", _DOWNLOAD)
