"""The runs of a step, or of a whole project: as a table, as points, as lines; what is picked is compared."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from art_training.dashboard.parts.asked import LOOKS, Asked
from art_training.dashboard.parts.asking import tell
from art_training.dashboard.parts.cells import heads, line, shown_columns
from art_training.dashboard.parts.counts import Counts
from art_training.dashboard.parts.drawing import Drawing, picture_of, with_axes
from art_training.dashboard.parts.frame import Crumb, Desk, follow, frame
from art_training.dashboard.parts.grid import Grid
from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.live import Part
from art_training.dashboard.parts.pager import Pager
from art_training.dashboard.parts.sieve import Sieve
from art_training.dashboard.parts.states import badge
from art_training.records.counted import counted
from art_training.stores import Store
from art_training.views.compared import FEWEST, MOST
from art_training.views.planned import planned_of
from art_training.views.purposes import purpose_of
from art_training.views.scatter import ScatterView
from art_training.views.seen import Seen
from art_training.views.status import StepStatus, status_of
from art_training.views.table import Column, TableView, table_of


def register(desk: Desk) -> None:
    """Make `/step` known."""

    @ui.page("/step")
    async def step(request: Request) -> None:
        asked = Asked.read(request.query_params.multi_items())
        crumbs = [Crumb("Projects", "/"), Crumb(asked.project, "/project", {"name": asked.project})]
        title = asked.step or f"Runs of {asked.project}"
        with frame(title, project=asked.project, at="/step", crumbs=crumbs):
            await _Runs(asked).open(desk)


class _Head(NamedTuple):
    """Where the step stands; None of one that the project does not have now."""

    step: StepStatus | None


@dataclass(frozen=True)
class _Seen:
    """What a view answered, and what it was asked; without a head where that one is as it was."""

    asked: Asked
    head: _Head | None
    table: TableView
    picture: ScatterView | None = None


@dataclass(eq=False)
class _Runs:
    """The page: what it asks for now, and the parts that show the answer."""

    asked: Asked
    columns: tuple[Column, ...] = ()
    opened: bool = False
    drawing: Drawing | None = None
    _step: StepStatus | None = None
    _narrowed: bool = False
    _read: Seen = field(default_factory=Seen)
    _again: Callable[[], Awaitable[None]] | None = field(default=None)

    async def open(self, desk: Desk) -> None:
        """Fill the page, and keep it true."""
        self._again = await follow(desk, self._question, self._show)

    def _lay_out(self) -> None:
        self.opened = True
        self.head = Part(_draw_step, h("div"))
        self.nothing = Part(_draw_nothing, h("div"))
        with h("div") as self.all:
            self._lay_out_runs()

    def _lay_out_runs(self) -> None:
        self.sieve = Sieve(self.asked, self.change)
        self.counts = Counts(self._enter)
        with h("div", "", "actions"):
            self.looks = _looks(self._drawn_as)
            self.picked = Part(self._draw_picked, h("div", "", "actions", role="status"))
        with h("div") as self.table:
            self.pager = Pager(self._to_page)
            with h("div", "", "card"):
                self.grid = Grid("Runs", picking=True)
            self.grid.on_arrange(self._arrange)
            self.grid.on_pick(self._pick)
        self.picture = h("div")

    async def change(self, **changes: Any) -> None:
        """Ask for something else, and let the address say so."""
        await self._ask(self.asked.but(**changes), turned=set(changes) != {"search"})

    async def _ask(self, asked: Asked, *, turned: bool) -> None:
        self.asked, self._narrowed = asked, True
        tell(asked.address, turned=turned)
        if self._again is not None:
            await self._again()

    def _question(self, store: Store) -> _Seen:
        asked = self.asked
        narrowed, self._narrowed = self._narrowed, False
        head = (
            None if narrowed else self._head(store, asked)
        )  # a reader who narrows the runs changes nothing of the step
        if asked.look == "table":
            return _Seen(asked, head, table_of(store, asked.query()))
        table = table_of(store, replace(asked.query(), size=1, page=0))
        return _Seen(asked, head, table, picture_of(store, with_axes(asked, table.columns)))

    def _head(self, store: Store, asked: Asked) -> _Head:
        if not asked.step:
            return _Head(None)
        status = status_of(store, asked.project, planned_of(store, asked.project), seen=self._read)
        return _Head(next((one for one in status.steps if one.step == asked.step), None))

    def _show(self, seen: _Seen) -> None:
        if not self.opened:
            self._lay_out()
        if seen.head is not None:
            self._step = seen.head.step
            self.head.show(self._step)
        if seen.asked != self.asked:  # the reader was quicker than the store; the answer to the newer question comes
            return
        asked, table = seen.asked, seen.table
        kept = max(column.runs for column in table.columns)
        self.nothing.show("" if kept else _nothing(asked, self._step))
        self.all.set_visibility(kept > 0)
        self.columns = shown_columns(table.columns, asked.column)
        self.sieve.show(asked, table, [column.key for column in self.columns])
        self.counts.show(table)
        for look, button in self.looks.items():
            button.props["aria-pressed"] = str(look == asked.look).lower()
        self.picked.show(asked.run)
        self.table.set_visibility(seen.picture is None)
        self.picture.set_visibility(seen.picture is not None)
        if seen.picture is None:
            self._show_table(asked, table)
        else:
            self._show_picture(asked, table, seen.picture)

    def _show_table(self, asked: Asked, table: TableView) -> None:
        head = heads(self.columns, asked.sort, ascending=bool(asked.up))
        self.grid.show(head, [line(row, self.columns) for row in table.rows], asked.run)
        self.pager.show(asked.page, asked.rows, table.total)

    def _show_picture(self, asked: Asked, table: TableView, picture: ScatterView) -> None:
        if self.drawing is None:  # not before: what it is drawn with is half a megabyte for the browser
            with self.picture:
                self.drawing = Drawing(self.change, self._toggle)
        self.drawing.show(with_axes(asked, table.columns), table.columns, picture)

    def _draw_picked(self, runs: tuple[str, ...]) -> None:
        if not runs:
            h("span", "Tick two to ten runs to compare them.", "soft small")
            return
        if FEWEST <= len(runs) <= MOST:
            h(
                "a",
                f"Compare {len(runs)} runs",
                "button strong",
                href=f"/compare?{urlencode([('run', run) for run in runs])}",
            )
        else:
            h("span", f"{counted(len(runs), 'run')} ticked; {FEWEST} to {MOST} can be compared.")
        h("button", "Untick all", "button", type="button").on("click", self._untick)

    async def _untick(self) -> None:
        await self._ask(replace(self.asked, run=()), turned=False)

    async def _to_page(self, page: int) -> None:
        await self.change(page=page)

    async def _drawn_as(self, look: str) -> None:
        await self.change(look=look)

    async def _enter(self, where: str) -> None:
        await self.change(where=tuple(dict.fromkeys([*self.asked.where, where])), group="")

    async def _arrange(self, place: int) -> None:
        if 1 <= place <= len(self.columns):
            await self._ask(self.asked.sorted_by(self.columns[place - 1].key), turned=True)

    async def _pick(self, run: str, picked: bool) -> None:
        await self._ask(self.asked.with_picked(run, picked), turned=False)

    async def _toggle(self, run: str) -> None:
        await self._ask(self.asked.with_picked(run, run not in self.asked.run), turned=False)


def _looks(choose: Callable[[str], Awaitable[None]]) -> dict[str, Element]:
    """Buttons for what the runs are drawn as."""
    buttons: dict[str, Element] = {}
    with h("div", "", "looks", role="group", aria_label="Drawn as"):
        for look in LOOKS:
            button = h("button", look.capitalize(), "button", type="button")
            buttons[look] = button.on("click", partial(choose, look))
    return buttons


def _draw_step(step: StepStatus | None) -> None:
    """What the step asks, and where it stands now."""
    if step is None:
        return
    if purpose := purpose_of(step.kind):
        h("p", purpose, "prose")
    with h("div", "", "badges"):
        badge(step.state, "stale" if step.stale else "")
        if step.run:
            link("the run that counts", "/run", "small", query={"id": step.run})
    if step.summary and not step.waits_for:
        h("p", step.summary, "prose soft small")
    for reason in step.reasons:
        h("p", reason, "why")


def _nothing(asked: Asked, step: StepStatus | None) -> str:
    told = f"No run of {asked.step or asked.project} is kept yet."
    if step is not None and step.waits_for:
        return f"{told} It waits for {step.waits_for}: that one comes first."
    return f"{told} Type `art run` in the project's folder; it will show up here."


def _draw_nothing(told: str) -> None:
    if told:
        h("p", told, "card call")
