"""Which projects and runs a store holds, and what a run said."""

from dataclasses import dataclass, replace
from datetime import datetime

from art_training.records import RunRecord
from art_training.stores import RunQuery, RunSummary, Store
from art_training.views.rows import RunRow


@dataclass(frozen=True)
class ProjectRow:
    """One project of a store."""

    project: str
    steps: tuple[str, ...]
    runs: int
    newest: datetime


@dataclass(frozen=True)
class LogView:
    """What one run said."""

    run: RunRow
    lines: tuple[str, ...]


@dataclass(frozen=True)
class LogTail:
    """The end of a log.

    Attributes:
        first: how many lines stand before it.
        lines: those of the end.
    """

    first: int
    lines: tuple[str, ...]


def known_projects(store: Store) -> tuple[ProjectRow, ...]:
    """The projects that have runs in a store, the one that ran last first."""
    found = ((name, steps_that_ran(store, name)) for name in store.projects())
    return tuple(
        ProjectRow(
            project=name,
            steps=tuple(run.step for run in ran),
            runs=store.count(RunQuery(project=name)),
            newest=max(run.started for run in ran),
        )
        for name, ran in found
        if ran  # none: they were removed a moment ago
    )


def steps_that_ran(store: Store, project: str) -> tuple[RunSummary, ...]:
    """The newest run of each step of a project, in the order in which the steps first ran."""
    newest = store.latest(project)
    first = {
        step: run.started
        for step in newest
        for run in store.runs(RunQuery(project=project, step=step, descending=False, limit=1))
    }
    return tuple(newest[step] for step in sorted(first, key=first.__getitem__))


def runs_of(store: Store, query: RunQuery) -> tuple[RunRow, ...]:
    """The runs that a query asks for, as rows of a table."""
    return tuple(RunRow.of(summary) for summary in store.runs(query))


def best_first(store: Store, query: RunQuery) -> RunQuery:
    """The query in the order that puts the best score first, as far as the scores it is ordered by say which way that is.

    Where none does, the largest stays first.
    """
    name = query.order_by
    if not isinstance(name, str):
        return query
    for run in store.runs(query):
        outcome = store.outcome(run.id) if name in run.scores else None
        score = outcome.scores.get(name) if outcome else None
        if score is not None and score.direction is not None:
            return replace(query, descending=score.direction == "maximize")
    return query


def log_of(store: Store, record: RunRecord) -> LogView:
    """The lines that a run wrote, in order."""
    return LogView(RunRow.of(record, store.outcome(record.id)), tuple(store.log(record.id)))


def tail_of(store: Store, run: str, most: int, known: LogTail | None = None) -> LogTail:
    """The last lines of a log, however long it is.

    Args:
        store: where the run is.
        run: its id.
        most: at most so many lines.
        known: as it was seen before: only what is behind it is read, and it is given back as it is where nothing is.
    """
    count = store.lines(run)
    end = known.first + len(known.lines) if known else 0
    if known is None or end > count:  # of another run
        known, end = LogTail(0, ()), 0
    if end == count:
        return known
    added = store.log(run, after=max(end, count - most))
    lines = (*known.lines, *added)[-most:]
    return LogTail(max(end, count - most) + len(added) - len(lines), lines)
