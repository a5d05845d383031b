"""How `art verify` finds a standard and writes its answer: a table, data, Markdown."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from art_training.cli.exits import ExitCode
from art_training.standards import (
    Assessment,
    Met,
    RequirementAnswer,
    Standard,
    assess,
    installed_standard,
    read_standard,
)
from art_training.views import planned_of
from art_training.views.evidence import advice, evidence_of, headline, worst_first
from art_training.views.recorded import record_of

if TYPE_CHECKING:
    from art_training.project import ArtProject
    from art_training.records import Plan

EXITS: Mapping[Met, ExitCode] = {
    Met.MET: ExitCode.PASSED,
    Met.NOT_MET: ExitCode.FAILED,
    Met.NOT_JUDGED: ExitCode.NOT_JUDGED,
}
_STYLES = {
    Met.MET: "green",
    Met.NOT_MET: "red",
    Met.WAIVED: "magenta",
    Met.NOT_COVERED: "dim",
    Met.NOT_JUDGED: "yellow",
}
_SHOWN = 12  # digits of a digest


def require_standard(text: str) -> Standard:
    """The standard that is meant by a name, a TOML file, or `path.py:NAME`.

    Raises:
        UsageError: there is none.
    """
    from art_training.cli.loading import load_object
    from art_training.errors import UsageError

    if text.endswith(".toml"):
        return read_standard(Path(text).expanduser())
    if text.endswith(".py"):
        raise UsageError(f"{text} may hold several standards; name one behind a colon: {text}:LAB")
    if ":" not in text and "/" not in text:
        return installed_standard(text)
    found = load_object(text, Standard)
    if not isinstance(found, Standard):
        raise UsageError(
            f"{text} is of type {type(found).__name__}, no Standard; write there art.Standard('lab-2026', requires=[...])"
        )
    return found


def told_of(project: "ArtProject", plan: "Plan | None" = None, continuing: Collection[str] | None = None) -> str:
    """Whether a project meets the standard that it declares, in a line; empty where it declares none.

    Args:
        project: as its file declares it.
        plan: that was made now; None right behind a run, when what the store remembers holds.
        continuing: as of `status_of`.
    """
    if project.standard is None:
        return ""
    known = plan or planned_of(project.store, project.name)
    record = record_of(project.store, project.name, known, continuing)
    found = assess(project.standard, record, project.waivers, recorded=plan is None)
    return f"Standard: {headline(found)}" + ("" if found.state is Met.MET else " `art verify` says which.")


def as_text(found: Assessment) -> str:
    """A table for people, the worst first, and what to do."""
    from rich.text import Text

    from art_training.cli.output import console, table

    drawn = console()
    drawn.begin_capture()
    drawn.print(Text(headline(found), "bold"))
    drawn.print()
    rows = table("requirement", "answer", "because")
    rows.columns[1].no_wrap = True
    for one in worst_first(found):
        rows.add_row(Text(one.requirement), Text(_answer(one), _STYLES[one.state]), Text(_because(one)))
    drawn.print(rows)
    for line in _beside(found):
        drawn.print(Text(f"\n{line}"))
    drawn.print(Text(f"\n{advice(found)}"))
    return "\n".join(line.rstrip() for line in drawn.end_capture().splitlines()) + "\n"


def as_json(found: Assessment) -> str:
    """The evidence; its form is documented."""
    from art_training.cli.output import json_text

    return json_text({**evidence_of(found), "exit_code": int(EXITS[found.state])})


def as_markdown(found: Assessment) -> str:
    """For a comment on a release or a pull request."""
    record = found.record
    lines = [f"**{headline(found)}**", "", "| requirement | answer | because |", "|---|---|---|"]
    lines += [f"| {_cell(one.requirement)} | {_answer(one)} | {_cell(_because(one))} |" for one in worst_first(found)]
    lines += [part for line in _beside(found) for part in ("", line)]
    lines += ["", advice(found), "", f"`art verify` of ART {record.art_version}, {record.at:%Y-%m-%d %H:%M} UTC"]
    return "\n".join(lines) + "\n"


def _answer(one: RequirementAnswer) -> str:
    counts = one.section and one.state is not Met.NOT_COVERED
    return f"{one.state.value}, {one.points:g} of {one.worth:g}" if counts else one.state.value


def _because(one: RequirementAnswer) -> str:
    who = [f"waived: {waiver.by} until {waiver.until}: {waiver.reason}" for waiver in one.waivers]
    open_parts = [part.key for part in one.parts if one.state is Met.NOT_MET and part.waiver is None]
    named = [f"can be waived as `{'` and `'.join(open_parts)}`"] if open_parts else []
    return "; ".join([one.reason, *who, *named])


def _beside(found: Assessment) -> Iterator[str]:
    """What is said below the table: points, waivers that did nothing, what exactly was judged."""
    if found.score is not None:
        sections = ", ".join(f"{name} {points:g}" for name, points in found.sections.items())
        asked = f"; {found.standard.at_least:g} is asked for" if found.standard.at_least is not None else ""
        yield f"Points: {sections}. The score is the smallest: {found.score:g}{asked}."
    for one in found.waivers:
        if one.told:
            yield f"{one.told[0].upper()}{one.told[1:]}."
    subject = found.record.subject
    if subject is not None and subject.digest:
        yield f"{subject.given}: SHA-256 {subject.digest}"
    yield f"{found.standard.title}: SHA-256 {found.standard.digest[:_SHOWN]}...; the record in {found.record.store}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
