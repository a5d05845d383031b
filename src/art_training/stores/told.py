"""What many runs have: their parameters and scores, as rows of the tables and as tables are told of them."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, literal, select

from art_training.records import Plain, StepState
from art_training.stores import schema
from art_training.stores.asked import matching, of_run, own_parameter
from art_training.stores.codec import storable
from art_training.stores.fields import Cell, Field, FieldSummary, RunGroup, cell, is_number, written
from art_training.stores.query import RunQuery

_PAGE = (
    500  # So many runs are looked up by their ids at a time: SQLite takes 32,766 values in a statement, older ones 999.
)
_MANY = 3_000  # and of more than so many, it is faster to read all that there are.
_INSERT = (
    "INSERT OR REPLACE INTO parameters (project, step, name, run, number, is_text, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def put_parameters(connection: Connection, project: str, step: str, run: str, parameters: Mapping[str, Plain]) -> None:
    """Parameters of a run that has none yet, as a table shows them and as they are searched."""
    rows = [(project, step, storable(name), run, *stored_cell(cell(value))) for name, value in parameters.items()]
    if rows:
        connection.exec_driver_sql(_INSERT, rows)


def drop_parameters(connection: Connection, project: str, step: str, run: str) -> None:
    """Remove a run's parameters; name by name, because the table is sorted by name and then by run."""
    kept = schema.parameters.c
    names = _names(connection, project, step)
    mine = (kept.project == project) & (kept.step == step) & (kept.name.in_(names)) & (kept.run == run)
    connection.execute(delete(schema.parameters).where(mine))


def drop_parameters_of(connection: Connection, run: str) -> None:
    """The same of a run whose step is not at hand."""
    row = connection.execute(select(schema.runs.c.project, schema.runs.c.step).where(schema.runs.c.id == run)).one()
    drop_parameters(connection, row.project, row.step, run)


def stored_cell(value: Cell) -> tuple[float | None, int, str]:
    """A cell as it is stored: its number, whether it is text, and its text."""
    number = float(value) if isinstance(value, int | float) and is_number(value) and not math.isnan(value) else None
    return number, int(isinstance(value, str)), storable(written(value))


def values_of(connection: Connection, runs: Sequence[str], fields: Sequence[Field]) -> Mapping[str, Sequence[Cell]]:
    """As `Store.values`."""
    found: dict[str, list[Cell]] = {}
    places: dict[Field, list[int]] = {}
    for place, field in enumerate(fields):
        places.setdefault(field, []).append(place)
    own = [field for field in places if field.kind == "run"]
    table = schema.runs.c
    wanted = select(table.id, table.project, table.step, *(of_run(field.name, ()) for field in own))
    of_steps: dict[tuple[str, str], list[str]] = {}
    for run, project, step, *values in _of(connection, wanted, table.id, runs):
        found[run] = [None] * len(fields)
        of_steps.setdefault((project, step), []).append(run)
        _put(found[run], places, own, values)
    declared = [field for field in places if field.kind == "parameter"]
    for (project, step), some in of_steps.items():
        for run, field, value in _parameters(connection, project, step, declared, some):
            _put(found[run], places, [field], [value])
    reached = [field for field in places if field.kind == "score"]
    for run, field, value in _scores(connection, reached, list(found)):
        _put(found[run], places, [field], [value])
    return {run: found[run] for run in runs if run in found}


class Columns:
    """What `columns_of` told, as long as it holds: it looks at every value of every run, and each page of a table asks."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, str | None], tuple[object, Sequence[FieldSummary]]] = {}

    def of(self, connection: Connection, query: RunQuery) -> Sequence[FieldSummary]:
        """As `Store.columns`."""
        key, mark = (query.project, query.step), _mark(connection, query)
        known = self._known.get(key)
        if known is None or known[0] != mark:
            known = self._known[key] = (mark, columns_of(connection, query))
        return known[1]


def _mark(connection: Connection, query: RunQuery) -> tuple[Any, ...]:
    """What differs as soon as columns may: runs came, went, or ended with scores."""
    runs = schema.runs.c
    scope = ((runs.project, query.project), (runs.step, query.step))
    counted = (func.count(), func.count(runs.ended), func.max(runs.id), func.max(runs.ended))
    wanted = select(*counted).select_from(schema.runs).where(*(c == value for c, value in scope if value is not None))
    return tuple(connection.execute(wanted).one())


def columns_of(connection: Connection, query: RunQuery) -> list[FieldSummary]:
    """The parameters and scores of the runs of a project or step."""
    runs, kept, scores = schema.runs.c, schema.parameters.c, schema.scores.c
    narrowed = RunQuery(project=query.project, step=query.step)
    all_runs = connection.execute(select(func.count()).select_from(matching(narrowed).subquery())).scalar_one()
    given = ((kept.project, query.project), (kept.step, query.step))
    summed = (func.count(), func.min(kept.number), func.max(kept.number), func.min(kept.text), func.max(kept.text))
    # Step by step, as the rows lie: grouped by name alone, those of a whole project would have to be sorted first.
    declared = (
        select(kept.name, *summed, func.sum(kept.is_text))
        .where(*(c == value for c, value in given if value is not None))
        .group_by(kept.project, kept.step, kept.name)
    )
    of_steps: dict[str, list[Any]] = {}
    for row in connection.execute(declared):
        of_steps.setdefault(row[0], []).append(row)
    found = [_declared(name, rows, all_runs) for name, rows in of_steps.items()]
    own = ((runs.project, query.project), (runs.step, query.step))
    reached = (
        select(scores.name, func.count(), func.count(scores.value), func.min(scores.value), func.max(scores.value))
        .select_from(schema.scores.join(schema.runs, scores.run == runs.id))
        .where(*(c == value for c, value in own if value is not None))
        .group_by(scores.name)
    )
    for name, count, numbers, low, high in connection.execute(reached):
        differs = count < all_runs or low != high or 0 < numbers < count
        found.append(FieldSummary(Field("score", name), count, differs, low, high))
    return sorted(found, key=lambda one: one.field)


def groups_of(connection: Connection, query: RunQuery, field: Field) -> list[RunGroup]:
    """As `Store.groups`."""
    runs = schema.runs.c
    source: Any = schema.runs
    if field.kind == "parameter":
        kept = schema.parameters.c
        source = source.outerjoin(schema.parameters, own_parameter(field.name))
        told = (kept.run.is_(None), kept.is_text, kept.text)
    elif field.kind == "score":
        scores = schema.scores.c
        source = source.outerjoin(schema.scores, (scores.run == runs.id) & (scores.name == field.name))
        told = (scores.run.is_(None), literal(None), scores.value)
    else:
        own = of_run(field.name, query.dead)
        told = (own.is_(None), literal(None), own)
    counted = (func.count(), func.sum(case((runs.state == StepState.PASSED.value, 1), else_=0)), func.max(runs.started))
    wanted = (
        select(*told, *counted).select_from(source).where(runs.id.in_(matching(query).correlate(None))).group_by(*told)
    )
    found: list[RunGroup] = []
    for row in connection.execute(wanted):
        missing, is_text, stored, count, passed, newest = row
        value = None if missing else _read(field, stored, is_text=bool(is_text))
        found.append(RunGroup(value, bool(missing), count, int(passed), newest))
    return sorted(found, key=lambda one: (-one.runs, one.missing, written(one.value)))


def _put(row: list[Cell], places: Mapping[Field, list[int]], fields: Sequence[Field], values: Sequence[Cell]) -> None:
    for field, value in zip(fields, values, strict=True):
        for place in places[field]:
            row[place] = value


def _parameters(
    connection: Connection, project: str, step: str, fields: Sequence[Field], runs: Sequence[str]
) -> Iterator[tuple[str, Field, Cell]]:
    """Of runs of one step."""
    kept = schema.parameters.c
    by_name = {field.name: field for field in fields}
    wanted = select(kept.run, kept.name, kept.is_text, kept.text)
    wanted = wanted.where(kept.project == project, kept.step == step, kept.name.in_(by_name))
    for run, name, is_text, text in _of(connection, wanted, kept.run, runs) if fields else ():
        yield run, by_name[name], _read(by_name[name], text, is_text=bool(is_text))


def _scores(connection: Connection, fields: Sequence[Field], runs: Sequence[str]) -> Iterator[tuple[str, Field, Cell]]:
    scores = schema.scores.c
    by_name = {field.name: field for field in fields}
    wanted = select(scores.run, scores.name, scores.value).where(scores.name.in_(by_name))
    for run, name, value in _of(connection, wanted, scores.run, runs) if fields else ():
        yield run, by_name[name], _read(by_name[name], value, is_text=False)


def _of(connection: Connection, wanted: Any, key: ColumnElement[str], runs: Sequence[str]) -> Iterator[Any]:
    """Rows of some runs, whose ids stand first; where these are very many, all rows are read and others passed over."""
    if len(runs) > _MANY:
        meant = set(runs)
        yield from (row for row in connection.execute(wanted) if row[0] in meant)
        return
    for start in range(0, len(runs), _PAGE):
        yield from connection.execute(wanted.where(key.in_(runs[start : start + _PAGE])))


def _declared(name: str, rows: Sequence[Any], all_runs: int) -> FieldSummary:
    """One parameter over several steps."""
    _, counts, lows, highs, firsts, lasts, texts = zip(*rows, strict=True)
    count = sum(counts)
    differs = count < all_runs or min(firsts) != max(lasts) or sum(texts) not in {0, count}
    low = min((value for value in lows if value is not None), default=None)
    high = max((value for value in highs if value is not None), default=None)
    return FieldSummary(Field("parameter", name), count, differs, low, high)


def _read(field: Field, stored: Any, *, is_text: bool) -> Cell:
    """A value as it was before it was stored."""
    if field.kind == "parameter":
        return stored if is_text else json.loads(stored)
    return math.nan if field.kind == "score" and stored is None else stored


def _names(connection: Connection, project: str, step: str) -> list[str]:
    """Names of parameters that runs of a step have: one look-up each, however many runs there are."""
    kept = schema.parameters.c
    found: list[str] = []
    while True:
        after = [kept.name > found[-1]] if found else []
        least = select(func.min(kept.name)).where(kept.project == project, kept.step == step, *after)
        name = connection.execute(least).scalar()
        if name is None:
            return found
        found.append(name)
