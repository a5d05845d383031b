"""One run: while it trains and long after."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import Query
from nicegui import ui
from nicegui.element import Element

from art_training.dashboard.parts.asking import tell_address
from art_training.dashboard.parts.curves import Look
from art_training.dashboard.parts.evidence import Judged, draw_checks, draw_findings
from art_training.dashboard.parts.frame import Crumb, Desk, follow, frame
from art_training.dashboard.parts.gallery import Gallery
from art_training.dashboard.parts.health import Told, draw_health
from art_training.dashboard.parts.html import facts, h, link
from art_training.dashboard.parts.live import Part
from art_training.dashboard.parts.made_of import (
    draw_candidates,
    draw_files,
    draw_origin,
    draw_pictures,
    draw_readings,
    draw_scores,
    draw_setup,
)
from art_training.dashboard.parts.numbers import Numbers
from art_training.dashboard.parts.progress import draw_progress
from art_training.dashboard.parts.reading import Found, Reading
from art_training.dashboard.parts.states import badge
from art_training.dashboard.parts.tail import Tail
from art_training.errors import ARTError
from art_training.records import Finding, RunRecord, StepState
from art_training.views import Progress, RunRow, ScoreRow, run_of
from art_training.views.artifacts import ArtifactRow
from art_training.views.health import not_followed
from art_training.views.wording import duration, when


@dataclass(frozen=True)
class Head:
    """What the page says first."""

    run: RunRow
    summary: str
    stopped: str
    resumed: str
    seconds_before: float
    before: str

    @classmethod
    def of(cls, found: Found) -> "Head":
        """Without what changes with every point."""
        outcome = found.view.outcome
        told = (outcome.summary, outcome.stopped) if outcome else ("", "")
        record = found.view.record
        return cls(found.view.run, *told, record.resumed, record.seconds_before, found.before)


def register(desk: Desk) -> None:
    """Make `/run` known."""

    @ui.page("/run")
    async def run(run: Annotated[str, Query(alias="id")]) -> None:  # pyright: ignore[reportUnusedFunction]
        title, project, crumbs = await _place(desk, run)
        with frame(title, project=project, crumbs=crumbs):
            page = _Page(run, Look.asked(ui.context.client.request.query_params))
            reading = Reading(run)
            page.again = await follow(desk, lambda store: reading.read(store, page.gallery.look), page.show)


async def _place(desk: Desk, run: str) -> tuple[str, str, list[Crumb]]:
    """The title, the project, and the pages above; a run that there is not says so below."""
    crumbs = [Crumb("Projects", "/")]
    try:
        record = await desk.source.ask(lambda store: run_of(store, run))
    except ARTError:
        record = None
    if record is None:
        return "Run", "", crumbs
    crumbs += [
        Crumb(record.project, "/project", {"name": record.project}),
        Crumb(record.step, "/step", {"project": record.project, "step": record.step}),
    ]
    return f"{record.step}, run {record.id[-6:]}", record.project, crumbs


class _Page:
    """The sections; those that have nothing to show are not seen."""

    def __init__(self, run: str, look: Look) -> None:
        self.run = run
        self.again: Callable[[], Awaitable[None]] | None = None
        self.boxes: dict[str, Element] = {}
        self.head = Part(_head, h("div"))
        self.progress = Part(_progress, h("div"))
        self.contents = Part(_contents, h("div"))
        self.parts = [(one, self._part(one)) for one in _WHY]
        with self._box("Learning curves"):
            self.gallery = Gallery(look, self._looked)
            self.numbers = Numbers()
        self.parts += [(_HEALTH, self._part(_HEALTH))]
        with self._box("Log"):
            self.tail = Tail()
        self.parts += [(one, self._part(one)) for one in _WHAT]

    def show(self, found: Found) -> None:
        """Show what has changed."""
        view = found.view
        running = view.run.state is StepState.RUNNING
        self.head.show(Head.of(found))
        self.progress.show(found.progress)
        for section, part in self.parts:
            row = section.row(found)
            self.boxes[section.title].set_visibility(row is not None)
            if row is not None:
                part.show(row)
        self.boxes["Learning curves"].set_visibility(bool(found.points) or running)
        empty = "No curve yet: the first points show up here by themselves." if running else ""
        self.gallery.show({"": found.points}, found.closer, empty)
        self.numbers.show(view.curves)
        self.boxes["Log"].set_visibility(bool(found.log.lines))
        self.tail.show(found.log)
        self.contents.show(tuple(title for title, box in self.boxes.items() if box.visible))

    def _part(self, section: "_Section") -> Part[Any]:
        with self._box(section.title):
            return Part(section.draw, h("div"))

    def _box(self, title: str) -> Element:
        """A section under its heading, not seen until it is filled."""
        made = h("section", "", "card", aria_label=title, id=_anchor(title))
        made.set_visibility(False)
        with made:
            h("h2", title)
        self.boxes[title] = made
        return made

    async def _looked(self, look: Look) -> None:
        tell_address("/run", {"id": self.run, **look.query})
        if self.again is not None:
            await self.again()


class _Section(NamedTuple):
    """One section of the page.

    Attributes:
        title: its heading.
        row: what it shows, of what was found; None where there is nothing.
        draw: draws that.
    """

    title: str
    row: Callable[[Found], Any]
    draw: Callable[[Any], None]


def _outcome(name: str) -> Callable[[Found], Any]:
    """A part of the outcome, where there is one and it is not empty."""

    def row(found: Found) -> Any:
        return getattr(found.view.outcome, name, None) or None

    return row


def _error_row(found: Found) -> tuple[str, str] | None:
    record = found.view.record
    return (record.error, record.traceback) if record.error else None


def _judged(found: Found) -> Judged | None:
    view = found.view
    ended = view.run.state is not StepState.RUNNING
    return Judged(view.checks, view.judgements) if ended and (view.judgements or not view.record.error) else None


def _findings(found: Found) -> tuple[str, tuple[Finding, ...]] | None:
    findings = found.view.outcome.findings if found.view.outcome else ()
    return (found.view.record.project, findings) if findings else None


def _health(found: Found) -> Told | None:
    health, curves = found.health, [curve.name for curve in found.view.curves]
    if not health.trainings and not health.layers:
        return None
    return Told(found.view.record.project, health, bool(curves), not_followed(health.layers, curves))


def _pictures(found: Found) -> tuple[str, tuple[ArtifactRow, ...]] | None:
    rows = tuple(row for row in found.files if row.shown == "picture" and row.kept)
    return (found.view.run.id, rows) if rows else None


def _files(found: Found) -> tuple[str, tuple[ArtifactRow, ...]] | None:
    return (found.view.run.id, found.files) if found.files else None


def _scores(found: Found) -> tuple[ScoreRow, ...] | None:
    return found.view.scores or None


def _setup(found: Found) -> Mapping[str, Any] | None:
    return found.view.record.parameters or None


def _origin(found: Found) -> RunRecord:
    return replace(found.view.record, heartbeat=None)  # which changes while nothing else does


def _error(raised: tuple[str, str]) -> None:
    error, traceback = raised
    h("p", error, "why is-bad")
    if traceback:
        with h("details"):
            h("summary", "Where")
            h("pre", traceback, "log", tabindex="0", role="region", aria_label="Traceback")


_WHY = (
    _Section("What it raised", _error_row, _error),
    _Section("Checks", _judged, draw_checks),
    _Section("Findings", _findings, draw_findings),
)
_HEALTH = _Section("Health", _health, draw_health)
_WHAT = (
    _Section("Scores", _scores, draw_scores),
    _Section("Candidates", _outcome("candidates"), draw_candidates),
    _Section("Pictures", _pictures, draw_pictures),
    _Section("Readings", _outcome("readings"), draw_readings),
    _Section("Parameters", _setup, draw_setup),
    _Section("Made with", _origin, draw_origin),
    _Section("Files", _files, draw_files),
)


def _head(head: Head) -> None:
    run = head.run
    with h("div", "", "badges"):
        badge(run.state)
        facts(
            [
                ("started", when(run.started)),
                ("took", duration(run.seconds)),
                ("of it before it was broken off", duration(head.seconds_before or None)),
                ("run", run.id),
                ("class", run.kind if run.kind != run.step else ""),
            ]
        )
    if head.summary:
        h("p", head.summary, "prose")
    if head.stopped:
        h("p", f"Stopped early: {head.stopped}.", "why")
    if head.resumed:
        with h("p", "", "small"):
            h("span", "It went on from ")
            link(head.resumed, "/run", query={"id": head.resumed})
    if head.before:
        told = "compare it with the run before"
        h("a", told, "small", href=f"/compare?{urlencode([('run', head.before), ('run', run.id)])}")


def _progress(progress: Progress | None) -> None:
    if progress is not None:
        draw_progress(progress)


def _contents(titles: tuple[str, ...]) -> None:
    """Where to find what, as the page is long."""
    with h("nav", "", "contents", aria_label="On this page"), h("ul"):
        for title in titles:
            with h("li"):
                h("a", title, href=f"#{_anchor(title)}")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
