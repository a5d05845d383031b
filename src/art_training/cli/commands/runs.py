"""`art runs`: the runs of a project as a table."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import Json, StoreOption, WhichProject

if TYPE_CHECKING:
    from art_training.views import RunRow

_SCORES = 3


def runs(
    step: Annotated[str | None, typer.Argument(metavar="STEP", help="Only of this step.", show_default=False)] = None,
    *,
    project: WhichProject = None,
    store: StoreOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Of all projects in the store.")] = False,
    sort: Annotated[
        str, typer.Option(metavar="METRIC", help="By this score, largest first, e.g. validation/accuracy.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    json: Json = False,
) -> None:
    """List runs, newest first, with their scores."""
    from art_training.cli.history import any_history, history
    from art_training.cli.output import put_json
    from art_training.stores import RunQuery
    from art_training.views import runs_of

    if everything:
        with any_history(project, store) as opened:
            found = runs_of(opened, RunQuery(step=step, order_by=sort, limit=limit))
    else:
        with history(project, store) as (opened, name):
            found = runs_of(opened, RunQuery(project=name, step=step, order_by=sort, limit=limit))
    if json:
        put_json(found)
        return
    _draw(found, sort, everything=everything)


def _draw(found: "tuple[RunRow, ...]", sort: str, *, everything: bool) -> None:
    from rich.text import Text

    from art_training.checks.values import number
    from art_training.cli.output import STYLES, console, duration, table, when
    from art_training.views.rows import short

    drawn = table("run", *(["project"] if everything else []), "step", "state", "started", "time", "scores")
    for column in drawn.columns[:-1]:
        column.no_wrap = True
    common = _common(found, sort)
    for row in found:
        scores = "\n".join(f"{name} {number(row.scores[name])}" for name in common if name in row.scores)
        drawn.add_row(
            Text(short(row.id)),
            *([Text(row.project)] if everything else []),
            Text(row.step),
            Text(row.state.value, STYLES[row.state]),
            Text(when(row.started)),
            Text(duration(row.seconds)),
            Text(scores),
        )
    console().print(drawn if found else "no runs")


def _common(found: "tuple[RunRow, ...]", sort: str) -> list[str]:
    """The few scores that are worth a column: the one that was asked for, and those that most runs have."""
    counted = Counter(name for row in found for name in row.scores if name != sort)
    ranked = sorted(counted, key=lambda name: (-counted[name], name))
    return [*([sort] if sort else []), *ranked][:_SCORES]
