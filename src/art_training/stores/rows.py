"""Records as rows of the tables and back."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, Table, func, insert, select

from art_training.errors import StoreError
from art_training.records import Artifact, Curve, Finding, Outcome, RunRecord, RunStatus, StepState, Use
from art_training.stores import schema
from art_training.stores.codec import (
    PARTS,
    digest,
    dumps,
    join_run,
    loads,
    split_run,
    storable,
    time_of,
    time_text,
)
from art_training.stores.reading import Unreadable, decode
from art_training.stores.store import Course, Point, RunSummary
from art_training.stores.told import drop_parameters, put_parameters

# So many runs are looked up by their ids at a time (SQLite takes 32,766 values in a statement, older ones 999) ...
_PAGE = 500
# ... and of more than so many, it is faster to read all that there are.
_EVERY = 3_000


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; each replaces the one with its key."""
    if rows:
        connection.execute(insert(table).prefix_with("OR REPLACE"), rows)


def put_run(connection: Connection, run: RunRecord, *, state: StepState, heartbeat: str | None) -> None:
    """A run's record, its parts each once.

    Raises:
        StoreError: a field holds something of the wrong type, so that the record could be written but never read.
    """
    small, texts = split_run(run)
    try:
        join_run(dict(small), texts)
    except Unreadable as error:
        raise StoreError(
            f"the record of run {run.id!r} cannot be kept: {error}; give that field a value of its type"
        ) from None
    digests = {name: digest(text) for name, text in texts.items()}
    before = _parameters_digest(connection, run.id)
    if before not in {None, digests["parameters"]}:
        drop_parameters(connection, run.project, run.step, run.id)
    if before != digests["parameters"]:
        put_parameters(connection, run.project, run.step, run.id, loads(texts["parameters"]))
    known = select(schema.parts.c.digest).where(schema.parts.c.digest.in_(digests.values()))
    present = set(connection.execute(known).scalars())
    new = {digests[name]: text for name, text in texts.items() if digests[name] not in present}
    put(connection, schema.parts, [{"digest": key, "body": text} for key, text in new.items()])
    put(connection, schema.records, [{"run": run.id, "body": dumps(small), **digests}])
    put(connection, schema.runs, [_narrow(run, state, heartbeat)])


def _parameters_digest(connection: Connection, run: str) -> str | None:
    return connection.execute(select(schema.records.c.parameters).where(schema.records.c.run == run)).scalar()


def _narrow(run: RunRecord, state: StepState, heartbeat: str | None) -> dict[str, Any]:
    return {
        "id": run.id,
        "project": run.project,
        "step": run.step,
        "kind": run.kind,
        "status": run.status.value,
        "state": state.value,
        "started": time_text(run.started),
        "ended": None if run.ended is None else time_text(run.ended),
        "heartbeat": heartbeat,
        "process": storable(run.process),
        "fingerprint": run.fingerprint.digest,
        "seconds_before": run.seconds_before,
    }


def put_outcome(connection: Connection, run: str, outcome: Outcome, text: str) -> None:
    """An outcome, with what is searched in it as rows of their own."""
    for table in (schema.scores, schema.artifacts, schema.findings):
        connection.execute(table.delete().where(table.c.run == run))
    put(connection, schema.outcomes, [{"run": run, "body": text}])
    scores = [
        {"run": run, "name": storable(name), "value": _null(score.value)} for name, score in outcome.scores.items()
    ]
    put(connection, schema.scores, scores)
    put(connection, schema.artifacts, [{"run": run, **_artifact_row(artifact)} for artifact in outcome.artifacts])
    found = [{"run": run, "number": number, "body": dumps(one)} for number, one in enumerate(outcome.findings)]
    put(connection, schema.findings, found)


def findings_of(connection: Connection, project: str) -> Mapping[str, Sequence[Finding]]:
    """What was found, by run, oldest first; a finding that is damaged is left out, as is its run's outcome elsewhere."""
    runs, kept = schema.runs.c, schema.findings.c
    wanted = (
        select(kept.run, kept.body)
        .select_from(schema.findings.join(schema.runs, kept.run == runs.id))
        .where(runs.project == project)
        .order_by(runs.started, runs.id, kept.number)
    )
    found: dict[str, list[Finding]] = {}
    for run, body in connection.execute(wanted):
        with suppress(Unreadable):
            found.setdefault(run, []).append(decode(Finding, loads(body)))
    return found


def put_use(connection: Connection, project: str, use: Use) -> None:
    """A use of a project's test split."""
    row = {"run": use.run, "project": project, "model": storable(use.model), "rows": storable(use.rows)}
    put(connection, schema.uses, [row])


def uses_of(connection: Connection, project: str) -> list[Use]:
    """The uses of a project's test split, oldest first: ids of runs begin with their time."""
    uses = schema.uses.c
    wanted = select(uses.run, uses.model, uses.rows).where(uses.project == project).order_by(uses.run)
    return [Use(*row) for row in connection.execute(wanted)]


def _artifact_row(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": storable(artifact.name),
        "kind": artifact.kind,
        "digest": artifact.digest,
        "bytes": artifact.bytes,
        "note": storable(artifact.note),
    }


def artifact_of(row: Row[Any]) -> Artifact:
    """An artifact from its row."""
    return Artifact(name=row.name, kind=row.kind, digest=row.digest, bytes=row.bytes, note=row.note)


def put_points(connection: Connection, run: str, points: Sequence[Point]) -> None:
    """Points, each replacing the one of its name and step. Past SQLAlchemy, because training waits for it."""
    if points:
        connection.exec_driver_sql(
            "INSERT OR REPLACE INTO points (run, name, step, epoch, value) VALUES (?, ?, ?, ?, ?)",
            [(run, storable(name), int(step), int(epoch), _null(float(value))) for name, step, epoch, value in points],
        )


def put_lines(connection: Connection, run: str, lines: Sequence[str]) -> None:
    """Lines of the log behind those that there are."""
    if lines:
        first = 1 + last_line(connection, run)
        new = [{"run": run, "number": first + n, "text": storable(str(line))} for n, line in enumerate(lines)]
        connection.execute(insert(schema.lines), new)


def last_line(connection: Connection, run: str) -> int:
    """How many lines a log has: they are numbered from 1, and none goes but with its run."""
    return connection.execute(select(func.max(schema.lines.c.number)).where(schema.lines.c.run == run)).scalar() or 0


def lines_of(connection: Connection, run: str, after: int) -> list[str]:
    """The lines of a log without so many of the first."""
    lines = schema.lines.c
    wanted = select(lines.text).where(lines.run == run, lines.number > after).order_by(lines.number)
    return list(connection.execute(wanted).scalars())


def curves_of(connection: Connection, run: str, names: Sequence[str] | None) -> Mapping[str, Curve]:
    """Curves by name, each in the order of its steps."""
    points = schema.points.c
    if names is None:
        names = connection.execute(select(points.name).where(points.run == run).distinct()).scalars().all()
    of_one = select(points.step, points.value, points.epoch).where(points.run == run).order_by(points.step)
    found: dict[str, Curve] = {}
    for name in sorted(set(names)):
        rows = connection.execute(of_one.where(points.name == name)).all()
        if rows:
            steps, values, epochs = zip(*rows, strict=True)
            found[name] = Curve(steps, tuple(map(_nan, values)) if None in values else values, epochs)
    return found


def courses_of(connection: Connection, run: str) -> Mapping[str, Course]:
    """Curves in a few numbers each, by name; the points are counted and compared where they lie."""
    points = schema.points.c
    counted = (
        select(
            points.name,
            func.count().label("points"),
            func.min(points.value).label("lowest"),  # NaN is NULL, which counts for neither
            func.max(points.value).label("highest"),
            func.min(points.step).label("first"),
            func.max(points.step).label("last"),
        )
        .where(points.run == run)
        .group_by(points.name)
        .subquery()
    )

    def value_at(step: str) -> Any:
        at = schema.points.alias()
        found = select(at.c.value).where(at.c.run == run, at.c.name == counted.c.name, at.c.step == counted.c[step])
        return found.scalar_subquery().label(f"{step}_value")

    wanted = select(counted, value_at("first"), value_at("last")).order_by(counted.c.name)
    return {
        row.name: Course(row.points, _nan(row.first_value), _nan(row.last_value), row.lowest, row.highest)
        for row in connection.execute(wanted)
    }


def read_run(connection: Connection, run: str) -> RunRecord | None:
    """A run's record; None where there is none.

    Raises:
        Unreadable: its rows are damaged.
    """
    row = connection.execute(select(schema.runs).where(schema.runs.c.id == run)).first()
    if row is None:
        return None
    more = connection.execute(select(schema.records).where(schema.records.c.run == run)).first()
    if more is None:
        raise Unreadable("its row in the table 'records' is missing")
    digests = {name: str(getattr(more, name)) for name in PARTS}
    found = connection.execute(select(schema.parts).where(schema.parts.c.digest.in_(digests.values())))
    bodies = {part.digest: part.body for part in found}
    if missing := [name for name, key in digests.items() if key not in bodies]:
        raise Unreadable(f"its {missing[0]} is missing in the table 'parts'")
    summary = summary_of(row, {})
    details = join_run(loads(more.body), {name: bodies[key] for name, key in digests.items()})
    try:
        return RunRecord(
            id=summary.id,
            project=summary.project,
            step=summary.step,
            kind=summary.kind,
            started=summary.started,
            status=summary.status,
            ended=summary.ended,
            heartbeat=summary.heartbeat,
            process=summary.process,
            state=summary.state,
            **details,
        )
    except TypeError as error:
        raise Unreadable(str(error)) from None


def summary_of(row: Row[Any], scores: Mapping[str, float]) -> RunSummary:
    """A run as a row of a table.

    Raises:
        Unreadable: a word or a time in it is none.
    """
    try:
        status, state = RunStatus(row.status), StepState(row.state)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return RunSummary(
        id=row.id,
        project=row.project,
        step=row.step,
        kind=row.kind,
        status=status,
        state=state,
        started=time_of(row.started),
        ended=None if row.ended is None else time_of(row.ended),
        heartbeat=None if row.heartbeat is None else time_of(row.heartbeat),
        process=row.process,
        fingerprint=row.fingerprint,
        seconds_before=row.seconds_before,
        scores=scores,
    )


def projects_by_newest() -> Select[Any]:
    """The projects that have runs, the one that ran last first."""
    runs = schema.runs.c
    return select(runs.project).group_by(runs.project).order_by(func.max(runs.started).desc(), runs.project)


def newest_of_each_step(project: str) -> Select[Any]:
    """The ids of each step's newest run, newest first.

    Each step is looked for behind the one before, and its newest run at the end of the index: thousands of runs are not visited.
    """
    runs, older = schema.runs.c, schema.runs.alias()
    first = select(func.min(runs.step).label("step")).where(runs.project == project).cte("steps", recursive=True)
    later = select(func.min(runs.step)).where(runs.project == project, runs.step > first.c.step).scalar_subquery()
    steps = first.union_all(select(later).where(first.c.step.is_not(None)))
    newest = (
        select(older.c.id)
        .where(older.c.project == project, older.c.step == steps.c.step)
        .order_by(older.c.started.desc(), older.c.id.desc())
        .limit(1)
        .correlate(steps)
        .scalar_subquery()
    )
    return (
        select(runs.id)
        .where(runs.id.in_(select(newest).select_from(steps)))
        .order_by(runs.started.desc(), runs.id.desc())
    )


def summaries(connection: Connection, ids: Select[Any]) -> tuple[list[RunSummary], list[str]]:
    """The runs with these ids, in their order, and the ids of those whose rows cannot be read.

    Ids are sorted first and rows looked up then, because sorting whole rows takes three times as long.
    """
    wanted = connection.execute(ids).scalars().all()
    runs, scores = schema.runs, schema.scores
    rows = {row.id: row for row in _of(connection, select(runs), runs.c.id, wanted)}
    reached: dict[str, dict[str, float]] = {run: {} for run in wanted}
    for run, name, value in _of(connection, select(scores.c.run, scores.c.name, scores.c.value), scores.c.run, wanted):
        if run in reached:
            reached[run][name] = _nan(value)
    readable: list[RunSummary] = []
    unreadable: list[str] = []
    for run in wanted:
        try:
            readable.append(summary_of(rows[run], reached[run]))
        except Unreadable:
            unreadable.append(run)
    return readable, unreadable


def _of(connection: Connection, wanted: Any, key: Column[str], runs: Sequence[str]) -> Iterator[Any]:
    """The rows that belong to some runs; where they are very many, those of all others too."""
    if len(runs) > _EVERY:
        yield from connection.execute(wanted)
        return
    for start in range(0, len(runs), _PAGE):
        yield from connection.execute(wanted.where(key.in_(runs[start : start + _PAGE])))


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
