"""Arguments that several commands share."""

from typing import Annotated

import typer

from art_training.cli.completing import complete_steps

Project = Annotated[
    str | None,
    typer.Argument(
        metavar="PROJECT",
        help="path.py, path.py:name or module:name; otherwise art_project.py here or above, or [tool.art] in "
        "pyproject.toml.",
        show_default=False,
    ),
]
WhichProject = Annotated[
    str | None,
    typer.Option(
        "--project",
        "-p",
        metavar="PROJECT",
        help="The project's file or module, or its name in the store.",
        show_default=False,
    ),
]


def the_one(argument: str | None, option: str | None) -> str | None:
    """The project that was named, as argument or as `--project`.

    Raises:
        UsageError: both were given.
    """
    from art_training.errors import UsageError

    if argument is not None and option is not None:
        raise UsageError(f"the project is given twice, as {argument!r} and as --project {option}; give it once")
    return option if argument is None else argument


StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PATH",
        help="The store, instead of the project's own or ART_STORE.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Plain data for programs.")]
Run = Annotated[
    str,
    typer.Argument(
        metavar="STEP|RUN",
        help="A step (its newest run), Step~1 (the one before), or the beginning or end of a run's id.",
        show_default=False,
        autocompletion=complete_steps,
    ),
]
