"""`art plan`: what `art run` would do."""

from typing import Annotated, Any

import typer

from art_training.cli.options import Json, Project, WhichProject, the_one

_Steps = list[str]


def plan(
    project: Project = None,
    *,
    which: WhichProject = None,
    until: Annotated[str | None, typer.Option(metavar="STEP", help="As for `art run`.", show_default=False)] = None,
    only: Annotated[_Steps | None, typer.Option(metavar="STEP", help="As for `art run`.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="As for `art run`.")] = False,
    force_step: Annotated[
        _Steps | None, typer.Option(metavar="STEP", help="As for `art run`.", show_default=False)
    ] = None,
    keep_stale: Annotated[bool, typer.Option("--keep-stale", help="As for `art run`.")] = False,
    store: Annotated[str | None, typer.Option(metavar="PATH", help="As for `art run`.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Say what `art run` would do, why and for how long."""
    from art_training.cli.waiting import IMPORTS, PLANS, Waiting

    waiting = Waiting()
    waiting(IMPORTS)  # before what takes its time
    from rich.text import Text

    from art_training.cli.loading import load_project
    from art_training.cli.locating import locate
    from art_training.cli.output import console, put_json
    from art_training.cli.tables import plan_table
    from art_training.stores.where import looking
    from art_training.views.wording import duration

    wish: dict[str, Any] = {"force": force or force_step or False, "only": only or (), "until": until}
    with waiting.apart(), looking():  # what the user's code prints is no result
        loaded = load_project(locate(the_one(project, which)), store)
        waiting(PLANS)
        made = loaded.plan(**wish, stale="keep" if keep_stale else "rerun")
    if json:
        put_json({"project": made.project, "seconds": made.seconds, "steps": made.steps, "left_out": made.left_out})
        return
    drawn = console()
    drawn.print(plan_table(made))
    for note in made.notes:
        drawn.print(Text(note))
    if made.seconds:
        drawn.print(f"\nAbout {duration(made.seconds)} in all, from earlier runs.")
