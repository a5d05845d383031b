"""Two to ten runs beside each other: what came out, what tells them apart, and their curves in one picture."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from art_training.dashboard.parts.asking import tell
from art_training.dashboard.parts.beside import (
    Cell,
    beside,
    draw_checks,
    draw_files,
    draw_scores,
    draw_sections,
    section,
    text_cell,
)
from art_training.dashboard.parts.curves import Look
from art_training.dashboard.parts.frame import Crumb, Desk, follow, frame
from art_training.dashboard.parts.gallery import Gallery
from art_training.dashboard.parts.growing import Growing
from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.live import Part
from art_training.dashboard.parts.states import badge
from art_training.errors import ARTError
from art_training.stores import Store
from art_training.views import PointsRow, RunRow, run_of
from art_training.views.compared import FEWEST, ComparedSection, ComparedView, compared_of
from art_training.views.rows import short
from art_training.views.showing import curve_rows
from art_training.views.wording import duration, when


def register(desk: Desk) -> None:
    """Make `/compare` known."""

    @ui.page("/compare")
    async def compare(request: Request) -> None:  # pyright: ignore[reportUnusedFunction]
        runs = tuple(dict.fromkeys(request.query_params.getlist("run")))
        project, crumbs = await _place(desk, runs)
        with frame("Compare runs", project=project, crumbs=crumbs):
            await _Comparison(runs, Look.asked(request.query_params)).open(desk)


_Differences = tuple[tuple[ComparedSection, ...], int, tuple[str, ...]]


async def _place(desk: Desk, runs: Sequence[str]) -> tuple[str, list[Crumb]]:
    """The project of the first run, and the pages above; where there is none, the page says so itself."""
    crumbs = [Crumb("Projects", "/")]
    try:
        first = await desk.source.ask(lambda store: run_of(store, runs[0])) if runs else None
    except ARTError:
        first = None
    if first is None:
        return "", crumbs
    project = first.project
    return project, [
        *crumbs,
        Crumb(project, "/project", {"name": project}),
        Crumb("Runs", "/step", {"project": project}),
    ]


@dataclass(frozen=True)
class _Found:
    """What the page shows."""

    view: ComparedView
    curves: Mapping[str, Sequence[PointsRow]]
    closer: Mapping[tuple[str, str], PointsRow]


@dataclass(eq=False)
class _Comparison:
    """The page: which runs, how their curves are looked at, and the parts that show them."""

    runs: tuple[str, ...]
    look: Look
    opened: bool = False
    _growing: dict[str, Growing] = field(default_factory=dict[str, Growing])
    _again: Callable[[], Awaitable[None]] | None = None

    async def open(self, desk: Desk) -> None:
        """Fill the page, and keep it true."""
        self._again = await follow(desk, self._question, self._show)

    def _question(self, store: Store) -> _Found:
        view = compared_of(store, [run_of(store, run) for run in self.runs], names=())
        curves: dict[str, Sequence[PointsRow]] = {}
        closer: dict[tuple[str, str], PointsRow] = {}
        for head, run in zip(heads_of(view.runs), self.runs, strict=True):
            growing = self._growing.setdefault(run, Growing(run))
            curves[head] = growing.read(store, curve_rows(store, run))
            closer |= {(head, name): row for (_, name), row in growing.closer(store, self.look).items()}
        return _Found(view, curves, closer)

    def _show(self, found: _Found) -> None:
        if not self.opened:
            self._lay_out()
        view, heads = found.view, heads_of(found.view.runs)
        self.head.show((view.runs, view.commits))
        _fill(self.scores, (view.scores, heads), there=bool(view.scores))
        self.gallery.show(found.curves, found.closer, "None of these runs has a curve.")
        self.differences.show((view.sections, view.shared, heads))
        _fill(self.checks, (view.checks, heads), there=bool(view.checks))
        _fill(self.files, (view.files, heads), there=bool(view.files))

    def _lay_out(self) -> None:
        self.opened = True
        with section("Runs"):
            self.head = Part[tuple[tuple[RunRow, ...], tuple[str, ...]]](lambda row: _draw_runs(*row), h("div"))
        self.scores = _card("Scores", lambda row: draw_scores(*row))
        with section("What tells them apart"):
            self.differences = Part[_Differences](lambda row: draw_sections(*row), h("div"))
        self.checks = _card("Checks", lambda row: draw_checks(*row))
        self.files = _card("Uncommitted changes that differ", lambda row: draw_files(*row))
        with section("Curves"):
            self.gallery = Gallery(self.look, self._looked)

    async def _looked(self, look: Look) -> None:
        closer = look.is_zoomed and (look.first, look.last) != (self.look.first, self.look.last)
        self.look = look
        tell(address(self.runs, look))
        if closer and self._again is not None:
            await self._again()


def address(runs: Sequence[str], look: Look) -> str:
    """Where these runs are compared, looked at so."""
    return f"/compare?{urlencode([*(('run', run) for run in runs), *look.query.items()])}"


def heads_of(runs: Sequence[RunRow]) -> tuple[str, ...]:
    """What each run is called above its column: as short as tells it from the others."""
    steps = {run.step for run in runs}
    named = tuple(short(run.id) if len(steps) == 1 else f"{run.step} {short(run.id)}" for run in runs)
    return named if len({*named}) == len(named) else tuple(run.id for run in runs)


def _card(title: str, draw: Callable[[Any], None]) -> tuple[Element, Part[Any]]:
    """A section that is seen only where it has something to show."""
    with section(title) as made:
        part = Part(draw, h("div"))
    return made, part


def _fill(card: tuple[Element, Part[Any]], row: object, *, there: bool) -> None:
    made, part = card
    made.set_visibility(there)
    if there:
        part.show(row)


def _draw_runs(runs: tuple[RunRow, ...], commits: tuple[str, ...]) -> None:
    ids = [run.id for run in runs]

    def leaving(run: str) -> Cell:
        rest = [one for one in ids if one != run]
        if len(rest) < FEWEST:
            return text_cell(None)
        return lambda: h("a", "leave out", href=address(rest, Look()), aria_label=f"leave {short(run)} out")

    rows: list[tuple[str, Sequence[Cell]]] = [
        ("state", [_state(run) for run in runs]),
        ("step", [_step(run) for run in runs]),
        ("started", [text_cell(when(run.started)) for run in runs]),
        ("took", [text_cell(duration(run.seconds)) for run in runs]),
        ("commit", [text_cell(commit[:12]) for commit in commits]),
        ("page", [_opening(run) for run in runs]),
        ("comparison", [leaving(run) for run in ids]),
    ]
    idle = ("comparison" if len(ids) == FEWEST else "", "" if any(commits) else "commit")
    beside("Runs", "", heads_of(runs), [row for row in rows if row[0] not in idle])


def _state(run: RunRow) -> Cell:
    return lambda: badge(run.state)


def _step(run: RunRow) -> Cell:
    return lambda: link(run.step, "/step", query={"project": run.project, "step": run.step})


def _opening(run: RunRow) -> Cell:
    return lambda: link("open", "/run", query={"id": run.id}, aria_label=f"open run {short(run.id)}")
