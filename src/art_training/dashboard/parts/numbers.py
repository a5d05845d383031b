"""Curves in a few numbers each, behind a line that opens: what nobody looks at is not drawn again with each point."""

from dataclasses import dataclass

from nicegui.events import GenericEventArguments

from art_training.checks.values import number
from art_training.dashboard.parts.html import h, table
from art_training.dashboard.parts.live import Part
from art_training.views import CurveRow

_OPENED = "(event) => emit(event.target.open)"


@dataclass(eq=False)
class Numbers:
    """The table, in the element that is open."""

    _curves: tuple[CurveRow, ...] = ()
    _open: bool = False

    def __post_init__(self) -> None:
        with h("details") as self._element:
            h("summary", "In numbers")
            self._table = Part(_draw, h("div"))
        self._element.on("toggle", self._toggled, js_handler=_OPENED)

    def show(self, curves: tuple[CurveRow, ...]) -> None:
        """Show these, once somebody looks."""
        self._curves = curves
        self._element.set_visibility(bool(curves))
        if self._open:
            self._table.show(curves)

    def _toggled(self, event: GenericEventArguments) -> None:
        self._open = event.args is True
        self.show(self._curves)


def _draw(curves: tuple[CurveRow, ...]) -> None:
    rows = [
        (row.name, f"{row.points:,}", *map(_number, (row.first, row.last, row.lowest, row.highest))) for row in curves
    ]
    head = ("curve", "points", "first", "last", "lowest", "highest")
    table(head, rows, caption="Curves in numbers", numbers=[1, 2, 3, 4, 5])


def _number(value: float | None) -> str:
    return "" if value is None else number(value)
