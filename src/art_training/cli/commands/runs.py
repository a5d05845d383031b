"""`art runs`: the runs of a project as a table."""

from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import Json, StoreOption, WhichProject

if TYPE_CHECKING:
    from art_training.views import RunRow


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
    _draw(found, everything=everything)


def _draw(found: "tuple[RunRow, ...]", *, everything: bool) -> None:
    from rich.text import Text

    from art_training.checks.values import number
    from art_training.cli.output import STYLES, console, duration, table, when
    from art_training.views.rows import short

    drawn = table("run", *(["project"] if everything else []), "step", "state", "started", "time", "scores")
    for row in found:
        scores = ", ".join(f"{name} {number(value)}" for name, value in row.scores.items())
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
