"""The runs that are asked for as a picture: which axes it has, and what it leaves out."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from art_training.dashboard.parts.asked import Asked
from art_training.dashboard.parts.cells import options_of, telling_parameters, telling_scores
from art_training.dashboard.parts.choice import Choice
from art_training.dashboard.parts.cloud import Cloud
from art_training.dashboard.parts.html import h
from art_training.dashboard.parts.sieve import Change
from art_training.records.counted import counted
from art_training.stores import Store
from art_training.views.scatter import MOST_AXES, ScatterView, parallel_of, scatter_of
from art_training.views.table import Column

_STATE = "state"
_AXES = 7  # of parameters, where none are asked for


def with_axes(asked: Asked, columns: Sequence[Column]) -> Asked:
    """The same with the axes and the colour that tell most, where none are asked for."""
    varied = telling_parameters(columns)
    scores = [column.key for column in telling_scores(columns)]
    across = max(varied, key=_decades, default=None)
    score = scores[0] if scores else "seconds"
    return replace(
        asked,
        x=asked.x or (across.key if across else "started"),
        y=asked.y or score,
        axis=asked.axis or (*([column.key for column in varied[:_AXES]] or ["started"]), score),
        color=asked.color or (score if asked.look == "lines" else _STATE),
    )


def picture_of(store: Store, asked: Asked) -> ScatterView:
    """What is drawn, with the axes that `with_axes` gave; the last one colours, where it is not the state that does."""
    color = "" if asked.color == _STATE else asked.color
    if asked.look == "lines":
        keys = asked.axis[: MOST_AXES - bool(color)]
        return parallel_of(store, asked.query(), (*keys, color) if color else keys)
    return scatter_of(store, asked.query(), asked.x, asked.y, color)


def _decades(column: Column) -> float:
    """How far apart its numbers lie: what was searched over decades is looked at first."""
    low, high = column.lowest, column.highest
    if low is None or high is None:
        return -1.0
    return math.log10(high / low) if low > 0 else 0.0


class Drawing:
    """The picture under its controls, in the element that is open.

    Args:
        change: is called with what is asked for.
        pick: is called with the run that is clicked.
    """

    def __init__(self, change: Change, pick: Callable[[str], Awaitable[None]]) -> None:
        self._change = change
        with h("div", "", "card"):
            with h("div", "", "sieve"):
                self._x = Choice("across", self._across)
                self._y = Choice("up", self._upwards)
                self._axes = Choice("Axes", self._crossing, several=True)
                self._color = Choice("colour", self._coloured)
            self._plot = Cloud(pick)
            self._note = h("p", "", "small soft", role="status")

    def show(self, asked: Asked, columns: Sequence[Column], view: ScatterView) -> None:
        """Draw it; `asked` has its axes."""
        options = options_of(columns)
        points = asked.look == "points"
        for choice, chosen in ((self._x, asked.x), (self._y, asked.y)):
            choice.show(options, [chosen])
            choice.set_visibility(points)
        self._axes.show(options, asked.axis)
        self._axes.set_visibility(not points)
        self._color.show(options, [asked.color])
        self._plot.show(asked.look, view, colour=asked.color != _STATE, picked=asked.run)
        self._note.text = _note(view, points=points)

    async def _across(self, keys: tuple[str, ...]) -> None:
        await self._change(x=keys[0])

    async def _upwards(self, keys: tuple[str, ...]) -> None:
        await self._change(y=keys[0])

    async def _crossing(self, keys: tuple[str, ...]) -> None:
        await self._change(axis=keys[:MOST_AXES])

    async def _coloured(self, keys: tuple[str, ...]) -> None:
        await self._change(color=keys[0])


def _note(view: ScatterView, *, points: bool) -> str:
    drawn = f"{len(view.lines):,}" if len(view.lines) == view.total else f"{len(view.lines):,} of {view.total:,}"
    told = [f"{counted(drawn, 'run')}; a click ticks one"]
    if view.sampled:
        told.append("a sample drawn at random")
    if view.incomplete:
        told.append(f"{view.incomplete:,} have no value here")
    gaps = 0 if points else sum(any(value is None for value in line.values) for line in view.lines)
    if gaps:
        told.append(f"{gaps:,} have no value on some axis, and pass it at its foot")
    return "; ".join(told)
