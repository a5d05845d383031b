"""`art doctor`: is this environment fit for training?"""

from pathlib import Path

from art_training.cli.options import Json


def doctor(*, json: Json = False) -> int:
    """Examine this environment, and say what to do about it.

    Python, torch, torchvision, Lightning, SQLite, and the file system of this folder. The exit code is 3 where something is broken.
    """
    from rich.text import Text

    from art_training.cli.exits import ExitCode
    from art_training.cli.output import console, put_json, table
    from art_training.views.environment import State, examine

    rows = examine(Path.cwd())
    code = ExitCode.NOT_JUDGED if any(row.state is State.PROBLEM for row in rows) else ExitCode.PASSED
    if json:
        put_json(rows)
        return code
    styles = {State.OK: "green", State.NOTE: "cyan", State.WARNING: "yellow", State.PROBLEM: "bold red"}
    drawn = table("", "what", "found")
    drawn.show_header = False
    for row in rows:
        found = Text(row.what)
        if row.remedy:
            found.append(f"\n{row.remedy}", "dim")
        drawn.add_row(Text(row.state.value, styles[row.state]), Text(row.name), found)
    console().print(drawn)
    return code
