"""`art gc`: free files that no run needs."""

import sys
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from art_training.cli.commands.rm import confirmed
from art_training.cli.options import Json, StoreOption, WhichProject

if TYPE_CHECKING:
    from art_training.stores.retention import Collected


def gc(
    project: WhichProject = None,
    *,
    store: StoreOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be freed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Free files that no run needs any more.

    Kept are the best and last checkpoint of the newest passed run of each step and those of its candidates, such as the
    best trials of a search, what a run may go on from, and every file that is no checkpoint and belongs to a run. What
    broken-off runs had written is freed, too, once a newer run of the step stands in their place. Records are never freed.
    """
    from art_training.cli.history import history
    from art_training.cli.output import put_json
    from art_training.stores.retention import collect

    with history(project, store, write=not dry_run) as (opened, _):
        found = collect(opened, dry=True)
        if not dry_run and found.freed:
            if not yes:
                _draw(found, sys.stderr)
                confirmed("Free them?", "art gc --yes")
            found = collect(opened)
    if json:
        put_json(
            {"dry": found.dry, "freed": found.freed, "bytes": found.bytes, "kept": found.kept,
             "kept_bytes": found.kept_bytes}
        )  # fmt: skip
        return
    _draw(found)


def _draw(found: "Collected", file: TextIO | None = None) -> None:
    from rich.text import Text

    from art_training.cli.output import console, table
    from art_training.records.counted import counted
    from art_training.views.wording import size

    drawn = console(file)
    if found.freed:
        rows = table("file", "size", "because")
        for one in found.freed:
            rows.add_row(Text(one.digest[:12]), Text(size(one.bytes)), Text(one.why))
        drawn.print(rows)
        drawn.print()
    does = "would be freed" if found.dry else "freed"
    freed, kept = counted(len(found.freed), "file"), counted(found.kept, "file")
    stay = "stays" if found.kept == 1 else "stay"
    drawn.print(f"{freed}, {size(found.bytes)}, {does}; {kept}, {size(found.kept_bytes)}, {stay}.")
