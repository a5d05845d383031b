"""`art dashboard`: a live look at the store in the browser."""

from typing import Annotated

import typer

from art_training.cli.options import Project, StoreOption, WhichProject, the_one


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
    source = Source(watched.open, watched.place, watched.file)
    serve(source, host=host, port=port, project=watched.project, browse=not no_open, told=_told)


def _told(address: str) -> None:
    typer.echo(f"The dashboard is at {address} (Ctrl-C ends it).")
