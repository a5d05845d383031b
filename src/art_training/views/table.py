"""The runs of a project or a step as a table that is searched, filtered, sorted, grouped and paged where they are kept."""

from dataclasses import dataclass, field
from datetime import datetime

from art_training.errors import UsageError
from art_training.records import RunStatus, StepState
from art_training.stores import Field, FieldSummary, RunQuery, Store, Where
from art_training.stores.fields import Cell
from art_training.views.life import is_alive
from art_training.views.rows import RunRow

MOST_ROWS = 1_000  # on a page
MOST_GROUPS = 200

# What a reader looks for first: what was varied on purpose, then what else may have changed.
_FAMILIES = ("hparams", "trainer", "model", "data", "declarations", "step")


@dataclass(frozen=True)
class TableQuery:
    """Which runs of a project are shown, and how.

    Attributes:
        project: whose.
        step: only this step's; None shows those of all steps.
        states: only runs that stand so; a run whose process died is interrupted. Empty shows all.
        search: only runs with this text in their id, step, state or a parameter.
        where: only runs that meet all of these.
        sort: a column's key, such as `seconds`, `parameter:hparams.lr` or `score:validation/accuracy`; empty: by start.
        descending: whether the newest, or the largest, come first.
        page: from 0.
        size: rows on a page.
        group_by: a column's key, by whose values the runs are counted; empty counts nothing.

    Raises:
        UsageError: there is no such column, or no such page.
    """

    project: str
    step: str | None = None
    states: tuple[StepState, ...] = ()
    search: str = ""
    where: tuple[Where, ...] = ()
    sort: str = ""
    descending: bool = True
    page: int = 0
    size: int = 50
    group_by: str = ""

    def __post_init__(self) -> None:
        for key in (self.sort, self.group_by):
            if key:
                Field.parse(key)
        if self.page < 0:
            raise UsageError(f"page={self.page} of a table is negative; pages count from 0")
        if not 1 <= self.size <= MOST_ROWS:
            raise UsageError(f"size={self.size} of a table's page is not in 1..{MOST_ROWS}")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: by which a table is sorted, filtered and grouped.
        kind: `run`, `parameter` or `score`.
        name: what it is called.
        differs: whether the runs of the table, unfiltered, differ in it.
        numeric: whether some of its values are numbers.
        runs: how many of these runs have it.
        lowest: its smallest number; None where none of its values is one.
        highest: its largest number.
    """

    key: str
    kind: str
    name: str
    differs: bool
    numeric: bool
    runs: int
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class TableRow:
    """One run of a table.

    Attributes:
        run: as everywhere; its state knows of processes that died.
        parameters: those of the table's columns that it has; long ones are cut.
    """

    run: RunRow
    parameters: dict[str, Cell] = field(default_factory=dict[str, Cell])

    def value(self, column: Column) -> Cell | datetime:
        """What stands in a column; None where there is nothing."""
        if column.kind == "parameter":
            return self.parameters.get(column.name)
        if column.kind == "score":
            return self.run.scores.get(column.name)
        return self.run.state.value if column.name == "state" else getattr(self.run, column.name)


@dataclass(frozen=True)
class GroupRow:
    """The runs that agree in one value.

    Attributes:
        value: it; None for the runs that have none, and where `missing` says no, None itself.
        missing: whether these are the runs that have no such value.
        runs: how many.
        passed: how many of them passed.
        newest: when the newest began.
        where: the condition that shows these runs alone.
    """

    value: Cell
    missing: bool
    runs: int
    passed: int
    newest: datetime
    where: Where


@dataclass(frozen=True)
class TableView:
    """One page of a table.

    Attributes:
        query: what was asked.
        columns: of the runs; then parameters that differ from run to run; scores; parameters that all have alike.
        rows: of the page.
        total: how many runs meet the query, on all pages.
        groups: the largest `MOST_GROUPS`.
        groups_left_out: how many smaller ones there are.
    """

    query: TableQuery
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    total: int
    groups: tuple[GroupRow, ...] = ()
    groups_left_out: int = 0


def table_of(store: Store, query: TableQuery) -> TableView:
    """One page of the runs of a project or a step."""
    asked = run_query(store, query)
    summaries = store.runs(asked)
    columns = columns_of(store, query.project, query.step)
    parameters = [Field.parse(column.key) for column in columns if column.kind == "parameter"]
    values = store.values([run.id for run in summaries], parameters)
    rows = tuple(
        TableRow(
            RunRow.of(run),
            {
                one.name: value
                for one, value in zip(parameters, values.get(run.id, ()), strict=False)
                if value is not None
            },
        )
        for run in summaries
    )
    groups = _groups(store, asked, query.group_by) if query.group_by else ()
    return TableView(query, columns, rows, store.count(asked), groups[:MOST_GROUPS], max(0, len(groups) - MOST_GROUPS))


def run_query(store: Store, query: TableQuery) -> RunQuery:
    """What a store is asked for one page; `dead` are the runs whose processes are gone."""
    return RunQuery(
        project=query.project,
        step=query.step,
        states=query.states,
        dead=dead_runs(store, query.project, query.step),
        search=query.search,
        where=query.where,
        order_by=Field.parse(query.sort) if query.sort else "",
        descending=query.descending,
        limit=query.size,
        offset=query.page * query.size,
    )


def dead_runs(store: Store, project: str, step: str | None = None) -> tuple[str, ...]:
    """Ids of runs that are recorded as running, and whose processes are gone."""
    running = store.runs(RunQuery(project=project, step=step, status=RunStatus.RUNNING))
    return tuple(run.id for run in running if not is_alive(run))


def columns_of(store: Store, project: str, step: str | None = None) -> tuple[Column, ...]:
    """The columns that the runs of a project or a step have, those first that tell them apart."""
    found = store.columns(RunQuery(project=project, step=step))
    total = store.count(RunQuery(project=project, step=step))
    own = [name for name in ("state", "started", "seconds", "step") if name != "step" or step is None]
    about_runs = [Column(name, "run", name, differs=True, numeric=name == "seconds", runs=total) for name in own]
    columns = [_column(one) for one in found]
    return (*about_runs, *sorted(columns, key=_place))


def _column(one: FieldSummary) -> Column:
    return Column(
        key=str(one.field),
        kind=one.field.kind,
        name=one.field.name,
        differs=one.differs,
        numeric=one.lowest is not None or one.field.kind == "score",
        runs=one.runs,
        lowest=one.lowest,
        highest=one.highest,
    )


def _place(column: Column) -> tuple[int, int, str]:
    order = 1 if column.kind == "score" else 0 if column.differs else 2
    family = column.name.partition(".")[0]
    known = _FAMILIES.index(family) if column.kind == "parameter" and family in _FAMILIES else len(_FAMILIES)
    return order, known, column.name


def _groups(store: Store, asked: RunQuery, key: str) -> tuple[GroupRow, ...]:
    by = Field.parse(key)
    return tuple(
        GroupRow(
            value=one.value,
            missing=one.missing,
            runs=one.runs,
            passed=one.passed,
            newest=datetime.fromisoformat(one.newest),
            where=Where(by, "missing") if one.missing else Where(by, "=", one.value),
        )
        for one in store.groups(asked, by)
    )
