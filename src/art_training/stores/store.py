"""The contract of a store: it keeps records. Nothing that was committed is ever lost or rewritten in place."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self

from art_training.records import (
    Artifact,
    Curve,
    Finding,
    Judgement,
    Outcome,
    Plain,
    RunRecord,
    Use,
)
from art_training.stores.fields import Cell, Field, FieldSummary, RunGroup
from art_training.stores.query import EVERY_RUN, RunQuery, RunSummary
from art_training.stores.sampling import Sampled, require_room, sampled


class Point(NamedTuple):
    """One value of a curve. A later point with the same run, name and step replaces the earlier one."""

    name: str
    step: int
    epoch: int
    value: float


class Course(NamedTuple):
    """A curve in a few numbers.

    Attributes:
        points: how many there are.
        first: the first value.
        last: the last value.
        lowest: the smallest value; NaN does not count.
        highest: the largest value; NaN does not count.
    """

    points: int
    first: float | None
    last: float | None
    lowest: float | None
    highest: float | None

    @classmethod
    def of(cls, curve: Curve) -> Self:
        """The course of one curve."""
        values = curve.values
        numbers = [value for value in values if value == value]  # noqa: PLR0124  NaN is not equal to itself.
        ends = (values[0], values[-1]) if values else (None, None)
        return cls(len(values), *ends, min(numbers, default=None), max(numbers, default=None))


class Kept(NamedTuple):
    """A kept file: its size, and when it was last put."""

    bytes: int
    put: datetime


class ArtifactStore(ABC):
    """Keeps files by the SHA-256 of their bytes. Safe for several processes; writes are whole or not at all."""

    @abstractmethod
    def put(self, path: Path, *, name: str, kind: str = "other", note: str = "") -> Artifact:
        """Keep a copy of the file at `path`. Where its bytes are kept already, only its age starts anew.

        Raises:
            StoreError: it cannot be read, or there is no room for it.
        """

    @abstractmethod
    def fetch(self, digest: str) -> Path:
        """A local, read-only copy whose bytes have this digest.

        Raises:
            StoreError: it is not kept any more, or its bytes no longer have this digest.
        """

    @abstractmethod
    def has(self, digest: str) -> bool:
        """Whether it is kept."""

    @abstractmethod
    def kept(self) -> Mapping[str, Kept]:
        """Every kept file by its digest."""

    @abstractmethod
    def delete(self, digest: str, *, unused_since: datetime | None = None) -> bool:
        """Free it, unless it was put again at `unused_since` or later.

        Returns:
            Whether it was freed; False where it was not kept, too.
        """

    def tidy(self, before: datetime, *, dry: bool = False) -> int:
        """Remove what copies that began before then, and never ended, left behind; with `dry` only count.

        Returns:
            How many bytes that are.
        """
        return 0


class Store(ABC):
    """Keeps runs, their outcomes, judgements, curves and logs.

    One instance may be used from several threads. Several processes may use one location at once. All times are UTC
    and aware. What is given back is plain data, whatever was given: see `records.plain`.

    Attributes:
        location: where it is, as a person would give it to `ART_STORE`.
        workspace: a local folder, that need not exist, for what runs write before it is kept, such as checkpoints; it
            outlives a process that dies where the store does.
        artifacts: the files that its runs left.
        notes: what a careful user should know about it, one sentence each, e.g. that it lies on a network file system.
    """

    location: str
    workspace: Path
    artifacts: ArtifactStore
    notes: Sequence[str] = ()

    @abstractmethod
    def lock(self, project: str) -> AbstractContextManager[None]:
        """Hold a project for this process; given back when the block ends or the process dies.

        Raises:
            ProjectLocked: another process holds it; the message says which, since when, and what to do.
        """

    @abstractmethod
    def write(self, run: RunRecord, outcome: Outcome | None = None) -> None:
        """Keep a run's record, new or moved on, and its outcome in one durable transaction.

        An outcome that is kept already may be replaced only while the run has no judgement.

        Raises:
            StoreError: it would replace an outcome that was judged, a field holds something of the wrong type, or the
                store cannot be written.
        """

    @abstractmethod
    def beat(self, run: str, at: datetime) -> None:
        """Note that the run's process was alive at this time.

        Raises:
            StoreError: there is no such run.
        """

    @abstractmethod
    def append(self, run: str, *, points: Sequence[Point] = (), lines: Sequence[str] = ()) -> None:
        """Add points of curves and lines of the log, in one transaction.

        Raises:
            StoreError: there is no such run.
        """

    @abstractmethod
    def judge(self, run: str, judgement: Judgement) -> None:
        """Append a judgement, durably. Earlier ones stay.

        Raises:
            StoreError: there is no such run.
        """

    @abstractmethod
    def run(self, run: str) -> RunRecord | None:
        """One run's record with the state of its last judgement.

        Raises:
            StoreError: it is kept but damaged; the other runs can still be read. So with the methods below.
        """

    @abstractmethod
    def runs(self, query: RunQuery = EVERY_RUN) -> Sequence[RunSummary]:
        """The runs that a query asks for."""

    def projects(self) -> Sequence[str]:
        """The projects that have runs, the one that ran last first."""
        return list(dict.fromkeys(run.project for run in self.runs()))

    def latest(self, project: str) -> Mapping[str, RunSummary]:
        """The newest run of each step of a project, by step."""
        newest: dict[str, RunSummary] = {}
        for run in self.runs(RunQuery(project=project)):
            newest.setdefault(run.step, run)
        return newest

    def count(self, query: RunQuery = EVERY_RUN) -> int:
        """How many runs a query asks for, whatever its limit and offset."""
        return len(self.runs(replace(query, order_by="", limit=None, offset=0)))

    def ids(self, query: RunQuery = EVERY_RUN) -> Sequence[str]:
        """The ids of the runs that a query asks for, in its order."""
        return [run.id for run in self.runs(query)]

    @abstractmethod
    def values(self, runs: Sequence[str], fields: Sequence[Field]) -> Mapping[str, Sequence[Cell]]:
        """What some runs have of some fields: by run, a value for each field; None where there is none.

        A parameter of very long text is cut. Runs that there are not are left out.
        """

    @abstractmethod
    def columns(self, query: RunQuery = EVERY_RUN) -> Sequence[FieldSummary]:
        """The parameters and scores of the runs of a project or step, sorted by name.

        Of a query, only `project` and `step` count: columns of a table stay while it is filtered.
        """

    @abstractmethod
    def groups(self, query: RunQuery, field: Field) -> Sequence[RunGroup]:
        """The runs that a query asks for by their value of a field, largest group first; order and limit do not count."""

    def used(self) -> Mapping[str, Sequence[Artifact]]:
        """The artifacts that outcomes name, by run; runs without any are left out."""
        outcomes = ((run.id, self.outcome(run.id)) for run in self.runs())
        return {run: outcome.artifacts for run, outcome in outcomes if outcome is not None and outcome.artifacts}

    def findings(self, project: str) -> Mapping[str, Sequence[Finding]]:
        """What the runs of a project found, by run, oldest first; runs without any are left out."""
        runs = self.runs(RunQuery(project=project, descending=False))
        outcomes = ((run.id, self.outcome(run.id)) for run in runs)
        return {run: outcome.findings for run, outcome in outcomes if outcome is not None and outcome.findings}

    @abstractmethod
    def outcome(self, run: str) -> Outcome | None:
        """One run's outcome."""

    @abstractmethod
    def judgements(self, run: str) -> Sequence[Judgement]:
        """One run's judgements, oldest first."""

    @abstractmethod
    def curves(self, run: str, names: Sequence[str] | None = None) -> Mapping[str, Curve]:
        """One run's curves with all their points, by name; all of them where `names` is None."""

    def courses(self, run: str) -> Mapping[str, Course]:
        """One run's curves in a few numbers each, by name: of any length in bounded memory where a store can do so."""
        return {name: Course.of(curve) for name, curve in self.curves(run).items()}

    def sampled(
        self,
        run: str,
        names: Sequence[str] | None = None,
        *,
        limit: int = 1000,
        first: int | None = None,
        last: int | None = None,
    ) -> Mapping[str, Sampled]:
        """One run's curves with so many points that they can be drawn, by name; see `stores.sampling`.

        Args:
            run: its id.
            names: of the curves; None means all. Curves without points in the range are left out.
            limit: at most so many points of each.
            first: only steps from this one on.
            last: only steps up to this one.

        Raises:
            UsageError: `limit` is too small for one stretch.
        """
        require_room(limit)
        return {
            name: found
            for name, curve in self.curves(run, names).items()
            if (found := sampled(curve, limit, first, last)).points
        }

    @abstractmethod
    def log(self, run: str, *, after: int = 0) -> Sequence[str]:
        """One run's log lines in order, without so many of the first."""

    def lines(self, run: str) -> int:
        """How many lines one run's log has."""
        return len(self.log(run))

    @abstractmethod
    def uses(self, project: str) -> Sequence[Use]:
        """The uses of a project's test split, oldest first, those of removed runs among them.

        `write` notes one with an outcome that holds a score on it. What was seen cannot be unseen, so that it stays.
        """

    @abstractmethod
    def delete(self, run: str) -> None:
        """Remove a run with all that belongs to it; artifacts are freed by `collect`, and `uses` stay.

        Raises:
            StoreError: there is no such run.
        """

    @abstractmethod
    def memo(self, key: str) -> Plain:
        """A small value remembered under `key`, e.g. a data digest by file state; None where there is none."""

    @abstractmethod
    def remember(self, key: str, value: Plain) -> None:
        """Remember a small value. It may be forgotten at any time, and nothing depends on it but speed."""

    @abstractmethod
    def revision(self) -> str:
        """A token that differs from an earlier one of this instance as soon as anybody has written anything since.

        It says nothing of files among the artifacts, nor of what follows from time alone, such as a heart that fell silent.
        Asking costs less than a millisecond, so that whoever shows a store may ask several times a second.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back files and connections. Closing twice is allowed."""
