"""`art show`: everything about one run."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from art_training.cli.options import Json, Run, StoreOption, WhichProject

if TYPE_CHECKING:
    from rich.console import RenderableType

    from art_training.views import CurveRow, RunView


_MISTAKES = {"UsageError", "SetupError", "ProjectError", "CheckError", "UnknownMetric"}


def show(run: Run, *, project: WhichProject = None, store: StoreOption = None, json: Json = False) -> None:
    """Show a run with all of its evidence.

    Checks, scores, curves, findings, readings, artifacts, and what it was made with.
    """
    from rich.text import Text

    from art_training.cli.history import history
    from art_training.cli.output import console, put_json
    from art_training.views import find_run, view_of

    with history(project, store) as (opened, name):
        view = view_of(opened, find_run(opened, name, run))
    if json:
        put_json(view)
        return
    drawn = console()
    drawn.print(_headline(view))
    for title, body in _sections(view):
        drawn.print()
        drawn.print(Text(title, "bold"))
        drawn.print(body)


def _headline(view: "RunView") -> "RenderableType":
    from rich.text import Text

    from art_training.cli.output import STYLES, duration, when

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
        lines.append(Text(f"went on from run {view.record.resumed}"))
    return Text("\n").join(lines)


def _sections(view: "RunView") -> Iterator[tuple[str, "RenderableType"]]:
    from rich.text import Text

    from art_training.cli.frames import folded_text
    from art_training.cli.output import console
    from art_training.cli.tables import scores_table, verdict_line

    if view.record.error:
        mistake = view.record.error.partition(":")[0] in _MISTAKES  # whose sentence says it all; the log has the lines
        told = view.record.error if mistake else folded_text(view.record.traceback) or view.record.error
        yield "Error", Text(told.rstrip(), "red")
    if view.checks:
        again = len(view.judgements) - 1
        title = "Checks" if not again else f"Checks (judged {again + 1} times; this is the last)"
        yield title, Text("\n").join(verdict_line(check, console()) for check in view.checks)
    if view.scores:
        yield "Scores", scores_table(view.scores)
    yield from _evidence(view)
    yield from _origin(view)


def _evidence(view: "RunView") -> Iterator[tuple[str, "RenderableType"]]:
    from rich.text import Text

    from art_training.checks.values import number
    from art_training.cli.output import size
    from art_training.cli.readable import readable
    from art_training.records import plain

    outcome = view.outcome
    if outcome is None:
        return
    if outcome.findings:
        lines = [f"{one.code} {one.severity.value}: {one.message}\n  {one.remedy}".rstrip() for one in outcome.findings]
        yield "Findings", Text("\n".join(lines), "yellow")
    if outcome.candidates:
        yield (
            "Candidates",
            _pairs(
                (
                    one.name,
                    ", ".join(
                        [*(f"{name} {number(score.value)}" for name, score in one.scores.items()), one.note]
                    ).strip(", "),
                )
                for one in outcome.candidates
            ),
        )
    if view.curves:
        yield "Curves", _pairs((curve.name, _course(curve)) for curve in view.curves)
    if outcome.readings:
        yield (
            "Readings",
            _pairs(
                (one.name, "; ".join(part for part in (f"{_clipped(text)} {one.unit}".rstrip(), one.note) if part))
                for one in outcome.readings
                if (text := readable(plain(one.value)))
            ),
        )
    if outcome.artifacts:
        yield (
            f"Artifacts (`art export {view.run.step}` copies them)",
            _pairs(
                (one.name, f"{one.kind}, {size(one.bytes)}, sha256 {one.digest[:12]} {one.note}".rstrip())
                for one in outcome.artifacts
            ),
        )


def _origin(view: "RunView") -> Iterator[tuple[str, "RenderableType"]]:
    from art_training.cli.readable import readable
    from art_training.views.rows import counted

    record, origin = view.record, view.record.provenance
    if record.parameters:
        texts = ((name, readable(value, exact=True)) for name, value in record.parameters.items())
        yield "Setup", _pairs((name, _clipped(text)) for name, text in texts if text)
    commit = f"{origin.git_commit[:12]}{' with uncommitted changes' if origin.git_dirty else ''}"
    told = {
        "fingerprint": record.fingerprint.digest[:12],
        "not known": "; ".join(record.fingerprint.unknown),
        "seed": str(record.seed),
        "uses": ", ".join(f"{step} ({run})" for step, run in record.consumes.items()),
        "command": " ".join(origin.command),
        "folder": origin.folder,
        "machine": " ".join(part for part in (origin.host, f"Python {origin.python}" if origin.python else "") if part),
        "code": f"commit {commit}" if origin.git_commit else "",
        "data": f"{origin.data_digest[:12]} ({origin.data_note})" if origin.data_note else origin.data_digest[:12],
        "log": f"{counted(view.lines, 'line')}: art log {view.run.step}" if view.lines else "",
    }
    yield "Made with", _pairs((name, text) for name, text in told.items() if text)


def _pairs(rows: Iterator[tuple[str, str]]) -> "RenderableType":
    from rich.text import Text

    from art_training.cli.output import table

    drawn = table("", "")
    drawn.show_header = False
    drawn.columns[0].no_wrap = True
    for name, text in rows:
        drawn.add_row(Text(name), Text(text))
    return drawn


def _course(curve: "CurveRow") -> str:
    from art_training.views.rows import counted

    points = counted(curve.points, "point")
    if curve.first is not None and curve.first == curve.last == curve.lowest == curve.highest:
        return f"{points}, {'all ' if curve.points > 1 else ''}{_number(curve.first)}"
    ends = f"{points}, {_number(curve.first)} to {_number(curve.last)}"
    return f"{ends}, between {_number(curve.lowest)} and {_number(curve.highest)}"


def _clipped(text: str, longest: int = 300) -> str:
    return text if len(text) <= longest else f"{text[:longest]}... (`--json` shows all)"


def _number(value: float | None) -> str:
    from art_training.checks.values import number

    return "-" if value is None else number(value)
