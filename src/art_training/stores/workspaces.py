"""Folders in which runs write before anything is kept, and which of them nobody goes on from."""

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from art_training.errors import ProjectLocked
from art_training.records import Fingerprint, Plain, RunStatus
from art_training.stores.store import RunQuery, RunSummary, Store

_DIGITS = 16  # of a fingerprint's digest
_MEMORY = "remembered-"
_MAY_GO_ON = frozenset({RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.KILLED})


def project_folder(store: Store, project: str) -> Path:
    """Where the runs of a project write."""
    return store.workspace / hashlib.sha256(project.encode()).hexdigest()[:12]


def step_folder(project: Path, step: str, fingerprint: str) -> Path:
    """Where a step with this fingerprint writes: whoever goes on from a dead run finds its checkpoints there.

    Args:
        project: the project's folder.
        step: its name.
        fingerprint: its digest.
    """
    return project / f"{_readable(step)}-{fingerprint[:_DIGITS]}"


def memory_folder(project: Path, step: str, fingerprint: str) -> Path:
    """Where a step keeps what later runs that ask for more of the same work can use; it outlives the run.

    Args:
        project: the project's folder.
        step: its name.
        fingerprint: the digest of what the work is, without how much of it is done.
    """
    return project / f"{_MEMORY}{step_folder(project, step, fingerprint).name}"


def same_work(fingerprint: Fingerprint, amounts: Collection[str]) -> Fingerprint:
    """What a step's work is, without how much of it is done.

    Args:
        fingerprint: of the step.
        amounts: names of its fields that say how much.
    """
    left_out = {f"step.{name}" for name in amounts}
    return Fingerprint({name: value for name, value in fingerprint.components.items() if name not in left_out})


def file_name(label: str) -> str:
    """A name for a file: readable, and another for every label."""
    if not label:
        return "0"
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', label)[:40]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def remembered(memory: Path, key: str) -> Path:
    """The file in which a small value is remembered, there or not."""
    return memory / f"{file_name(key)}.json"


def recall(memory: Path, key: str) -> Plain:
    """A small value that was remembered; None where there is nothing."""
    try:
        return json.loads(remembered(memory, key).read_text())
    except (OSError, ValueError):
        return None


def abandoned(store: Store, project: str) -> Iterator[Path]:
    """Folders that no run will go on from: a newer one of its step was made of something else, or came to its end.

    What a step remembers for runs that ask for more of its work is kept as long as it is the newest of its step.
    """
    folder = project_folder(store, project)
    if not folder.is_dir():
        return
    newest = list(_newest(store, project))
    wanted = {step_folder(folder, run.step, run.fingerprint) for run in newest if _may_go_on(run)}
    wanted |= {memory for run in newest if (memory := _newest_memory(folder, run.step)) is not None}
    yield from sorted(set(folder.iterdir()) - wanted)


def free_abandoned(store: Store, project: str, *, dry: bool) -> list[tuple[str, int]]:
    """Free those of a project that does not run now: name and size of each. With `dry` only say which."""
    with suppress(ProjectLocked), store.lock(project):
        found = [(path, _size(path)) for path in abandoned(store, project)]
        for path, _ in () if dry else found:
            shutil.rmtree(path, ignore_errors=True)
        return [(path.name, size) for path, size in found]
    return []


def _newest(store: Store, project: str) -> Iterator[RunSummary]:
    seen: set[str] = set()
    for run in store.runs(RunQuery(project=project)):
        if run.step not in seen:
            seen.add(run.step)
            yield run


def _newest_memory(folder: Path, step: str) -> Path | None:
    memories = folder.glob(f"{_MEMORY}{_readable(step)}-{'[0-9a-f]' * _DIGITS}")
    return max(memories, key=lambda path: path.stat().st_mtime, default=None)


def _readable(step: str) -> str:
    return re.sub(r"[^\w-]+", "-", step)[:40]


def _may_go_on(run: RunSummary) -> bool:
    return run.status in _MAY_GO_ON


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
