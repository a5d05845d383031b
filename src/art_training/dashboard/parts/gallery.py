"""The curves of a page, a picture a panel, looked at together: one scale, one smoothing, one part of the steps for all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from nicegui import events
from nicegui.element import Element

from art_training.dashboard.parts.curves import SMOOTHINGS, CurvePanel, Look, curve_panel, lines_of
from art_training.dashboard.parts.html import h
from art_training.views import PointsRow

_VALUE = "(event) => emit(event.target.value)"
_SCALES: Mapping[str, bool | None] = {"as values need": None, "log": True, "linear": False}
_SMOOTHINGS = {f"{share:g}" if share else "none": share for share in SMOOTHINGS}
Value = TypeVar("Value")


@dataclass(eq=False)
class Gallery:
    """Pictures of curves under one set of controls, in the element that is open.

    Attributes:
        look: how they are looked at.
        on_look: called when a visitor looks otherwise: to put it into the address, and to read more points.
    """

    look: Look
    on_look: Callable[[Look], Awaitable[None]]
    _panels: dict[str, CurvePanel] = field(default_factory=dict[str, CurvePanel])

    def __post_init__(self) -> None:
        self._empty = h("p", "", "soft")
        with h("div", "", "tools", role="group", aria_label="How the curves are looked at") as self._tools:
            _choice("scale", _SCALES, self.look.log, lambda log: self._set(log=log))
            _choice("smoothing", _SMOOTHINGS, self.look.smooth, lambda share: self._set(smooth=share))
            self._first = _step("from step", lambda step: self._set(first=step))
            self._last = _step("to step", lambda step: self._set(last=step))
            self._whole = h("button", "all steps", "button", type="button")
            self._whole.on("click", lambda: self._set(first=None, last=None))
            h("span", "A drag over a picture zooms in, a double click shows all.", "soft small")
        self._pictures = h("div", "", "pictures")
        self._match()

    def show(
        self, runs: Mapping[str, Sequence[PointsRow]], details: Mapping[tuple[str, str], PointsRow], empty: str
    ) -> None:
        """Show the curves of these runs, and nothing but what is new of them is sent.

        Args:
            runs: by what each is called; of one run alone, by an empty text.
            details: more points of some for the part that is shown, by run and name.
            empty: what is said where there are none.
        """
        pictures = lines_of(runs, details)
        self._empty.text = "" if pictures else empty
        self._tools.set_visibility(bool(pictures))
        for panel in [panel for panel in self._panels if panel not in pictures]:
            self._panels.pop(panel).element.delete()
        for panel, lines in pictures.items():
            if panel not in self._panels:
                with self._pictures:
                    self._panels[panel] = curve_panel(panel, self.look, self._zoom, self._pick)
            self._panels[panel].show(lines)
        for at, panel in enumerate(pictures):
            element = self._panels[panel].element
            if self._pictures.default_slot.children[at] is not element:
                element.move(self._pictures, at)

    async def _zoom(self, first: int | None, last: int | None) -> None:
        await self._set(first=first, last=last)

    async def _pick(self, hide: tuple[str, ...], also: tuple[str, ...]) -> None:
        await self._set(hide=hide, also=also)

    async def _set(self, **changed: Any) -> None:
        look = replace(self.look, **changed)
        if look.first is not None and look.last is not None and look.first >= look.last:
            return  # half typed, or nothing to see
        if look == self.look:
            return
        self.look = look
        for panel in self._panels.values():
            panel.look_so(look)
        self._match()
        await self.on_look(look)

    def _match(self) -> None:
        """The controls say what is shown."""
        for element, step in ((self._first, self.look.first), (self._last, self.look.last)):
            element.props["value"] = "" if step is None else str(step)
        self._whole.props["disabled"] = not self.look.is_zoomed


def _choice(text: str, offered: Mapping[str, Value], chosen: Value, choose: Callable[[Value], Awaitable[None]]) -> None:
    with h("label"):
        h("span", text)
        with h("select") as made:
            for name, value in offered.items():
                option = h("option", name, value=name)
                if value is chosen or value == chosen:
                    option.props["selected"] = True

    async def take(event: events.GenericEventArguments) -> None:
        if event.args in offered:
            await choose(offered[event.args])

    made.on("change", take, js_handler=_VALUE)


def _step(text: str, chosen: Callable[[int | None], Awaitable[None]]) -> Element:
    with h("label"):
        h("span", text)
        made = h("input", "", "step-number", type="number", min="0", step="1", inputmode="numeric")

    async def take(event: events.GenericEventArguments) -> None:
        text = str(event.args)
        await chosen(int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None)

    made.on("change", take, js_handler=_VALUE)
    return made
