"""What every page stands in: the bar with the project's pages, where one is, and what to do when nothing can be shown."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from nicegui import Client, ui

from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.live import Part
from art_training.dashboard.pulse import Pulse
from art_training.dashboard.source import Source
from art_training.errors import ARTError, UsageError
from art_training.stores import Store
from art_training.views.visible import spelled

Rows = TypeVar("Rows")

_PAGES = {"/project": "Project", "/step": "Runs", "/data": "Data", "/tune": "Tune", "/findings": "Findings"}
_PATIENCE = 1.0  # seconds: after them the page is sent as it is, and filled when the store has answered
_THEME = "art_theme"
_TOGGLE = f"document.cookie = '{_THEME}=%s; path=/; max-age=31536000; samesite=lax'"


@dataclass(frozen=True)
class Desk:
    """What pages work with.

    Attributes:
        source: the store.
        pulse: tells that it has changed.
    """

    source: Source
    pulse: Pulse


class _Trouble(NamedTuple):
    """Why a page has no rows.

    Attributes:
        told: in a sentence.
        hides: whether what it showed until now is no longer known to be so; else a reader may take back what was asked.
    """

    told: str
    hides: bool


class Crumb(NamedTuple):
    """A page above this one."""

    text: str
    path: str
    query: dict[str, str] | None = None


@contextmanager
def frame(title: str, *, project: str = "", at: str = "", crumbs: Sequence[Crumb] = ()) -> Generator[None]:
    """The page around its content.

    Args:
        title: its heading, and the window's.
        project: whose page it is; empty where it is of none.
        at: the path of the page in the bar.
        crumbs: the pages above it.
    """
    ui.add_head_html('<link rel="stylesheet" href="/static/art.css"><script src="/static/address.js"></script>')
    ui.page_title(spelled(f"{title} - ART"))
    with ui.header(fixed=False, wrap=False).classes("top"):  # beside Quasar's <main>, in which the rest stands
        h("a", "To the content", "skip", href="#content")
        with h("a", "", "brand", href="/"):
            h("img", src="/static/favicon.svg", alt="")
            h("span", "ART")
        if project:
            with h("nav", aria_label="Project"), h("ul"):
                for path, text in _PAGES.items():
                    with h("li"):
                        here = {"aria_current": "page"} if path == at else {}
                        link(text, path, query={"name": project}, **here)
        with h("div", "", "end"):
            link("Rules", "/rules", query={"name": project} if project else None)
            _theme()
    with h("div", "", "page", id="content", tabindex="-1"):
        if crumbs:
            with h("nav", "", "crumbs", aria_label="Where this is"), h("ol"):
                for crumb in crumbs:
                    with h("li"):
                        link(crumb.text, crumb.path, query=crumb.query)
        h("h1", title)
        yield


async def follow(
    desk: Desk, question: Callable[[Store], Rows], show: Callable[[Rows], None]
) -> Callable[[], Awaitable[None]]:
    """Show what a view answers, now and whenever the store has changed, for as long as the page is open.

    Where the store is gone or cannot be read the page says so, and shows nothing of what it knew.

    Args:
        desk: the store.
        question: a view.
        show: draws its rows; where they are drawn already it leaves them.

    Returns:
        What asks again, for a page that asks for something else now.
    """
    client = ui.context.client
    notice = Part(_notice, h("div", "", "notice", role="status"))
    inside = h("div")
    page = ui.context.slot.parent

    async def read() -> Rows | _Trouble:
        try:
            rows = await desk.source.ask(question)
        except ARTError as error:
            return _Trouble(f"This cannot be shown: {error}", hides=not isinstance(error, UsageError))
        missing = f"There is no store at {desk.source.place} yet. Type `art run`; what it does will show up here."
        return _Trouble(missing, hides=True) if rows is None else rows

    def draw(answer: Rows | _Trouble) -> None:
        trouble = answer if isinstance(answer, _Trouble) else None
        notice.show(trouble.told if trouble else "")
        page.classes(**{"add" if trouble and trouble.hides else "remove": "untold"})
        if not isinstance(answer, _Trouble):
            with inside:
                show(answer)

    async def refresh() -> None:
        answer = await read()
        if not client.is_deleted:  # closed in the meantime
            draw(answer)

    async def join() -> None:
        desk.pulse.listen(client.id, refresh)
        await refresh()

    reading = asyncio.create_task(read())
    await asyncio.wait({reading}, timeout=_PATIENCE)
    draw(reading.result() if reading.done() else _Trouble("Reading the store ...", hides=False))
    client.on_connect(join)  # what changes between the page and its connection would reach nobody
    client.on_delete(lambda: desk.pulse.leave(client.id))
    return refresh


def _notice(text: str) -> None:
    if text:
        h("p", text, "card call")


def _theme() -> None:
    """Light, dark, or as the system has it; the browser remembers which."""
    kept = {"dark": True, "light": False}.get(_request_cookie(ui.context.client))
    dark = ui.dark_mode(kept)
    name = {True: "dark", False: "light", None: "as the system"}
    button = h("button", f"Theme: {name[kept]}", "button", type="button")

    def change() -> None:
        dark.value = {None: True, True: False, False: None}[dark.value]
        button.text = f"Theme: {name[dark.value]}"
        ui.run_javascript(_TOGGLE % {True: "dark", False: "light", None: "system"}[dark.value])

    button.on("click", change)


def _request_cookie(client: Client) -> str:
    return client.request.cookies.get(_THEME, "")
