"""`art dashboard`: a live look at the store in the browser."""

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import Project, StoreOption, WhichProject, the_one

if TYPE_CHECKING:
    from art_training.cli.history import Watched


def dashboard(
    project: Project = None,
    *,
    which: WhichProject = None,
    store: StoreOption = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; any but loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help="0 for any that is free.", show_default="8642 or one of the next"),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print the address.")] = False,
) -> None:
    """Watch the store in the browser, live.

    Where each project stands, its steps, their checks and what they say. It reads the store and changes nothing. Ctrl-C ends it.
    """
    from art_training.cli.history import source_of
    from art_training.dashboard import serve
    from art_training.dashboard.source import Source

    watched = source_of(the_one(project, which), store)
    told = partial(_told, _trouble(watched))
    source = Source(watched.open, watched.place, watched.file)
    serve(source, host=host, port=port, project=watched.project, browse=not no_open, told=told)


def _trouble(watched: "Watched") -> str:
    """What one who looks should know first: the store may be made, and the project run, while one looks.

    Raises:
        StoreError: it is none, or cannot be read.
    """
    from art_training.views.timeline import nothing_of

    store = watched.open()
    if store is None:
        return f"There is no store at {watched.place} yet: `art run` makes it, and the pages show it then"
    with closing(store):
        return nothing_of(store, watched.project) if watched.project else ""


def _told(trouble: str, address: str) -> None:
    if trouble:
        typer.echo(f"{trouble[0].upper()}{trouble[1:]}.")
    typer.echo(f"The dashboard is at {address} (Ctrl-C ends it).")
