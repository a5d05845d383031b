"""`art new`: begin a project of one's own."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

_Many = list[str]
_DEFAULT = "blank"


def new(
    folder: Annotated[
        Path | None, typer.Argument(metavar="NAME", help="The project's name, or a path that ends with it.")
    ] = None,
    *,
    template: Annotated[
        str,
        typer.Option(
            "--template",
            "-t",
            metavar="TEMPLATE",
            help="A name (--list), a folder, or the address of a git repository.",
        ),
    ] = _DEFAULT,
    data: Annotated[
        _Many | None,
        typer.Option("--data", "-d", metavar="KEY=VALUE", help="An answer for the template.", show_default=False),
    ] = None,
    no_git: Annotated[bool, typer.Option("--no-git", help="Make no git repository.")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let the template run commands of its own. Read them before.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Bring what has changed in its template into the project that is there.")
    ] = False,
    which: Annotated[bool, typer.Option("--list", help="Show the templates, and leave.")] = False,
) -> None:
    """Begin a project of one's own from a template.

    It has data, model, recipe, tests and CI, which run as they are.

    Each template is a small task to be replaced by yours: `art new --list` shows them.
    """
    from art_training.errors import UsageError

    if which:
        _show_all()
        return
    answers = _answers(data)
    if update:
        from art_training.templates.updating import update_project

        told = update_project(folder or Path.cwd(), answers, trust=trust)
        sys.stdout.write("".join(f"{line}\n" for line in told))
        return
    if folder is None:
        raise UsageError(
            "a new project needs a name; write art new NAME, for example: art new my-project --template image"
        )
    _make(folder, template, answers, git=not no_git, trust=trust)


def _make(folder: Path, wanted: str, answers: dict[str, str], *, git: bool, trust: bool) -> None:
    from art_training.templates.finding import find_template
    from art_training.templates.naming import require_free, require_name
    from art_training.templates.rendering import render
    from art_training.templates.repository import begin_repository

    name = require_name(folder)
    require_free(folder)
    template = find_template(wanted)
    notes = render(template, folder, answers, trust=trust)
    if git:
        notes.append(begin_repository(folder, f"Begin {name} from the template {template}"))
    files = "".join(f"    {file}\n" for file in _made(folder))
    told = "".join(f"{note}\n" for note in notes)
    parts = (f"Made {folder} from the template {template}:\n", files, told, _next(folder))
    sys.stdout.write("\n".join(filter(None, parts)))


def _made(folder: Path) -> list[str]:
    """What a project has, by its paths."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in paths if path.parts[0] != ".git"]


def _next(folder: Path) -> str:
    from art_training.cli.locating import FILE
    from art_training.cli.typed import as_typed

    told: dict[str, str] = {}
    art = as_typed(folder)
    if (folder / FILE).is_file():
        told[f"{art} run"] = "runs the recipe, step by step"
    if (folder / "tests").is_dir():
        told["pytest"] = "its own tests"
    width = max(map(len, told), default=0)
    lines = "".join(f"    {command:<{width}}   # {does}\n" for command, does in told.items())
    change = "" if folder.resolve() == Path.cwd() else f"    cd {shlex.quote(str(folder))}\n"
    read = "\nREADME.md says what to replace, in order.\n" if (folder / "README.md").is_file() else ""
    return f"Type next:\n\n{change}{lines}{read}"


def _show_all() -> None:
    from art_training.cli.output import console, table
    from art_training.plugins import offered
    from art_training.templates.finding import GROUP, all_templates

    drawn = table("template", "begins with", "from")
    points = offered(GROUP)
    for name, one in all_templates().items():
        distribution = points[name].dist
        drawn.add_row(name, one.about, distribution.name if distribution else "")
    console().print(drawn)


def _answers(given: list[str] | None) -> dict[str, str]:
    from art_training.errors import UsageError

    answers: dict[str, str] = {}
    for one in given or ():
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise UsageError(f"--data {one} is no KEY=VALUE; write for example --data python=3.13")
        answers[key] = value
    return answers
