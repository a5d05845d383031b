"""`art log`: what a run said."""

import sys

from art_training.cli.options import Json, Run, StoreOption, WhichProject


def log(run: Run, *, project: WhichProject = None, store: StoreOption = None, json: Json = False) -> None:
    """Print the log of a run."""
    from art_training.cli.history import history
    from art_training.cli.output import put_json
    from art_training.views import find_run, log_of

    with history(project, store) as (opened, name):
        view = log_of(opened, find_run(opened, name, run))
    if json:
        put_json(view)
    elif view.lines:
        sys.stdout.write("\n".join(view.lines) + "\n")
    else:
        sys.stderr.write(f"run {view.run.id} wrote no log\n")
