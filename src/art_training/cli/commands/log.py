"""`art log`: what a run said."""

import os
import sys
import textwrap
from functools import partial

from art_training.cli.options import Json, Run, StoreOption, WhichProject

_INDENT = " " * len("2026-01-31 12:00:00 ")


def log(run: Run, *, project: WhichProject = None, store: StoreOption = None, json: Json = False) -> None:
    """Print the log of a run."""
    from art_training.cli.history import declared_steps, history
    from art_training.cli.output import put_json
    from art_training.views import find_run, log_of

    with history(project, store) as (opened, name):
        declared = partial(declared_steps, project, name)
        view = log_of(opened, find_run(opened, name, run, declared))
    if json:
        put_json(view)
    elif view.lines:
        sys.stdout.write("\n".join(_fitted(line) for line in view.lines) + "\n")
    else:
        sys.stderr.write(f"run {view.run.id} wrote no log\n")


def _fitted(line: str) -> str:
    """As wide as the terminal, folded behind the time; whole where a program reads it, so that it can be searched."""
    from art_training.records.table import terminal_width

    if not (sys.stdout.isatty() or os.environ.get("COLUMNS")):
        return line
    width = max(terminal_width(), 2 * len(_INDENT))
    return textwrap.fill(line, width, subsequent_indent=_INDENT, break_on_hyphens=False, drop_whitespace=True)
