"""`art diff`: what changed between two runs, and what it did to the scores."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import Json, Run, StoreOption, WhichProject

if TYPE_CHECKING:
    from rich.console import RenderableType

    from art_training.views import Difference, ScoreChange


def diff(
    a: Run,
    b: Annotated[
        str | None,
        typer.Argument(
            metavar="STEP|RUN", help="The later run; without it, A is, and the newest completed run of its step before it the earlier.",
            show_default=False,
        ),
    ] = None,
    *,
    project: WhichProject = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Show what changed between two runs, and what it did.

    Code, hyper-parameters, data, versions, machine; then scores and checks.
    """
    from rich.text import Text

    from art_training.cli.history import declared_steps, history
    from art_training.cli.output import console, put_json
    from art_training.views import difference, find_run, run_before
    from art_training.views.wording import when

    with history(project, store) as (opened, name):
        declared = partial(declared_steps, project, name)
        after = find_run(opened, name, a if b is None else b, declared)
        before = run_before(opened, after) if b is None else find_run(opened, name, a, declared)
        found = difference(opened, before, after)
    if json:
        put_json(found)
        return
    drawn = console()
    for label, row in (("from", found.before), ("to  ", found.after)):
        drawn.print(f"{label} {row.step} {row.id}, {row.state.value}, started {when(row.started)}")
    sections = list(_sections(found))
    for title, body in sections:
        drawn.print()
        drawn.print(Text(title, "bold"))
        drawn.print(body)
    if not (found.fingerprint or found.parameters or found.versions or found.files):
        drawn.print("\nNothing on which the result depends differs.")


def _sections(found: "Difference") -> Iterator[tuple[str, "RenderableType"]]:
    from rich.text import Text

    for title, changes in (
        ("Changed", (*found.fingerprint, *found.parameters)),
        ("Versions", found.versions),
        ("Machine", found.machine),
    ):
        if changes:
            yield title, Text("\n".join(str(change) for change in changes))
    if code := list(_code(found)):
        yield "Code", Text("\n".join(code))
    if found.scores:
        yield "Scores", _scores(found)
    if moved := [row for row in found.checks if (row.before and row.before.state) != (row.after and row.after.state)]:
        said = [
            f"{row.check}: {row.before.state.value if row.before else 'not asked'} -> "
            f"{row.after.state.value if row.after else 'not asked'}"
            for row in moved
        ]
        yield "Checks", Text("\n".join(said))


def _code(found: "Difference") -> Iterator[str]:
    before, after = found.code_before, found.code_after
    if before.commit != after.commit:
        yield f"commit {before.commit[:12] or 'none'} -> {after.commit[:12] or 'none'}"
        if before.commit and after.commit:
            yield f"`git diff {before.commit[:12]} {after.commit[:12]}` shows it"
    if found.files:
        yield f"uncommitted changes differ in: {', '.join(found.files)}"


def _scores(found: "Difference") -> "RenderableType":
    from rich.text import Text

    from art_training.cli.output import table
    from art_training.views.wording import score_text

    drawn = table("score", "from", "to", "difference")
    drawn.columns[0].no_wrap = True
    for row in found.scores:
        style = {True: "green", False: "red", None: ""}[row.better]
        drawn.add_row(
            Text(row.metric),
            Text(score_text(row.before) if row.before else "-"),
            Text(score_text(row.after) if row.after else "-"),
            Text(_moved(row), style),
        )
    return drawn


def _moved(row: "ScoreChange") -> str:
    if row.difference is None:
        return ""
    if row.unlike:
        return f"{row.difference:+.4g} ({row.unlike})"
    if not row.difference:
        return "none"
    said = {True: "better", False: "worse", None: ""}[row.better]
    overlap = "intervals overlap" if row.apart is False else ""
    beside = ", ".join(part for part in (said, overlap) if part)
    return f"{row.difference:+.4g}" + (f" ({beside})" if beside else "")
