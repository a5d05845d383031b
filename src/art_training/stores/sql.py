"""A store in a database; SQLite for now."""

import os
import threading
import weakref
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Table, delete, func, insert, literal, select, union, update

from art_training.errors import StoreError
from art_training.records import Artifact, Curve, Finding, Judgement, Outcome, Plain, RunRecord, StepState, Use
from art_training.stores import asked, rows, schema, told
from art_training.stores.artifacts import FolderArtifacts
from art_training.stores.codec import (
    PARTS,
    dumps,
    encode,
    loads,
    state_without_judgement,
    time_text,
)
from art_training.stores.fields import Cell, Field, FieldSummary, RunGroup
from art_training.stores.lock import file_lock, lock_name, locked
from art_training.stores.migrate import bring_up_to_date
from art_training.stores.reading import Unreadable, decode
from art_training.stores.refusals import already_judged, damaged, no_run
from art_training.stores.sampling import Sampled
from art_training.stores.sampling_sql import sampled_of
from art_training.stores.sqlite import BUSY_SECONDS, Database, Durability, errors_told, not_a_folder, not_writable
from art_training.stores.store import EVERY_RUN, ArtifactStore, Course, Point, RunQuery, RunSummary, Store

Record = TypeVar("Record")

_MEMOS = 5_000


class SqlStore(Store):
    """Keeps everything in an SQLite file, locks and artifacts beside it.

    Args:
        where: a path, or `sqlite:///path`. Missing folders are made.
        artifacts: a folder, or an fsspec URL below which this store gets a folder of its own; by default `artifacts`
            beside the database (`<name>-artifacts` where the file is not called `art.db`).
        read_only: write nothing; works in folders that may not be written, too.
        busy_seconds: how long to wait while another process writes.

    Raises:
        StoreTooNew: it was written by a newer ART.
        StoreCorrupt: the file is none of a store, or damaged.
        StoreError: it cannot be opened, for another reason.
    """

    def __init__(
        self,
        where: str | Path,
        *,
        artifacts: str | Path | None = None,
        read_only: bool = False,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.path = Path(str(where).removeprefix("sqlite:///")).expanduser().absolute()
        self.location = str(self.path)
        self.workspace = self._beside("work")
        _prepare_folder(self.path, read_only=read_only)
        self._database = Database(self.path, read_only=read_only, busy_seconds=busy_seconds)
        self._writing = threading.Lock()
        self._columns = told.Columns()
        self._close = weakref.finalize(self, self._database.close)
        try:
            with errors_told(self.path, busy_seconds):
                notes = self._database.open()
                bring_up_to_date(self._database, self._beside("locks"))
                self.notes = (*notes, *self._database.check_journal())
                self.artifacts = self._artifact_store(artifacts)
        except BaseException:
            self._close()
            raise

    def lock(self, project: str) -> AbstractContextManager[None]:
        """Hold a project through a file beside the database."""
        return file_lock(self._beside("locks") / lock_name(project), partial(locked, project))

    def write(self, run: RunRecord, outcome: Outcome | None = None) -> None:
        """Keep a run's record and its outcome, durably."""
        text = None if outcome is None else encode(outcome, f"the outcome of step {run.step!r}")
        with self._write("FULL") as connection:
            judged = _last_state(connection, run.id)
            beats = [connection.execute(select(schema.runs.c.heartbeat).where(schema.runs.c.id == run.id)).scalar()]
            beats += [None if run.heartbeat is None else time_text(run.heartbeat)]
            state = judged or state_without_judgement(run.status)
            heartbeat = max((beat for beat in beats if beat is not None), default=None)
            rows.put_run(connection, run, state=state, heartbeat=heartbeat)
            if outcome is not None and text is not None:
                kept = connection.execute(
                    select(schema.outcomes.c.body).where(schema.outcomes.c.run == run.id)
                ).scalar()
                if judged is not None and kept not in {None, text}:
                    raise already_judged(run.id)
                found = decode(Outcome, loads(text))
                rows.put_outcome(connection, run.id, found, text)
                if (use := Use.of(run.id, found)) is not None:
                    rows.put_use(connection, run.project, use)

    def beat(self, run: str, at: datetime) -> None:
        """Note that the run's process was alive."""
        moment = time_text(at)
        newest = func.max(func.coalesce(schema.runs.c.heartbeat, moment), moment)
        with self._write("NORMAL") as connection:
            done = connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(heartbeat=newest))
            if done.rowcount == 0:
                raise no_run(run, self.location)

    def append(self, run: str, *, points: Sequence[Point] = (), lines: Sequence[str] = ()) -> None:
        """Add points and lines, in one transaction."""
        with self._write("NORMAL") as connection:
            self._require(connection, run)
            rows.put_points(connection, run, points)
            rows.put_lines(connection, run, lines)

    def judge(self, run: str, judgement: Judgement) -> None:
        """Append a judgement, durably."""
        text = encode(judgement, f"the judgement of run {run!r}")
        with self._write("FULL") as connection:
            self._require(connection, run)
            last = select(func.max(schema.judgements.c.number)).where(schema.judgements.c.run == run)
            number = 1 + (connection.execute(last).scalar() or 0)
            row = {"run": run, "number": number, "state": judgement.state.value, "body": text}
            connection.execute(insert(schema.judgements), row)
            moved = update(schema.runs).where(schema.runs.c.id == run).values(state=judgement.state.value)
            connection.execute(moved)

    def run(self, run: str) -> RunRecord | None:
        """One run's record."""
        with self._database.read() as connection:
            try:
                return rows.read_run(connection, run)
            except Unreadable as error:
                raise damaged("record", run, str(error)) from None

    def runs(self, query: RunQuery = EVERY_RUN) -> Sequence[RunSummary]:
        """The runs that a query asks for; those whose rows are damaged are left out, and told in `notes`."""
        with self._database.read() as connection:
            return self._readable(*rows.summaries(connection, asked.in_order(query)))

    def projects(self) -> Sequence[str]:
        """The projects that have runs."""
        with self._database.read() as connection:
            return list(connection.execute(rows.projects_by_newest()).scalars())

    def latest(self, project: str) -> Mapping[str, RunSummary]:
        """The newest run of each step."""
        with self._database.read() as connection:
            found = self._readable(*rows.summaries(connection, rows.newest_of_each_step(project)))
        return {run.step: run for run in found}

    def count(self, query: RunQuery = EVERY_RUN) -> int:
        """How many runs a query asks for."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(asked.matching(query).subquery())).scalar_one()

    def ids(self, query: RunQuery = EVERY_RUN) -> Sequence[str]:
        """The ids of the runs that a query asks for, those of damaged rows among them."""
        with self._database.read() as connection:
            return list(connection.execute(asked.in_order(query)).scalars())

    def values(self, runs: Sequence[str], fields: Sequence[Field]) -> Mapping[str, Sequence[Cell]]:
        """What some runs have of some fields."""
        with self._database.read() as connection:
            return told.values_of(connection, runs, fields)

    def columns(self, query: RunQuery = EVERY_RUN) -> Sequence[FieldSummary]:
        """The parameters and scores of the runs of a project or step."""
        with self._database.read() as connection:
            return self._columns.of(connection, query)

    def groups(self, query: RunQuery, field: Field) -> Sequence[RunGroup]:
        """The runs that a query asks for by their value of a field."""
        with self._database.read() as connection:
            return told.groups_of(connection, query, field)

    def used(self) -> Mapping[str, Sequence[Artifact]]:
        """The artifacts that outcomes name, by run; known even where an outcome is damaged."""
        found: dict[str, list[Artifact]] = {}
        with self._database.read() as connection:
            for row in connection.execute(select(schema.artifacts)):
                found.setdefault(row.run, []).append(rows.artifact_of(row))
        return found

    def findings(self, project: str) -> Mapping[str, Sequence[Finding]]:
        """What the runs of a project found."""
        with self._database.read() as connection:
            return rows.findings_of(connection, project)

    def outcome(self, run: str) -> Outcome | None:
        """One run's outcome."""
        found = self._bodies(schema.outcomes, run, Outcome, "outcome")
        return found[0] if found else None

    def judgements(self, run: str) -> Sequence[Judgement]:
        """One run's judgements."""
        return self._bodies(schema.judgements, run, Judgement, "judgements")

    def curves(self, run: str, names: Sequence[str] | None = None) -> Mapping[str, Curve]:
        """One run's curves."""
        with self._database.read() as connection:
            return rows.curves_of(connection, run, names)

    def courses(self, run: str) -> Mapping[str, Course]:
        """One run's curves in a few numbers each; the points stay in the database."""
        with self._database.read() as connection:
            return rows.courses_of(connection, run)

    def sampled(
        self,
        run: str,
        names: Sequence[str] | None = None,
        *,
        limit: int = 1000,
        first: int | None = None,
        last: int | None = None,
    ) -> Mapping[str, Sampled]:
        """One run's curves to draw; the other points stay in the database."""
        with self._database.read() as connection:
            return sampled_of(connection, run, names, limit=limit, first=first, last=last)

    def log(self, run: str, *, after: int = 0) -> Sequence[str]:
        """One run's log."""
        with self._database.read() as connection:
            return rows.lines_of(connection, run, after)

    def lines(self, run: str) -> int:
        """How many lines one run's log has."""
        with self._database.read() as connection:
            return rows.last_line(connection, run)

    def uses(self, project: str) -> Sequence[Use]:
        """The uses of a project's test split."""
        with self._database.read() as connection:
            return rows.uses_of(connection, project)

    def delete(self, run: str) -> None:
        """Remove a run, and what only it used."""
        with self._write("FULL") as connection:
            self._require(connection, run)
            told.drop_parameters_of(connection, run)
            connection.execute(delete(schema.runs).where(schema.runs.c.id == run))
            for table in schema.OF_A_RUN:
                connection.execute(delete(table).where(table.c.run == run))
            used = union(*(select(schema.records.c[name]) for name in PARTS))
            connection.execute(delete(schema.parts).where(schema.parts.c.digest.not_in(used)))

    def memo(self, key: str) -> Plain:
        """A small value; None too where it is damaged."""
        with self._database.read() as connection:
            text = connection.execute(select(schema.memos.c.value).where(schema.memos.c.name == key)).scalar()
        try:
            return None if text is None else loads(text)
        except Unreadable:
            return None

    def remember(self, key: str, value: Plain) -> None:
        """Remember a small value; the oldest of very many are forgotten. Whoever only reads forgets it at once."""
        if self._database.read_only:
            return
        with self._write("NORMAL") as connection:
            written = time_text(datetime.now(UTC))
            rows.put(connection, schema.memos, [{"name": key, "value": dumps(value), "written": written}])
            if connection.execute(select(func.count()).select_from(schema.memos)).scalar_one() > _MEMOS:
                newest = select(schema.memos.c.name).order_by(schema.memos.c.written.desc()).limit(_MEMOS // 2)
                connection.execute(delete(schema.memos).where(schema.memos.c.name.not_in(newest)))

    def revision(self) -> str:
        """A token of what was committed, by this process or another."""
        return self._database.revision()

    def close(self) -> None:
        """Close the connections."""
        self._close()

    @contextmanager
    def _write(self, durability: Durability) -> Generator[Connection]:
        """Threads of one process wait for each other here, which is faster than in SQLite."""
        with self._writing, self._database.write(durability) as connection:
            yield connection

    def _beside(self, name: str) -> Path:
        """A folder of this store's own: two databases in one folder share nothing."""
        return self.path.parent / (name if self.path.stem == "art" else f"{self.path.stem}-{name}")

    def _artifact_store(self, where: str | Path | None) -> ArtifactStore:
        if where is None:
            return FolderArtifacts(self._beside("artifacts"))
        with self._database.read() as connection:
            own = connection.execute(select(schema.about.c.value).where(schema.about.c.name == "store")).scalar_one()
        if "://" in str(where):
            from art_training.stores.remote import RemoteArtifacts

            return RemoteArtifacts(f"{str(where).rstrip('/')}/{own}", self._beside("artifacts"))
        return FolderArtifacts(Path(where).expanduser().absolute() / own)

    def _require(self, connection: Connection, run: str) -> None:
        if connection.execute(select(literal(1)).where(schema.runs.c.id == run)).first() is None:
            raise no_run(run, self.location)

    def _readable(self, found: list[RunSummary], unreadable: Sequence[str]) -> list[RunSummary]:
        for run in unreadable:
            note = str(damaged("row", run, "a word or a time in the table 'runs' is none"))
            if note not in self.notes:
                self.notes = (*self.notes, note)
        return found

    def _bodies(self, table: Table, run: str, kind: type[Record], what: str) -> list[Record]:
        with self._database.read() as connection:
            wanted = select(table.c.body).where(table.c.run == run).order_by(*table.primary_key.columns)
            texts = list(connection.execute(wanted).scalars())
        try:
            return [decode(kind, loads(text)) for text in texts]
        except Unreadable as error:
            raise damaged(what, run, str(error)) from None


def _last_state(connection: Connection, run: str) -> StepState | None:
    judgements = schema.judgements.c
    wanted = select(judgements.state).where(judgements.run == run).order_by(judgements.number.desc()).limit(1)
    state = connection.execute(wanted).scalar()
    return None if state is None else StepState(state)


def _prepare_folder(path: Path, *, read_only: bool) -> None:
    if read_only:
        if not path.exists():
            raise StoreError(f"there is no store at {path} yet; `art run` makes it, or name another with ART_STORE")
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_a_folder(path) or not_writable(path, str(error.strerror)) from error
    if path.is_dir():
        raise StoreError(f"{path} is a folder, a store is a file; give {path / 'art.db'}")
    if not os.access(path if path.exists() else path.parent, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise not_writable(path, "you may not write there")
