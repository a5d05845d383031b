"""Which projects and runs a store holds, and what a run said."""

from dataclasses import dataclass
from datetime import datetime

from art_training.records import RunRecord
from art_training.stores import RunQuery, Store
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


def known_projects(store: Store) -> tuple[ProjectRow, ...]:
    """The projects that have runs in a store, the one that ran last first."""
    found: dict[str, list[RunRow]] = {}
    for summary in store.runs(RunQuery()):  # newest first
        found.setdefault(summary.project, []).append(RunRow.of(summary))
    return tuple(
        ProjectRow(name, tuple(dict.fromkeys(row.step for row in reversed(rows))), len(rows), rows[0].started)
        for name, rows in found.items()
    )


def runs_of(store: Store, query: RunQuery) -> tuple[RunRow, ...]:
    """The runs that a query asks for, as rows of a table."""
    return tuple(RunRow.of(summary) for summary in store.runs(query))


def log_of(store: Store, record: RunRecord) -> LogView:
    """The lines that a run wrote, in order."""
    return LogView(RunRow.of(record, store.outcome(record.id)), tuple(store.log(record.id)))
