"""Runs as points of two axes, or as lines over several; a click ticks one."""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui.element import Element
from nicegui.elements.echart import EChart

from art_training.checks.values import number
from art_training.dashboard.parts.asked import Look
from art_training.dashboard.parts.states import sign_and_look
from art_training.records import StepState
from art_training.records.counted import counted
from art_training.stores.fields import Cell, is_number, written
from art_training.views.rows import short
from art_training.views.scatter import Axis, ScatterView
from art_training.views.visible import legible, spelled

_STATES = list(StepState)
_GAPS = {(False, False): "", (True, False): "none", (False, True): "not finite", (True, True): "no number"}


class Cloud(Element, component="cloud.js"):
    """The picture.

    Args:
        pick: is called with the run that is clicked.
    """

    needs = EChart  # which brings what the picture is drawn with

    def __init__(self, pick: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._shown: tuple[object, ...] = ()
        self.props.update(shape="points", told="", axes=[], runs=[], names=[], values=[], levels=[], colours=[])
        self.props.update(scale=None, picked=[])
        self.on("pick", lambda event: pick(str(event.args)))

    def show(self, shape: Look, view: ScatterView, *, colour: bool, picked: Sequence[str]) -> None:
        """Draw these runs.

        Args:
            shape: `points` or `lines`.
            view: of its axes, the last one only colours where `colour` says so.
            colour: whether it does; else their states colour the runs.
            picked: runs that are ticked.
        """
        if self._shown == (shape, view, colour, tuple(picked)):
            return
        self._shown = (shape, view, colour, tuple(picked))
        axes = view.axes[:-1] if colour else view.axes
        self.props.update(
            shape=shape,
            told=spelled(_told(axes, view)),
            axes=[legible(_sent(axis, place, view)) for place, axis in enumerate(axes)],
            runs=[line.run for line in view.lines],
            names=[f"{short(line.run)}, {line.state.value}" for line in view.lines],
            values=[_places(line.values, axes) for line in view.lines],
            picked=list(picked),
            **legible(_by_value(view) if colour else _by_state(view)),
        )


def _sent(axis: Axis, place: int, view: ScatterView) -> dict[str, Any]:
    """An axis as the browser draws it; `gap` says what those have who have no place on it, empty where all have one."""
    values = [line.values[place] for line in view.lines]
    missing = any(value is None for value in values)
    endless = any(value is not None and _place(value, axis) is None for value in values)
    return {
        "name": axis.name,
        "levels": list(axis.levels),
        "logarithmic": axis.logarithmic,
        "low": axis.lowest,
        "high": axis.highest,
        "gap": _GAPS[missing, endless],
    }


def _by_state(view: ScatterView) -> dict[str, Any]:
    return {
        "scale": None,
        "levels": [{"name": state.value, "look": sign_and_look(state)[1]} for state in _STATES],
        "colours": [_STATES.index(line.state) for line in view.lines],
    }


def _by_value(view: ScatterView) -> dict[str, Any]:
    axis = view.axes[-1]
    places = [_place(line.values[-1], axis) for line in view.lines]
    if axis.levels:
        return {"scale": None, "levels": [{"name": name, "look": ""} for name in axis.levels], "colours": places}
    low, high = axis.lowest or 0.0, axis.highest or 0.0
    texts = [f"{axis.name} {number(low)}", f"{axis.name} {number(high)}"]
    if axis.logarithmic:
        low, high = math.log10(low), math.log10(high)
        places = [None if place is None else math.log10(place) for place in places]
    return {"scale": {"low": low, "high": high, "texts": texts}, "levels": [], "colours": places}


def _places(values: Sequence[Cell], axes: Sequence[Axis]) -> list[float | None]:
    return [_place(value, axis) for value, axis in zip(values, axes, strict=False)]


def _place(value: Cell, axis: Axis) -> float | None:
    """A value on its axis: a number, or the place of a level; None where it cannot be drawn."""
    if value is None:
        return None
    if axis.levels:
        return axis.levels.index(written(value))
    return value if isinstance(value, int | float) and is_number(value) and math.isfinite(value) else None


def _told(axes: Sequence[Axis], view: ScatterView) -> str:
    """The picture in a sentence, for those who do not see it; the table has its numbers."""
    return f"{counted(f'{len(view.lines):,}', 'run')}: {', '.join(_reach(axis) for axis in axes)}"


def _reach(axis: Axis) -> str:
    if axis.lowest is None or axis.highest is None:
        return axis.name
    return f"{axis.name} from {number(axis.lowest)} to {number(axis.highest)}"
