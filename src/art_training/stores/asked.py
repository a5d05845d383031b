"""Which of many runs are meant, and in which order: `listing` said in SQL."""

import math
import re
from collections.abc import Mapping, Sequence
from operator import eq, ge, gt, le, lt
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, case, cast, exists, false, func, or_, select, true
from sqlalchemy import types as sql

from art_training.records import StepState
from art_training.stores import schema
from art_training.stores.codec import storable
from art_training.stores.fields import Where, is_number, small, written
from art_training.stores.query import RunQuery

_OF_PRESENCE = frozenset({"missing", "present"})
_ORDERS: Mapping[str, Any] = {"=": eq, "!=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}


def matching(query: RunQuery) -> Select[Any]:
    """The ids of the runs that a query narrows to, in no order."""
    runs = schema.runs.c
    wanted = (
        (runs.project, query.project),
        (runs.step, query.step),
        (runs.status, None if query.status is None else query.status.value),
        (runs.state, None if query.state is None else query.state.value),
        (runs.fingerprint, query.fingerprint),
    )
    found = select(runs.id).where(*(column == value for column, value in wanted if value is not None))
    if query.part:
        length = len(query.part)
        ends = (func.substr(runs.id, 1, length), func.substr(runs.id, -length))
        found = found.where(or_(*(end == query.part for end in ends)))
    if query.states:
        found = found.where(_standing(query.dead).in_([state.value for state in query.states]))
    if query.search:
        found = found.where(_holding(query))
    return found.where(*(_met(condition, query.dead) for condition in query.where))


def in_order(query: RunQuery) -> Select[Any]:
    """The ids of the runs that a query asks for, in order: by its field, numbers first, those without last; then by start."""
    runs = schema.runs.c
    ids, field = matching(query), query.order
    order: list[Any] = [runs.started, runs.id]
    ranks: list[Any] = []
    if field is not None and field.kind == "run":
        ranks, order = _ranked(of_run(field.name, query.dead), order)
    elif field is not None and field.kind == "score":
        scores = schema.scores.c
        joined = (scores.run == runs.id) & (scores.name == field.name)
        ids = ids.select_from(schema.runs.outerjoin(schema.scores, joined))
        ranks, order = [scores.run.is_(None), scores.value.is_(None)], [scores.value, *order]
    elif field is not None:
        kept = schema.parameters.c
        ids = ids.select_from(schema.runs.outerjoin(schema.parameters, own_parameter(field.name)))
        ranks = [kept.run.is_(None), kept.number.is_(None)]
        order = [kept.number, kept.is_text, case((kept.number.is_(None), kept.text)), *order]
    if query.descending:
        order = [column.desc() for column in order]
    return ids.order_by(*ranks, *order).limit(-1 if query.limit is None else query.limit).offset(query.offset)


def own_parameter(name: str, kept: Any = schema.parameters.c) -> ColumnElement[bool]:
    """Where the row of a run's parameter lies."""
    runs = schema.runs.c
    return (kept.project == runs.project) & (kept.step == runs.step) & (kept.name == name) & (kept.run == runs.id)


def _standing(dead: Sequence[str]) -> ColumnElement[Any]:
    runs = schema.runs.c
    return case((runs.id.in_(dead), StepState.INTERRUPTED.value), else_=runs.state) if dead else runs.state


def of_run(name: str, dead: Sequence[str]) -> ColumnElement[Any]:
    """A field of the run itself, as `stores.fields` names it."""
    runs = schema.runs.c
    if name == "state":
        return _standing(dead)
    if name == "seconds":  # whole seconds, and the fraction that stands in the text: exact, where a Julian day is not
        whole = (cast(func.strftime("%s", column), sql.Float) for column in (runs.ended, runs.started))
        fraction = (cast(func.substr(column, 20, 7), sql.Float) for column in (runs.ended, runs.started))
        return func.round(runs.seconds_before + _less(*whole) + _less(*fraction), 6)
    return runs[name]


def _less(a: ColumnElement[Any], b: ColumnElement[Any]) -> ColumnElement[Any]:
    return a - b


def _ranked(value: ColumnElement[Any], order: list[Any]) -> tuple[list[Any], list[Any]]:
    return [value.is_(None)], [value, *order]


def _holding(query: RunQuery) -> ColumnElement[bool]:
    runs, kept = schema.runs.c, schema.parameters.alias().c
    scope = ((kept.project, query.project), (kept.step, query.step))
    in_parameters = select(kept.run).where(
        _like(kept.text, query.search), *(c == value for c, value in scope if value is not None)
    )
    own = (runs.id, runs.step, runs.kind, _standing(query.dead))
    return or_(*(_has(column, query.search) for column in own), runs.id.in_(in_parameters))


def _has(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Whether a text holds another, capital letters of ASCII taken for small ones."""
    return func.instr(func.lower(column), small(storable(text))) > 0


def _like(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """The same in half the time, of text without the character 0, at which LIKE would end it."""
    escaped = re.sub(r"([%_\\])", r"\\\1", storable(text))
    return column.like(f"%{escaped}%", escape="\\")


def _met(condition: Where, dead: Sequence[str]) -> ColumnElement[bool]:
    """A condition in SQL: `Where.holds` tells what it has to say."""
    field = condition.field
    if field.kind == "run":
        column = of_run(field.name, dead)
        is_number = field.name == "seconds"
        stored = _Stored(column if is_number else None, None if is_number else column, None if is_number else true())
        return _either(condition, column.is_not(None), stored)
    if field.kind == "score":
        scores = schema.scores.alias().c  # the runs may be sorted by another row of the same table
        mine, stored = (scores.run == schema.runs.c.id) & (scores.name == field.name), _Stored(scores.value, None, None)
    else:
        kept = schema.parameters.alias().c
        mine, stored = own_parameter(field.name, kept), _Stored(kept.number, kept.text, kept.is_text == 1)
    positive = exists().where(mine, true() if condition.operator in _OF_PRESENCE else _compared(condition, stored))
    return ~positive if condition.operator in {"missing", "!="} else positive


class _Stored(NamedTuple):
    """The columns of a value: its number, its text, and whether it is text; None where it is never one."""

    number: ColumnElement[Any] | None
    text: ColumnElement[Any] | None
    is_text: ColumnElement[bool] | None


def _either(condition: Where, present: ColumnElement[bool], stored: _Stored) -> ColumnElement[bool]:
    """A condition on a value that stands in the row of the run itself."""
    if condition.operator in _OF_PRESENCE:
        return present if condition.operator == "present" else ~present
    met = func.coalesce(_compared(condition, stored), false())
    return met == false() if condition.operator == "!=" else met == true()


def _compared(condition: Where, stored: _Stored) -> ColumnElement[bool]:
    """`!=` is said by those who negate it."""
    number, text, is_text = stored
    value = condition.value
    if condition.operator == "contains":
        return false() if text is None else _has(text, str(value))
    if is_number(value) and not math.isnan(float(value or 0)):
        return false() if number is None else _ORDERS[condition.operator](number, float(value or 0))
    if isinstance(value, str):
        compared = None if text is None else _ORDERS[condition.operator](text, storable(value))
        return false() if compared is None or is_text is None else is_text & compared
    if condition.operator not in {"=", "!="}:
        return false()  # nothing is less than NaN
    if text is None or is_text is None or condition.field.kind == "run":
        is_nan = is_number(value) and number is not None and condition.field.kind == "score"
        return number.is_(None) if is_nan and number is not None else false()
    return ~is_text & (text == written(value))
