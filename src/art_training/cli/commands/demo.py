"""`art demo`: see ART work on real data, in a few minutes."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from art_training.stores import Store

FOLDER = Path("art-demo")
_QUICK = "Overfit"  # the last of the steps that a first project has


def demo(
    folder: Annotated[Path, typer.Argument(help="Where the project's file is written.")] = FOLDER,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the first five steps and the diagnosis, in less than a minute.")
    ] = False,
) -> int:
    """Run the whole recipe on handwritten digits, in minutes.

    The project's file is written into a folder, and is yours to change.
    """
    from art_training.cli.commands.run import show_result, watched
    from art_training.cli.loading import load_project
    from art_training.cli.locating import FILE, locate
    from art_training.cli.typed import as_typed, respelled
    from art_training.cli.waiting import IMPORTS, PLANS, Waiting

    file = folder / FILE
    command = as_typed(folder)
    sys.stderr.write(f"{'wrote' if written(file) else 'found'} {file}\n\n")
    waiting = Waiting()
    waiting(IMPORTS)
    with waiting.apart():
        project = load_project(locate(str(file)))
        waiting(PLANS)
        names = [step.name for step in project.steps]
        last = _QUICK if quick and _QUICK in names else names[-1]
        result = watched(project, {"until": last}, command=command)
    code = show_result(replace(result, next=respelled(result.next, command)), as_json=False)
    told = {
        "run": "runs what changed, recalls the rest",
        "status": "where each step stands",
        f"show {last}": "all of its evidence",
        "dashboard": "all of it in the browser, live",
    }
    reported = _reported(project.store, project.name, folder)
    width = max(map(len, told))
    lines = "".join(f"    {command} {what:<{width}}   # {does}\n" for what, does in told.items())
    sys.stdout.write(
        f"{reported}\nThe project is {file}. Look at it, change something, and type:\n\n"
        f"    cd {shlex.quote(str(folder))}\n{lines}"
    )
    return code


def _reported(store: "Store", project: str, folder: Path) -> str:
    """Write the report, and say where; nothing where no step ran."""
    from art_training.cli.commands.report import write
    from art_training.report import as_html, report_of
    from art_training.views.account import account_of
    from art_training.views.planned import planned_of

    if not store.latest(project):
        return ""
    file = folder / "art-report.html"
    write(file, as_html(report_of(account_of(store, project, planned_of(store, project)))).encode())
    return f"\nThe report is {file}: open it in a browser.\n"


def written(file: Path) -> bool:
    """Write the template, unless the folder has a project already, which stays as it is.

    Raises:
        UsageError: the folder cannot be written.
    """
    from importlib.resources import files

    from art_training.errors import UsageError

    if file.exists():
        return False
    source = files("art_training.templates") / "digits" / file.name
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}; name another folder") from None
    return True
