"""Files and folders of data: their states, which are cheap, and the digests of their content."""

import hashlib
import os
import random
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from art_training.records import Plain

FULL_BYTES = 256 * 2**20
_SAMPLE_FILES = 512
_HEAD_BYTES = 128 * 2**10
_MOST_FILES = 2_000_000
_SEED = 20
_PASSED_OVER = frozenset({"__pycache__", ".git", ".art", ".venv", ".ipynb_checkpoints", "lightning_logs", ".DS_Store"})


@dataclass(frozen=True)
class Tree:
    """A file, or a folder with everything below it.

    Attributes:
        digest: SHA-256 of names, sizes and content.
        note: what was looked at, where it was not everything; else empty.
    """

    digest: str
    note: str


def tree_of(root: Path) -> Tree:
    """Digest a file or a folder. Names are taken relative to it, so that it can lie anywhere.

    Up to 256 MB are read in full. Beyond that all names and sizes count, and the content of a sample: the first and the
    last 64 KB of 512 files, chosen by a fixed seed.

    Raises:
        OSError: something in it cannot be read.
        ValueError: it holds more files than a digest can be taken of.
    """
    files = sorted((path, size) for path, size, _changed in _walk(root))
    total = sum(size for _path, size in files)
    digest = hashlib.sha256()
    for path, size in files:
        digest.update(f"{_relative(path, root)}\0{size}\n".encode("utf-8", "surrogateescape"))
    note = ""
    if total <= FULL_BYTES:
        for path, _size in files:
            with open(path, "rb") as file:  # noqa: PTH123  By the hundred thousand.
                digest.update(hashlib.file_digest(file, "sha256").digest())
    else:
        chosen = files if len(files) <= _SAMPLE_FILES else _sample(files)
        note = (
            f"of {len(files)} files with {total / 2**20:.0f} MB in {root.name}, all names and sizes were compared, "
            f"and beginning and end of {len(chosen)} files"
        )
        for path, size in chosen:
            digest.update(_ends(path, size))
    return Tree(digest.hexdigest(), note)


def tree_state(root: Path) -> str:
    """Digest of names, sizes and times of change: what tells, without reading, that a tree is as it was.

    Raises:
        OSError, ValueError: as `tree_of` does.
    """
    digest = hashlib.sha256()
    for path, size, changed in sorted(_walk(root)):
        digest.update(f"{_relative(path, root)}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def file_state(path: str) -> Plain:
    """Size and time of change of a file, time of change of a folder; None for what is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116  By the ten thousand.
    except OSError:
        return None
    return [0 if stat.S_ISDIR(status.st_mode) else status.st_size, status.st_mtime_ns]


def _walk(root: Path) -> Iterator[tuple[str, int, int]]:
    """Files with their sizes and times of change."""
    if root.is_file():
        yield str(root), root.stat().st_size, root.stat().st_mtime_ns
        return
    waiting, count = [str(root)], 0
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name in _PASSED_OVER:
                    continue
                count += 1
                if count > _MOST_FILES:
                    raise ValueError(f"{root} holds more than {_MOST_FILES} files")
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file():
                    status = entry.stat()
                    yield entry.path, status.st_size, status.st_mtime_ns


def _relative(path: str, root: Path) -> str:
    return os.path.relpath(path, root) if path != str(root) else root.suffix


def _sample(files: list[tuple[str, int]]) -> list[tuple[str, int]]:
    chosen = random.Random(_SEED).sample(range(len(files)), _SAMPLE_FILES)  # noqa: S311  A sample, not a secret.
    return [files[index] for index in sorted(chosen)]


def _ends(path: str, size: int) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123  By the hundred thousand.
        first = file.read(_HEAD_BYTES // 2)
        file.seek(max(len(first), size - _HEAD_BYTES // 2))
        return hashlib.sha256(first + file.read(_HEAD_BYTES // 2)).digest()
