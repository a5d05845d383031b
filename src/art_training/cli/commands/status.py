"""`art status`: where a project stands."""

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from art_training.cli.options import Json, Project, StoreOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from art_training.views import ProjectStatus, ScoreRow, StepStatus


def status(project: Project = None, *, store: StoreOption = None, json: Json = False) -> None:
    """Show where each step stands, and what is stale.

    With the verdict, the checks, and the scores beside the best baseline.
    """
    from art_training.cli.output import console, put_json
    from art_training.cli.tables import steps_table

    with redirect_stdout(sys.stderr):  # what the user's code prints is no result
        found = _found(project, store)
    if json:
        put_json(found)
        return
    drawn = console()
    drawn.print(steps_table(_row(step) for step in found.steps))
    drawn.print(f"\n{found.next}")


def _found(project: str | None, store: str | None) -> "ProjectStatus":
    """With the plan where there is a project file; a store alone knows nothing of stale steps."""
    from art_training.cli.history import history
    from art_training.cli.loading import load_project
    from art_training.cli.locating import Place, locate
    from art_training.errors import ProjectError
    from art_training.views import status_of

    place: Place | None = None
    try:
        place = locate(project)
    except ProjectError:
        if project is not None and store is None:
            raise
    if place is None or not (place.file or place.module):
        with history(project, store) as (opened, name):
            return status_of(opened, name)
    declared = load_project(place, store)
    continuing = [step.name for step in declared.steps if step.continue_on_failure]
    return status_of(declared.store, declared.name, declared.plan(), continuing)


def _telling(step: "StepStatus") -> "Iterator[tuple[ScoreRow, str]]":
    """The scores that have a baseline, with what it reached, unless a check says both; `art show` has all scores."""
    from art_training.checks.values import number

    for score in step.scores:
        told = any(score.metric in check.reason and score.baseline_name in check.reason for check in step.checks)
        if score.baseline is not None and not told:
            yield score, f"best baseline {number(score.baseline)} ({score.baseline_name})"


def _row(step: "StepStatus") -> Any:
    from rich.text import Text

    from art_training.cli.output import console, duration
    from art_training.cli.tables import score_text, verdict_line

    lines = [] if step.waits_for else [verdict_line(check, console()) for check in step.checks]
    for score, baseline in () if step.waits_for else _telling(step):
        lines.append(Text(f"  {score.metric} {score_text(score)}, {baseline}", "dim"))
    if step.error:
        lines.append(Text(step.error, "red"))
    if step.findings:
        lines.append(Text(f"{step.findings} finding(s); `art show {step.step}` lists them", "yellow"))
    if step.stale or step.waits_for:
        lines.append(Text(step.reason, "yellow"))
    return step.step, step.state, "stale" if step.stale else "", lines, duration(step.seconds)
