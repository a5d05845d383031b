"""`art plugins`: what is offered by name, by ART and by other distributions."""

import warnings
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import Json

if TYPE_CHECKING:
    from art_training.views.extensions import ExtensionRow


def plugins(
    others: Annotated[bool, typer.Option("--others", help="Only what other distributions offer.")] = False,
    *,
    json: Json = False,
) -> int:
    """List what ART and other distributions offer by name.

    Steps, checks, rules, standards, templates, trackers, stores and engines.

    Each is imported and looked at. The exit code is 3 where one cannot be used; runs that do not use it go on without it.
    """
    from rich.text import Text

    from art_training.cli.exits import ExitCode
    from art_training.cli.output import console, put_json
    from art_training.views.extensions import extension_rows

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # what other distributions warn of as they are imported; what is wrong with one is told
        rows = extension_rows(others=others)
    code = ExitCode.NOT_JUDGED if any(row.problem for row in rows) else ExitCode.PASSED
    if json:
        put_json({"extensions": rows})
        return code
    shown = console()
    if not rows:
        shown.print(
            Text("No other distribution offers an extension; `art docs write_a_plugin` says how one is written.")
        )
    for group in dict.fromkeys(row.group for row in rows):
        _draw(group, [row for row in rows if row.group == group])
    if code is ExitCode.NOT_JUDGED:
        shown.print(Text("What is marked with ✗ is left out everywhere.", "dim"))
    return code


def _draw(group: str, rows: "list[ExtensionRow]") -> None:
    from rich.text import Text

    from art_training.cli.output import console, table

    drawn = table("", group, "of", "what it is")
    drawn.columns[1].no_wrap = drawn.columns[2].no_wrap = True
    for row in rows:
        told = Text(row.problem, "yellow") if row.problem else Text(row.about)
        mark = Text("✗", "bold red") if row.problem else Text("✓", "green")
        drawn.add_row(mark, Text(row.name), Text(f"{row.distribution} {row.version}"), told)
    shown = console()
    shown.print(drawn)
    shown.print()
