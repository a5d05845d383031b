"""`art learn`: the tutorials, to be worked through on this machine."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from art_training.cli.completing import complete_tutorials
from art_training.cli.exits import ExitCode
from art_training.errors import UsageError

_BROKEN = "broken"


def learn(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Which one; without it, they are listed.", autocompletion=complete_tutorials
        ),
    ] = None,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where it is written.")] = Path(),
    *,
    script: Annotated[
        bool, typer.Option("--script", help="Write a script in place of a notebook; it runs as it is.")
    ] = False,
    broken: Annotated[
        bool,
        typer.Option("--broken", help="Deal a project with a silent fault into the folder NAME (by default `broken`)."),
    ] = False,
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="CATEGORY",
            help="What is wrong with the project that was dealt into NAME, or here.",
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        str, typer.Option(metavar="FILE:LINE", help="With --answer: where it is.", show_default=False)
    ] = "",
    give_up: Annotated[bool, typer.Option("--give-up", help="Say what is wrong with it.")] = False,
) -> int:
    """List the tutorials, copy one, or deal a broken project."""
    if sum((broken, answer is not None, give_up)) > 1:
        raise UsageError("--broken, --answer and --give-up exclude each other; give one of them")
    if where and answer is None:
        raise UsageError(f"--where {where} goes with --answer CATEGORY, and none is given")
    if broken or answer is not None or give_up:
        from art_training.cli import broken as lesson

        if broken:
            return lesson.deal_into(Path(name) if name else lesson.here() or Path(_BROKEN))
        dealt = Path(name or ".")
        return lesson.give_up(dealt) if answer is None else lesson.answer(dealt, answer, where)
    if name is None:
        _show_all()
        return ExitCode.PASSED
    from art_training.cli.notebooks import as_notebook, as_script
    from art_training.cli.tutorials import tutorial_called

    tutorial = tutorial_called(name)
    file = folder / f"{tutorial.page.file.stem}{'.py' if script else '.ipynb'}"
    page = tutorial.page.file.read_text(encoding="utf-8")
    _write(file, as_script(page) if script else as_notebook(page))
    sys.stdout.write(
        f"Wrote {file}: {tutorial.page.title} (about {tutorial.minutes} minutes)\n\n{_opening(file, script=script)}"
    )
    return ExitCode.PASSED


def _show_all() -> None:
    from rich.text import Text

    from art_training.cli.output import console, table
    from art_training.cli.tutorials import tutorials

    shown = console()
    drawn = table("tutorial", "title", "minutes")
    drawn.columns[0].no_wrap = True
    drawn.columns[2].justify = "right"
    for name, one in tutorials().items():
        drawn.add_row(name, one.page.title, str(one.minutes))
    shown.print(drawn)
    shown.print()
    shown.print(Text("`art learn NAME` copies one into this folder as a notebook, `--script` as a script.", "dim"))


def _write(file: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        UsageError: it is there, or the folder cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{_in_the_way(file)} is there already, and stays as it is; name another folder") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}; name another folder") from None


def _in_the_way(file: Path) -> Path:
    return file if file.exists() else file.parent


def _opening(file: Path, *, script: bool) -> str:
    change = f"    cd {shlex.quote(str(file.parent))}\n" if file.parent.resolve() != Path.cwd() else ""
    if script:
        return f"Run it:\n\n{change}    python {file.name}\n"
    return (
        f"Open it in an editor that knows notebooks, or with Jupyter (pip install jupyterlab):\n\n"
        f"{change}    jupyter lab {file.name}\n"
    )
