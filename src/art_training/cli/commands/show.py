"""`art show`: everything about one run."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import Json, Run, StoreOption, WhichProject

if TYPE_CHECKING:
    from rich.console import RenderableType

    from art_training.views import RunView


All = Annotated[bool, typer.Option("--all", help="Show all that there is of each section, and every setting.")]

_MISTAKES = {"UsageError", "SetupError", "ProjectError", "CheckError", "UnknownMetric"}


def show(
    run: Run, *, project: WhichProject = None, store: StoreOption = None, everything: All = False, json: Json = False
) -> None:
    """Show a run with its evidence.

    What was chosen, checks, findings, scores, candidates, readings, artifacts, what it was made with, and curves: the
    most telling of each, on a screen or two.
    """
    from rich.text import Text

    from art_training.cli.history import declared_steps, history
    from art_training.cli.output import console, put_json
    from art_training.views import find_run, view_of

    with history(project, store) as (opened, name):
        declared = partial(declared_steps, project, name)
        view = view_of(opened, find_run(opened, name, run, declared))
    if json:
        put_json(view)
        return
    drawn = console()
    drawn.print(_headline(view))
    for title, body in _sections(view, whole=everything):
        drawn.print()
        drawn.print(Text(title, "bold"))
        drawn.print(body)


def _headline(view: "RunView") -> "RenderableType":
    from rich.text import Text

    from art_training.cli.output import STYLES
    from art_training.views.wording import duration, when

    run = view.run
    took = f", {duration(run.seconds)}" if run.seconds is not None else ""
    kind = f" ({run.kind})" if run.kind != run.step else ""
    lines = [
        Text.assemble(f"{run.step}{kind} of project {run.project}: ", (run.state.value, STYLES[run.state])),
        Text(f"run {run.id}, started {when(run.started)}{took}"),
    ]
    if view.outcome and view.outcome.summary:
        lines.append(Text(view.outcome.summary))
    if view.outcome and view.outcome.stopped:
        lines.append(Text(f"stopped early: {view.outcome.stopped}", "yellow"))
    if view.record.resumed:
        before = f", which took {duration(view.record.seconds_before)} of it" if view.record.seconds_before else ""
        lines.append(Text(f"went on from run {view.record.resumed}{before}"))
    return Text("\n").join(lines)


def _sections(view: "RunView", *, whole: bool) -> "Iterator[tuple[str, RenderableType]]":
    """What decides first, curves last."""
    from art_training.cli.output import console
    from art_training.cli.sections import Sections

    if view.record.error:
        yield "Error", _error(view)
    sections = Sections(view, whole, console().width)
    yield from sections.outcome()
    yield from sections.numbers()
    yield from sections.rest()
    yield from sections.curves()


def _error(view: "RunView") -> "RenderableType":
    from rich.text import Text

    from art_training.cli.frames import folded_text

    mistake = view.record.error.partition(":")[0] in _MISTAKES  # whose sentence says it all; the log has the lines
    told = view.record.error if mistake else folded_text(view.record.traceback) or view.record.error
    return Text(told.rstrip(), "red")
