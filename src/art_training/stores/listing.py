"""Which of many runs are meant, in which order: the answer that every store must give, computed in plain Python.

Stores in a database say the same in SQL; `testing.stores.StoreContract` compares them.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from art_training.records import StepState
from art_training.stores.codec import time_text
from art_training.stores.fields import Cell, Field, FieldSummary, RunGroup, cell, is_number, small, written
from art_training.stores.query import RunQuery, RunSummary


@dataclass(frozen=True)
class Listed:
    """A run with all that can be asked of it.

    Attributes:
        run: as a row of a table.
        parameters: its resolved setup.
    """

    run: RunSummary
    parameters: Mapping[str, Any]

    def value(self, field: Field, dead: Sequence[str] = ()) -> tuple[bool, Cell]:
        """Whether it has a value of a field, and that."""
        if field.kind == "parameter":
            present = field.name in self.parameters
            return present, cell(self.parameters[field.name]) if present else None
        if field.kind == "score":
            return field.name in self.run.scores, self.run.scores.get(field.name)
        return _of_run(self.run, field.name, dead)

    def is_meant(self, query: RunQuery) -> bool:
        """Whether a query asks for it."""
        run = self.run
        wanted: tuple[tuple[Any, Any], ...] = (
            (query.project, run.project),
            (query.step, run.step),
            (query.status, run.status),
            (query.state, run.state),
            (query.fingerprint, run.fingerprint),
        )
        of_part = query.part is None or run.id.startswith(query.part) or run.id.endswith(query.part)
        of_state = not query.states or standing_of(run, query.dead) in query.states
        return (
            of_part
            and of_state
            and all(value is None or value == actual for value, actual in wanted)
            and all(condition.holds(*self.value(condition.field, query.dead)) for condition in query.where)
            and self._has(query.search, query.dead)
        )

    def _has(self, search: str, dead: Sequence[str]) -> bool:
        if not search:
            return True
        told = [self.run.id, self.run.step, self.run.kind, standing_of(self.run, dead).value]
        told += [written(cell(value)) for value in self.parameters.values()]
        return any(small(search) in small(one) for one in told)


def standing_of(run: RunSummary, dead: Sequence[str]) -> StepState:
    """Where a run stands for a query that knows of dead processes."""
    return StepState.INTERRUPTED if run.id in dead else run.state


def in_order(found: Iterable[Listed], query: RunQuery) -> list[Listed]:
    """The runs that a query asks for: by its field, numbers first, then others, then those without; then by start."""
    meant = [one for one in found if one.is_meant(query)]
    meant.sort(key=lambda one: (one.run.started, one.run.id), reverse=query.descending)
    field = query.order
    if field is not None:
        values = {one.run.id: one.value(field, query.dead) for one in meant}
        meant.sort(key=lambda one: _value_key(*values[one.run.id]), reverse=query.descending)
        meant.sort(key=lambda one: _rank(*values[one.run.id]))
    end = None if query.limit is None else query.offset + query.limit
    return meant[query.offset : end]


def values_of(found: Iterable[Listed], fields: Sequence[Field]) -> dict[str, Sequence[Cell]]:
    """As `Store.values`."""
    return {one.run.id: [one.value(field)[1] for field in fields] for one in found}


def columns_of(found: Iterable[Listed]) -> list[FieldSummary]:
    """As `Store.columns`."""
    seen: dict[Field, list[Cell]] = {}
    runs = 0
    for one in found:
        runs += 1
        for kind, values in (("parameter", one.parameters), ("score", one.run.scores)):
            for name in values:
                field = Field("parameter" if kind == "parameter" else "score", name)
                seen.setdefault(field, []).append(one.value(field)[1])
    return [_summary(field, seen[field], runs) for field in sorted(seen)]


def groups_of(found: Iterable[Listed], query: RunQuery, field: Field) -> list[RunGroup]:
    """As `Store.groups`."""
    groups: dict[tuple[bool, str, bool], tuple[Cell, list[Listed]]] = {}
    for one in found:
        if one.is_meant(query):
            present, value = one.value(field, query.dead)
            groups.setdefault((present, written(value), isinstance(value, str)), (value, []))[1].append(one)
    told = [
        RunGroup(
            value=value if present else None,
            missing=not present,
            runs=len(of),
            passed=sum(one.run.state is StepState.PASSED for one in of),
            newest=max(time_text(one.run.started) for one in of),
        )
        for (present, *_), (value, of) in groups.items()
    ]
    return sorted(told, key=lambda one: (-one.runs, one.missing, written(one.value)))


def _of_run(run: RunSummary, name: str, dead: Sequence[str]) -> tuple[bool, Cell]:
    if name == "seconds":
        return run.seconds is not None, None if run.seconds is None else round(run.seconds, 6)
    told: Mapping[str, Callable[[], str]] = {
        "id": lambda: run.id,
        "step": lambda: run.step,
        "kind": lambda: run.kind,
        "state": lambda: standing_of(run, dead).value,
        "started": lambda: time_text(run.started),
    }
    return True, told[name]()


def _rank(present: bool, value: Cell) -> int:
    """Numbers, then what is none, then nothing."""
    return 2 if not present else int(not _has_number(value))


def _value_key(present: bool, value: Cell) -> tuple[float, bool, str]:
    if not present or not _has_number(value):
        return 0.0, isinstance(value, str), written(value) if present else ""
    return float(value or 0), False, ""


def _has_number(value: Cell) -> bool:
    return isinstance(value, int | float) and is_number(value) and not math.isnan(value)


def _summary(field: Field, values: Sequence[Cell], runs: int) -> FieldSummary:
    numbers = [float(value) for value in values if isinstance(value, int | float) and _has_number(value)]
    kinds = {(written(value), isinstance(value, str)) for value in values}
    differs = len(kinds) > 1 or len(values) < runs
    return FieldSummary(field, len(values), differs, min(numbers, default=None), max(numbers, default=None))
