"""Which artifacts, and which unfinished work, are worth their room. Records are never freed here; `Store.delete` removes a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from art_training.errors import StoreError, UsageError
from art_training.records import Artifact, RunStatus, StepState
from art_training.stores.store import RunSummary, Store
from art_training.stores.workspaces import free_abandoned

CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class RetentionRule:
    """What `collect` keeps. Whatever is not a checkpoint is kept as long as a run names it.

    Attributes:
        checkpoints: of a run that keeps its checkpoints, those whose name without its ending is one of these. Those that
            are called as one of its candidates are kept besides: a later step may go on from them, as `Squeeze(of="Tune")`.
        runs: so many of each step's newest passed runs keep their checkpoints. A step's newest run keeps all of them
            while it may still be resumed, passed or not.
        grace_seconds: a file that no run names is kept so long after it was put, because its run may be about to.
        alive_seconds: a run recorded as running is taken to be alive so long after its last sign of life. While one is
            alive, nothing that was put since it began is freed.
    """

    checkpoints: tuple[str, ...] = ("best", "last")
    runs: int = 1
    grace_seconds: float = 3600.0
    alive_seconds: float = 600.0

    def __post_init__(self) -> None:
        for name in ("runs", "grace_seconds", "alive_seconds"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}={getattr(self, name)} of a retention rule is negative; give 0 or more")


@dataclass(frozen=True)
class Freed:
    """A file that was freed, or would be.

    Attributes:
        digest: of its bytes; empty for what is no whole file.
        bytes: its size.
        why: why nobody needs it, in words.
    """

    digest: str
    bytes: int
    why: str


@dataclass(frozen=True)
class Collected:
    """What `collect` did, or would do.

    Attributes:
        freed: largest first.
        kept: how many files stay.
        kept_bytes: how much room they take.
        dry: whether nothing was done.
    """

    freed: tuple[Freed, ...]
    kept: int
    kept_bytes: int
    dry: bool

    @property
    def bytes(self) -> int:
        """How much room was made, or would be."""
        return sum(one.bytes for one in self.freed)


DEFAULT_RULE = RetentionRule()


def collect(store: Store, keep: RetentionRule = DEFAULT_RULE, *, dry: bool = False) -> Collected:
    """Free the artifacts that the rule does not keep, and work that no run goes on from; with `dry` only say which.

    Runs may begin, go on and end meanwhile. They are listed before the artifacts that they name: a run that ends in
    between was seen alive, and protects what was put since it began. What is put again meanwhile is not freed either.

    Raises:
        StoreError: the store cannot be read, or a file cannot be freed.
    """
    now = datetime.now(UTC)
    runs = store.runs()
    used = store.used()
    alive = [run for run in runs if _is_alive(run, now, keep)]
    keepers = {run: _candidates(store, run) for run in _keepers(runs, keep)}
    wanted = _wanted(runs, used, keep, {run.id for run in alive}, keepers)
    reasons = _reasons(runs, used, keep, keepers)
    protected = min((run.started for run in alive), default=now)
    freed: list[Freed] = []
    kept = store.artifacts.kept()
    for digest, file in kept.items():
        if digest in wanted:
            continue
        named = digest in reasons
        unused_since = min(protected, now if named else now - timedelta(seconds=keep.grace_seconds))
        if file.put < unused_since and (dry or store.artifacts.delete(digest, unused_since=unused_since)):
            freed.append(Freed(digest, file.bytes, reasons.get(digest, "no run names it")))
    halves = store.artifacts.tidy(now - timedelta(seconds=keep.grace_seconds), dry=dry)
    for project in store.projects():
        for name, size in free_abandoned(store, project, dry=dry):
            freed.append(Freed("", size, f"work of {project}/{name} that was broken off and will not be taken up"))
    left = sum(file.bytes for file in kept.values()) - sum(one.bytes for one in freed)
    stay = len(kept) - sum(1 for one in freed if one.digest)
    if halves:
        freed.append(Freed("", halves, "left by copies that never ended"))
    freed.sort(key=lambda one: (-one.bytes, one.digest))
    return Collected(tuple(freed), stay, left, dry)


def _is_alive(run: RunSummary, now: datetime, keep: RetentionRule) -> bool:
    sign = run.heartbeat or run.started
    return run.status is RunStatus.RUNNING and (now - sign).total_seconds() <= keep.alive_seconds


def _keepers(runs: Iterable[RunSummary], keep: RetentionRule) -> list[str]:
    """The runs that keep checkpoints because they passed. `runs` come newest first."""
    passed: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        if run.state is StepState.PASSED:
            passed.setdefault((run.project, run.step), []).append(run.id)
    return [run for those in passed.values() for run in those[: keep.runs]]


def _candidates(store: Store, run: str) -> frozenset[str] | None:
    """What the candidates of a run are called; None where its outcome is damaged, and any checkpoint may be one's."""
    try:
        outcome = store.outcome(run)
    except StoreError:
        return None
    return frozenset(one.name for one in outcome.candidates) if outcome else frozenset()


def _wanted(
    runs: Iterable[RunSummary],
    used: Mapping[str, Iterable[Artifact]],
    keep: RetentionRule,
    alive: set[str],
    keepers: Mapping[str, frozenset[str] | None],
) -> set[str]:
    """The digests that the rule keeps. `runs` come newest first."""
    wanted: set[str] = set()
    seen: set[tuple[str, str]] = set()
    listed: set[str] = set()
    for run in runs:
        step = (run.project, run.step)
        newest = step not in seen
        seen.add(step)
        listed.add(run.id)
        candidates = keepers.get(run.id, frozenset())
        resumable = newest and run.status in {RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.KILLED}
        for artifact in used.get(run.id, ()):
            name = PurePosixPath(artifact.name)
            by_name = name.stem in keep.checkpoints or candidates is None or str(name.with_suffix("")) in candidates
            if artifact.kind != CHECKPOINT or run.id in alive or resumable or (run.id in keepers and by_name):
                wanted.add(artifact.digest)
    # A run whose row is damaged is not listed: what it names is kept, because nothing is known against it.
    wanted |= {artifact.digest for run, artifacts in used.items() if run not in listed for artifact in artifacts}
    return wanted


def _reasons(
    runs: Iterable[RunSummary],
    used: Mapping[str, Iterable[Artifact]],
    keep: RetentionRule,
    keepers: Mapping[str, frozenset[str] | None],
) -> dict[str, str]:
    """Why a file that some run names is not kept; the newest run that names it speaks."""
    reasons: dict[str, str] = {}
    for run in runs:
        for artifact in used.get(run.id, ()):
            if run.id in keepers:
                why = f"of whose checkpoints only {', '.join(keep.checkpoints)} and those of candidates are kept"
            elif run.state is StepState.PASSED:
                why = "an older run" if keep.runs else "a run whose checkpoints are not kept"
            else:
                why = f"a run that ended {run.state.value}"
            text = f"checkpoint {artifact.name} of {run.project}/{run.step}, {why} ({run.id})"
            reasons.setdefault(artifact.digest, text)
    return reasons
