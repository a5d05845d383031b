"""Values of many runs against each other: points of two axes, and lines over many."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from art_training.errors import UsageError
from art_training.records import StepState
from art_training.stores import Field, Store
from art_training.stores.fields import Cell, is_number, written
from art_training.views.table import Column, TableQuery, columns_of, run_query

MOST_POINTS = 5_000
MOST_LINES = 2_000
MOST_AXES = 12
_DECADES = 2.0  # between the smallest and the largest value, from which on an axis is better read as logarithmic


@dataclass(frozen=True)
class Axis:
    """One axis of a plot.

    Attributes:
        key: of the column.
        name: what it is called.
        levels: what a value can be, in the order of the axis, where some of them are no numbers; else empty.
        lowest: the smallest number drawn; None where there is none. Infinite ones do not count.
        highest: the largest number drawn.
        logarithmic: whether its numbers are positive and lie decades apart.
    """

    key: str
    name: str
    levels: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    logarithmic: bool = False


@dataclass(frozen=True)
class RunLine:
    """One run as a line over several axes, or as a point of two.

    Attributes:
        run: its id.
        state: where it stands; knows of processes that died.
        values: one an axis; None where the run has none.
    """

    run: str
    state: StepState
    values: tuple[Cell, ...]


@dataclass(frozen=True)
class ScatterView:
    """Runs against axes.

    Attributes:
        axes: for points, x, y and, where one is asked for, what colours them.
        lines: of the runs that are drawn, in the order of the query.
        total: how many runs the query asks for.
        incomplete: how many of those that were looked at are left out because they lack a value or have none that can
            be drawn; of lines none is left out.
        sampled: whether only a sample of the runs was looked at, drawn by the seed.
        seed: that draws it.
    """

    axes: tuple[Axis, ...]
    lines: tuple[RunLine, ...]
    total: int
    incomplete: int = 0
    sampled: bool = False
    seed: int = 0


def scatter_of(store: Store, query: TableQuery, x: str, y: str, color: str = "", *, seed: int = 0) -> ScatterView:
    """Two columns of the runs of a table against each other; page and size of the query do not count.

    Args:
        store: where the runs are.
        query: which runs.
        x: a column's key, such as `parameter:hparams.lr`.
        y: a column's key, such as `score:validation/accuracy`.
        color: a column's key; empty for none.
        seed: draws `MOST_POINTS` where there are more runs.

    Raises:
        UsageError: a key is none.
    """
    fields = [Field.parse(key) for key in (x, y, *([color] if color else []))]
    found, total = _lines(store, query, fields, MOST_POINTS, seed)
    drawn = tuple(line for line in found if all(_can_be_drawn(value) for value in line.values[:2]))
    return ScatterView(
        axes=_axes(fields, drawn),
        lines=drawn,
        total=total,
        incomplete=len(found) - len(drawn),
        sampled=total > MOST_POINTS,
        seed=seed,
    )


def parallel_of(store: Store, query: TableQuery, keys: Sequence[str] = (), *, seed: int = 0) -> ScatterView:
    """The runs of a table as lines over several columns; page and size of the query do not count.

    Args:
        store: where the runs are.
        query: which runs.
        keys: of the columns; by default the parameters that differ, then the scores, `MOST_AXES` at most.
        seed: draws `MOST_LINES` where there are more runs.

    Raises:
        UsageError: a key is none, or there are too many.
    """
    chosen = list(keys) or [column.key for column in telling(columns_of(store, query.project, query.step))]
    if len(chosen) > MOST_AXES:
        raise UsageError(f"{len(chosen)} axes are too many to read; choose at most {MOST_AXES}")
    fields = [Field.parse(key) for key in chosen]
    lines, total = _lines(store, query, fields, MOST_LINES, seed)
    return ScatterView(_axes(fields, lines), lines, total, sampled=total > MOST_LINES, seed=seed)


def telling(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that tell runs apart: parameters, and at least one score where there is one."""
    parameters = [column for column in columns if column.kind == "parameter" and column.differs]
    scores = [column for column in columns if column.kind == "score"]
    few = scores[: max(1, MOST_AXES - len(parameters))]
    return (*parameters[: MOST_AXES - len(few)], *few)


def _lines(
    store: Store, query: TableQuery, fields: Sequence[Field], most: int, seed: int
) -> tuple[tuple[RunLine, ...], int]:
    asked = replace(run_query(store, query), limit=None, offset=0)
    runs = store.ids(asked)
    total = len(runs)
    if total > most:
        places = sorted(random.Random(seed).sample(range(total), most))  # noqa: S311  A sample, no secret.
        runs = [runs[place] for place in places]
    dead = set(asked.dead)
    state = Field("run", "state")
    found = store.values(runs, [state, *fields])
    return tuple(
        RunLine(run, StepState.INTERRUPTED if run in dead else StepState(str(values[0])), tuple(values[1:]))
        for run, values in found.items()
    ), total


def _axes(fields: Sequence[Field], lines: Sequence[RunLine]) -> tuple[Axis, ...]:
    return tuple(_axis(field, [line.values[place] for line in lines]) for place, field in enumerate(fields))


def _axis(field: Field, values: Sequence[Cell]) -> Axis:
    numbers = [float(value) for value in values if isinstance(value, int | float) and is_number(value)]
    finite = [number for number in numbers if math.isfinite(number)]
    others = any(value is not None and not is_number(value) for value in values)
    levels: tuple[str, ...] = ()
    if others:
        present = {written(value): value for value in values if value is not None}
        levels = tuple(sorted(present, key=lambda text: _level(text, present[text])))
    low, high = min(finite, default=None), max(finite, default=None)
    wide = low is not None and high is not None and low > 0 and math.log10(high) - math.log10(low) >= _DECADES
    return Axis(str(field), field.name, levels, low, high, wide and not levels)


def _level(text: str, value: Cell) -> tuple[bool, float, str]:
    number = float(value) if isinstance(value, int | float) and is_number(value) else math.inf
    return math.isinf(number), number, text


def _can_be_drawn(value: Cell) -> bool:
    return value is not None and (not isinstance(value, float) or math.isfinite(value))
