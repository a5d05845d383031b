"""`art run`: run a project."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from art_training.cli.completing import complete_probes, complete_steps
from art_training.cli.options import Json, Project, WhichProject, the_one
from art_training.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from art_training.probes.attached import Probe
    from art_training.project import ArtProject
    from art_training.runner import ProjectResult, StepResult

_Steps = list[str]


def run(
    project: Project = None,
    *,
    which: WhichProject = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="STEP", help="Stop after this step.", show_default=False, autocompletion=complete_steps),
    ] = None,
    only: Annotated[
        _Steps | None,
        typer.Option(
            metavar="STEP", help="Only this step; may be repeated.", show_default=False, autocompletion=complete_steps
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run every step that is asked for, changed or not.")] = False,
    force_step: Annotated[
        _Steps | None,
        typer.Option(
            metavar="STEP",
            help="Run this step, changed or not; may be repeated.",
            show_default=False,
            autocompletion=complete_steps,
        ),
    ] = None,
    keep_stale: Annotated[bool, typer.Option("--keep-stale", help="Leave outdated steps, and mark them.")] = False,
    store: Annotated[
        str | None, typer.Option(metavar="PATH", help="Keep records there instead.", show_default=False)
    ] = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Mirror the run there, too, e.g. wandb; may be repeated.", show_default=False
        ),
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[STEP:]NAME",
            help="Look inside the trainings: batches, statistics[=MODULE,...], predictions, gradients, activations or updates; "
            "of every step, or of one. May be repeated.",
            show_default=False,
            autocompletion=complete_probes,
        ),
    ] = None,
    probe_to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE",
            help="Where what probes see goes: console, log or store; may be repeated. By default to all of them.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show the result alone.")] = False,
) -> int:
    """Run what is new or has changed; recall the rest.

    Every step is judged. One that failed and that nothing changed for is judged again on what it left, not trained
    again; `--force-step` trains it again.

    Prints the plan and the progress to stderr and the result to stdout.
    """
    from art_training.cli.waiting import IMPORTS, PLANS, Waiting

    waiting = Waiting(quiet=quiet)
    waiting(IMPORTS)  # before what takes its time
    from art_training.cli.loading import load_project
    from art_training.cli.locating import locate
    from art_training.cli.verifying import told_of

    wish: dict[str, Any] = {
        "force": force or force_step or False,
        "stale": "keep" if keep_stale else "rerun",
        "only": only or (),
        "until": until,
    }
    with waiting.apart():  # what the user's code prints is no result
        loaded = load_project(locate(the_one(project, which)), store)
        for name in tracker or ():
            loaded.add_tracker(name)
        wish["probes"] = _probes(probe or (), probe_to or (), [step.name for step in loaded.steps])
        waiting(PLANS)
        result = watched(loaded, wish, quiet=quiet)
        standard = "" if json else told_of(loaded)
    return show_result(result, as_json=json, standard=standard)


def _probes(wanted: "Sequence[str]", to: "Sequence[str]", steps: "Sequence[str]") -> "dict[str, list[Probe]]":
    """The probes of each step, as `--probe` asks for them.

    Raises:
        UsageError: there is no such probe, or no such place; or a place is given and no probe.
    """
    if not wanted:
        if to:
            raise UsageError(f"--probe-to {to[0]} says where what a probe sees goes, and no --probe is given")
        return {}
    from art_training.probes.attached import SINKS, probe_of

    places: Any = tuple(to) or SINKS
    found: dict[str, list[Probe]] = {}
    for text in wanted:
        step, colon, name = text.partition(":")
        one = probe_of(name if colon else text, places)
        for looked_at in [step] if colon else steps:
            found.setdefault(looked_at, []).append(one)
    return found


def watched(
    project: "ArtProject", wish: dict[str, Any], *, quiet: bool = False, command: str = "art"
) -> "ProjectResult":
    """Run a project and show how it goes; what to do next is said even where a step raises.

    Args:
        project: to run.
        wish: arguments of its `run`.
        quiet: show nothing.
        command: how `art` is typed.
    """
    from art_training.cli.typed import respelled
    from art_training.cli.watching import Watching
    from art_training.errors import Interrupted

    if quiet:
        return project.run(**wish)
    watching = Watching()
    try:
        return project.run(**wish, listen=watching)
    except (KeyboardInterrupt, Interrupted) as error:
        watching.close()
        raise Interrupted(f"what was measured is kept. {respelled(watching.next, command)}".rstrip()) from error
    except BaseException as error:
        watching.close()
        if watching.next and not isinstance(error, UsageError):
            error.add_note(respelled(watching.next, command))
        raise


def show_result(result: "ProjectResult", *, as_json: bool, standard: str = "") -> int:
    """Write the table, or the data; the exit code that follows.

    Args:
        result: of the run.
        as_json: as data.
        standard: one more line, of the standard that the project declares.
    """
    from art_training.cli.exits import exit_code
    from art_training.cli.output import console, put_json
    from art_training.cli.tables import steps_table

    code = exit_code(step.state for step in result.steps)
    if as_json:
        put_json(_data(result, code))
        return code
    drawn = console()
    drawn.print(steps_table(_row(step) for step in result.steps))
    drawn.print()
    if standard:
        drawn.print(f"{standard}\n")
    drawn.print(result.next)
    return code


def _row(step: "StepResult") -> Any:
    from rich.text import Text

    from art_training.cli.output import console
    from art_training.cli.tables import verdict_line
    from art_training.views.wording import duration

    lines = [verdict_line(verdict, console()) for verdict in (step.judgement.verdicts if step.judgement else ())]
    if not lines and step.run is not None and step.run.error:
        lines = [Text(step.run.error)]
    if step.note:
        lines.append(Text(step.note, "yellow"))
    time = duration(step.seconds)
    return step.name, step.state, "stale" if step.stale else "recalled" if step.recalled else "", lines, time


def _data(result: "ProjectResult", code: int) -> dict[str, Any]:
    return {
        "project": result.project,
        "state": result.state,
        "passed": result.passed,
        "exit_code": code,
        "next": result.next,
        "steps": [
            {
                "step": step.name,
                "kind": step.kind,
                "state": step.state,
                "recalled": step.recalled,
                "stale": step.stale,
                "seconds": step.seconds,
                "run": step.run.id if step.run else None,
                "error": step.run.error if step.run else "",
                "note": step.note,
                "checks": [
                    {"check": one.check, "state": one.state, "reason": one.reason, "numbers": one.numbers}
                    for one in (step.judgement.verdicts if step.judgement else ())
                ],
                "scores": step.outcome.scores if step.outcome else {},
            }
            for step in result.steps
        ],
    }
