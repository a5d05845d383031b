"""Which columns of a table of runs are shown at first, and how its cells read."""

from collections.abc import Sequence
from datetime import datetime

from art_training.checks.values import number
from art_training.dashboard.parts.choice import Option
from art_training.dashboard.parts.grid import GridColumn, GridRow
from art_training.dashboard.parts.html import url
from art_training.dashboard.parts.states import sign_and_look
from art_training.stores.fields import is_number, written
from art_training.views.rows import short
from art_training.views.table import Column, TableRow
from art_training.views.wording import duration, shortened, when

_VARIED, _SCORES = 3, 3  # columns of each kind, where none are chosen: what fits a screen
_SHARE = 0.3  # of the runs that have a value, from which on its column is shown unasked
_LONGEST = 32
_SPLITS = ("validation/", "train/", "test/")  # as a reader asks for them; counts of what was found come last
_GROUPS = {"run": "of the run", "parameter": "parameters", "score": "scores"}
_TITLES = {"seconds": "took"}


def shown_columns(columns: Sequence[Column], chosen: Sequence[str]) -> tuple[Column, ...]:
    """The columns that are chosen, or else what tells most of the runs apart; the state comes first."""
    state = [column for column in columns if column.key == "state"]
    if chosen:
        return (*state, *(column for column in columns if column.key in chosen and column.key != "state"))
    own = [column for column in _common(columns) if column.kind == "run" and column.key != "state"]
    own.sort(key=lambda column: column.key != "step")
    return (*state, *own, *telling_parameters(columns)[:_VARIED], *telling_scores(_common(columns))[:_SCORES])


def telling_parameters(columns: Sequence[Column]) -> list[Column]:
    """Parameters of many runs that differ."""
    varied = [column for column in _common(columns) if column.kind == "parameter" and column.differs]
    if any(column.key == "step" for column in columns):  # several steps; their own options say little of each other
        varied = [column for column in varied if not column.name.startswith("step.")]
    return varied


def telling_scores(columns: Sequence[Column]) -> list[Column]:
    """Scores: of those that many runs have, and that differ, of validation first; then the others."""
    scores = [column for column in columns if column.kind == "score"]
    few = _SHARE * max((column.runs for column in scores), default=0)

    def place(column: Column) -> tuple[bool, bool, int, int]:
        split = next((at for at, begin in enumerate(_SPLITS) if column.name.startswith(begin)), len(_SPLITS))
        return column.runs < few, not column.differs, split, -column.runs

    return sorted(scores, key=place)


def _common(columns: Sequence[Column]) -> list[Column]:
    most = max((column.runs for column in columns), default=0)
    return [column for column in columns if column.runs >= _SHARE * most]


def options_of(columns: Sequence[Column]) -> tuple[Option, ...]:
    """The columns as what can be chosen."""
    order = list(_GROUPS)
    ranked = sorted(columns, key=lambda column: order.index(column.kind))
    return tuple(Option(column.key, title_of(column), _GROUPS[column.kind]) for column in ranked)


def title_of(column: Column) -> str:
    """What a column is called above it."""
    return _TITLES.get(column.key, column.name)


def heads(columns: Sequence[Column], sort: str, *, ascending: bool) -> tuple[GridColumn, ...]:
    """The headings: the run, then the columns."""
    by = sort or "started"
    return (
        GridColumn("run", sortable=False),
        *(
            GridColumn(
                title_of(column),
                "number" if column.numeric else "",
                0 if column.key != by else 1 if ascending else -1,
            )
            for column in columns
        ),
    )


def line(row: TableRow, columns: Sequence[Column]) -> GridRow:
    """A run as a row of the table."""
    sign, look = sign_and_look(row.run.state)
    return GridRow(
        id=row.run.id,
        name=f"{row.run.step} {short(row.run.id)}",
        cells=(short(row.run.id), *(text_of(row.value(column), column.key) for column in columns)),
        href=url("/run", {"id": row.run.id}),
        sign=sign,
        look=look,
    )


def text_of(value: object, key: str = "") -> str:
    """A value as it stands in a cell; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, int | float) and is_number(value):
        return duration(value) if key == "seconds" else _number(value)
    return shortened(value if isinstance(value, str) else written(bool(value)), _LONGEST)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else number(value)
