"""Folders in which runs write before anything is kept, and which of them nobody goes on from."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from art_training.errors import ProjectLocked
from art_training.records import RunStatus
from art_training.stores.store import RunQuery, RunSummary, Store

_DIGITS = 16  # of a fingerprint's digest
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
    readable = re.sub(r"[^\w-]+", "-", step)[:40]
    return project / f"{readable}-{fingerprint[:_DIGITS]}"


def abandoned(store: Store, project: str) -> Iterator[Path]:
    """Folders that no run will go on from: a newer one of its step was made of something else, or came to its end."""
    folder = project_folder(store, project)
    if not folder.is_dir():
        return
    wanted = {step_folder(folder, run.step, run.fingerprint) for run in _newest(store, project) if _may_go_on(run)}
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


def _may_go_on(run: RunSummary) -> bool:
    return run.status in _MAY_GO_ON


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
