"""`art rm`: remove runs."""

import sys
from functools import partial
from typing import Annotated

import typer

from art_training.cli.options import Json, StoreOption, WhichProject


def rm(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="As for `art show`.", show_default=False)],
    *,
    project: WhichProject = None,
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove runs with all that belongs to them.

    `art gc` then frees their files. That a run used the test split stays counted.
    """
    from art_training.cli.history import declared_steps, history
    from art_training.cli.output import put_json
    from art_training.errors import UsageError
    from art_training.records import StepState
    from art_training.records.counted import counted
    from art_training.views import RunRow, find_run, standing
    from art_training.views.wording import when

    with history(project, store, write=True) as (opened, name):
        declared = partial(declared_steps, project, name)
        records = {record.id: record for record in (find_run(opened, name, run, declared) for run in runs)}.values()
        for record in records:
            if standing(record) is StepState.RUNNING:
                raise UsageError(f"run {record.id} of step {record.step!r} is running; stop it before you remove it")
        if not yes:
            for record in records:
                sys.stderr.write(f"{record.id}  {record.step}  {standing(record).value}  {when(record.started)}\n")
            confirmed(f"Remove {counted(len(records), 'run')} for good?", "art rm --yes")
        for record in records:
            opened.delete(record.id)
    if json:
        put_json({"removed": [RunRow.of(record) for record in records]})
    else:
        sys.stdout.write("".join(f"removed {record.id} ({record.step})\n" for record in records))


def confirmed(question: str, without: str) -> None:
    """Ask, where somebody can answer.

    Raises:
        UsageError: nobody can.
        Abort: the answer is no.
    """
    from art_training.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(f"nobody can be asked here; `{without}` does it without asking")
    typer.confirm(question, abort=True, err=True)
