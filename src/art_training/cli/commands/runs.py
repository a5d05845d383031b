"""`art runs`: the runs of a project as a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import Json, StoreOption, WhichProject

if TYPE_CHECKING:
    from art_training.views import RunRow

_SCORES = 3
_GAP = 2


def runs(
    step: Annotated[str | None, typer.Argument(metavar="STEP", help="Only of this step.", show_default=False)] = None,
    *,
    project: WhichProject = None,
    store: StoreOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Of all projects in the store.")] = False,
    sort: Annotated[
        str,
        typer.Option(
            metavar="METRIC",
            help="By this score, best first, e.g. validation/accuracy; largest first where it does not say.",
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    json: Json = False,
) -> None:
    """List runs with their scores.

    Newest first, or the best by a score.
    """
    from art_training.cli.history import any_history, history
    from art_training.cli.output import put_json
    from art_training.errors import UsageError
    from art_training.stores import RunQuery
    from art_training.views import best_first, runs_of

    if everything:
        with any_history(project, store) as opened:
            query = RunQuery(step=step, order_by=sort, limit=limit)
            found = runs_of(opened, best_first(opened, query) if sort else query)
    else:
        with history(project, store) as (opened, name):
            query = RunQuery(project=name, step=step, order_by=sort, limit=limit)
            found = runs_of(opened, best_first(opened, query) if sort else query)
    if sort and found and sort not in found[0].scores:  # runs that have it come first
        known = ", ".join(_telling(found, "")) or "none"
        raise UsageError(f"no run has a score {sort!r}, to be sorted by; they have, among others: {known}")
    if json:
        put_json(found)
        return
    _draw(found, sort, everything=everything)


def _draw(found: "Sequence[RunRow]", sort: str, *, everything: bool) -> None:
    from rich.text import Text

    from art_training.checks.values import number
    from art_training.cli.output import STYLES, console, table
    from art_training.views.rows import short
    from art_training.views.wording import duration, when

    columns: dict[str, list[str]] = {
        "run": [short(row.id) for row in found],
        **({"project": [row.project for row in found]} if everything else {}),
        "step": [row.step for row in found],
        "state": [row.state.value for row in found],
        "started": [when(row.started) for row in found],
        "time": [duration(row.seconds) for row in found],
    }
    scores = {
        name: [number(row.scores[name]) if name in row.scores else "" for row in found]
        for name in _telling(found, sort)
    }
    out = console()
    columns |= {name.replace("/", "\n", 1): cells for name, cells in _fitting(scores, out.width - _width(columns))}
    drawn = table(*columns)
    for column in drawn.columns:
        column.no_wrap = True
    for row, cells in zip(found, zip(*columns.values(), strict=True), strict=True):
        styles = [STYLES[row.state] if name == "state" else "" for name in columns]
        drawn.add_row(*(Text(cell, style) for cell, style in zip(cells, styles, strict=True)))
    out.print(drawn if found else "no runs")


def _telling(found: "Sequence[RunRow]", sort: str) -> list[str]:
    """The scores by which runs are compared, the most telling first: a model's, if there are any among them.

    A model's scores are those of splits in runs that have a loss; others are counts and shares of examples.
    """
    models = [row.scores for row in found if any(name.endswith("/loss") for name in row.scores)]
    names = {name for scores in models for name in scores if "/" in name} or {
        name for row in found for name in row.scores
    }
    ranked = sorted(names, key=lambda name: (not name.startswith("validation"), name.endswith("/loss"), name))
    return [*([sort] if sort else []), *(name for name in ranked if name != sort)][:_SCORES]


def _fitting(scores: Mapping[str, list[str]], room: int) -> list[tuple[str, list[str]]]:
    """As many of the scores as there is room for, and at least the first."""
    fitting: list[tuple[str, list[str]]] = []
    for name, cells in scores.items():
        room -= _width({name.replace("/", "\n", 1): cells})
        if fitting and room < 0:
            break
        fitting.append((name, cells))
    return fitting


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    """How many characters some columns take; names may have several lines."""
    return sum(max(len(text) for text in (*name.split("\n"), *cells)) + _GAP for name, cells in columns.items())
