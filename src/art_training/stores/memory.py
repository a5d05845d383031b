"""A store that lives as long as its process: for notebooks that keep nothing, and for tests."""

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from art_training.records import Curve, Judgement, Outcome, Plain, RunRecord, StepState, Use
from art_training.stores import listing
from art_training.stores.artifacts import TemporaryArtifacts
from art_training.stores.codec import (
    copied,
    dumps,
    encode,
    loads,
    state_without_judgement,
    storable,
    time_of,
    time_text,
)
from art_training.stores.fields import Cell, Field, FieldSummary, RunGroup
from art_training.stores.lock import ThreadLocks
from art_training.stores.reading import decode
from art_training.stores.refusals import already_judged, no_run
from art_training.stores.store import EVERY_RUN, Point, RunQuery, RunSummary, Store


@dataclass
class _Kept:
    """What is kept of one run. Outcome and judgements are text, as in every store, so that nobody can change them."""

    record: RunRecord
    outcome: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    judgements: list[str] = field(default_factory=list[str])
    points: dict[tuple[str, int], Point] = field(default_factory=dict[tuple[str, int], Point])
    lines: list[str] = field(default_factory=list[str])


class MemoryStore(Store):
    """Keeps everything in this process, artifacts in a temporary folder that goes with the store."""

    def __init__(self) -> None:
        self.location = "memory://"
        self._temporary = TemporaryArtifacts()
        self.artifacts = self._temporary
        self.workspace = self._temporary.folder.parent / "work"
        self._guard = threading.RLock()
        self._locks = ThreadLocks()
        self._runs: dict[str, _Kept] = {}
        self._uses: dict[str, tuple[str, Use]] = {}  # of the test split, with their projects, by run
        self._memos: dict[str, str] = {}
        self._writes = 0

    def lock(self, project: str) -> AbstractContextManager[None]:
        """Hold a project among the threads of this process."""
        return self._locks.hold(project)

    def write(self, run: RunRecord, outcome: Outcome | None = None) -> None:
        """Keep a run's record and its outcome."""
        text = None if outcome is None else encode(outcome, f"the outcome of step {run.step!r}")
        record = copied(run, state_without_judgement(run.status))
        with self._writing():
            kept = self._runs.get(run.id)
            if kept is None:
                kept = self._runs[run.id] = _Kept(record)
            if text is not None and kept.judgements and kept.outcome not in {None, text}:
                raise already_judged(run.id)
            beats = [at for at in (kept.record.heartbeat, record.heartbeat) if at is not None]
            kept.record = replace(record, heartbeat=max(beats, default=None), state=_state(kept, record.state))
            if text is not None:
                kept.outcome = text
                found = decode(Outcome, loads(text))
                kept.scores = {name: score.value for name, score in found.scores.items()}
                if (use := Use.of(run.id, found)) is not None:
                    self._uses[run.id] = (run.project, use)

    def beat(self, run: str, at: datetime) -> None:
        """Note that the run's process was alive."""
        moment = time_of(time_text(at))
        with self._writing():
            kept = self._existing(run)
            kept.record = replace(kept.record, heartbeat=max(moment, kept.record.heartbeat or moment))

    def append(self, run: str, *, points: Sequence[Point] = (), lines: Sequence[str] = ()) -> None:
        """Add points and lines."""
        new = [Point(storable(name), int(step), int(epoch), float(value)) for name, step, epoch, value in points]
        with self._writing():
            kept = self._existing(run)
            kept.points.update(((point.name, point.step), point) for point in new)
            kept.lines.extend(storable(str(line)) for line in lines)

    def judge(self, run: str, judgement: Judgement) -> None:
        """Append a judgement."""
        text = encode(judgement, f"the judgement of run {run}")
        with self._writing():
            kept = self._existing(run)
            kept.judgements.append(text)
            kept.record = replace(kept.record, state=judgement.state)

    def run(self, run: str) -> RunRecord | None:
        """One run's record."""
        with self._guard:
            return None if (kept := self._runs.get(run)) is None else copied(kept.record, kept.record.state)

    def runs(self, query: RunQuery = EVERY_RUN) -> Sequence[RunSummary]:
        """The runs that a query asks for."""
        return [one.run for one in listing.in_order(self._listed(), query)]

    def values(self, runs: Sequence[str], fields: Sequence[Field]) -> Mapping[str, Sequence[Cell]]:
        """What some runs have of some fields."""
        listed = {one.run.id: one for one in self._listed()}
        return listing.values_of((listed[run] for run in runs if run in listed), fields)

    def columns(self, query: RunQuery = EVERY_RUN) -> Sequence[FieldSummary]:
        """The parameters and scores of the runs of a project or step."""
        narrowed = RunQuery(project=query.project, step=query.step)
        return listing.columns_of(one for one in self._listed() if one.is_meant(narrowed))

    def groups(self, query: RunQuery, field: Field) -> Sequence[RunGroup]:
        """The runs that a query asks for by their value of a field."""
        return listing.groups_of(self._listed(), query, field)

    def outcome(self, run: str) -> Outcome | None:
        """One run's outcome."""
        with self._guard:
            text = self._runs[run].outcome if run in self._runs else None
        return None if text is None else decode(Outcome, loads(text))

    def judgements(self, run: str) -> Sequence[Judgement]:
        """One run's judgements."""
        with self._guard:
            texts = list(self._runs[run].judgements) if run in self._runs else []
        return [decode(Judgement, loads(text)) for text in texts]

    def curves(self, run: str, names: Sequence[str] | None = None) -> Mapping[str, Curve]:
        """One run's curves."""
        with self._guard:
            points = sorted(self._runs[run].points.items()) if run in self._runs else []
        found: dict[str, list[Point]] = {}
        for (name, _), point in points:
            if names is None or name in names:
                found.setdefault(name, []).append(point)
        return {name: _curve(some) for name, some in found.items()}

    def log(self, run: str, *, after: int = 0) -> Sequence[str]:
        """One run's log."""
        with self._guard:
            return self._runs[run].lines[after:] if run in self._runs else []

    def uses(self, project: str) -> Sequence[Use]:
        """The uses of a project's test split."""
        with self._guard:
            return [use for _, (of, use) in sorted(self._uses.items()) if of == project]

    def delete(self, run: str) -> None:
        """Remove a run."""
        with self._writing():
            self._existing(run)
            del self._runs[run]

    def memo(self, key: str) -> Plain:
        """A small value."""
        with self._guard:
            text = self._memos.get(key)
        return None if text is None else loads(text)

    def remember(self, key: str, value: Plain) -> None:
        """Remember a small value."""
        with self._writing():
            self._memos[key] = dumps(value)

    def revision(self) -> str:
        """How often something was written."""
        return str(self._writes)

    def close(self) -> None:
        """Remove the temporary folder."""
        self._temporary.close()

    @contextmanager
    def _writing(self) -> Generator[None]:
        with self._guard:
            yield
            self._writes += 1

    def _listed(self) -> list[listing.Listed]:
        with self._guard:
            return [listing.Listed(_summary(kept), kept.record.parameters) for kept in self._runs.values()]

    def _existing(self, run: str) -> _Kept:
        if run not in self._runs:
            raise no_run(run, self.location)
        return self._runs[run]


def _curve(points: Sequence[Point]) -> Curve:
    """Points of one name, ascending by step, as a curve."""
    return Curve(
        tuple(point.step for point in points),
        tuple(point.value for point in points),
        tuple(point.epoch for point in points),
    )


def _state(kept: _Kept, otherwise: StepState) -> StepState:
    return kept.record.state if kept.judgements else otherwise


def _summary(kept: _Kept) -> RunSummary:
    record = kept.record
    return RunSummary(
        id=record.id,
        project=record.project,
        step=record.step,
        kind=record.kind,
        status=record.status,
        state=record.state,
        started=record.started,
        ended=record.ended,
        heartbeat=record.heartbeat,
        process=record.process,
        fingerprint=record.fingerprint.digest,
        seconds_before=record.seconds_before,
        scores=dict(kept.scores),
    )
