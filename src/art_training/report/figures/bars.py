"""Counts by class, each split as a bar beside the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from art_training.report.figures.scale import Scale, scale_of, tick_text
from art_training.report.figures.svg import Box, fitting, label, line, picture, tag

_WIDTH, _HEIGHT = 640.0, 210.0
_FRAME = Box(52, 26, 576, 130)


@dataclass(frozen=True)
class Bars:
    """The counts of one split, in the order of the classes."""

    name: str
    counts: Sequence[float]
    look: str


def bars(classes: Sequence[str], groups: Sequence[Bars], told: str, *, axis: str = "class") -> Markup:
    """One group of bars a class, from 0.

    Args:
        classes: their names, from left to right.
        groups: as long as `classes` each.
        told: what is to be seen, in words.
        axis: what the names are of.
    """
    up = scale_of([0.0, *(count for one in groups for count in one.counts)], _FRAME.bottom, _FRAME.top)
    up = Scale(0.0, up.high, up.begin, up.end)
    return picture(
        _WIDTH,
        _HEIGHT,
        told,
        *_axes(classes, up, axis),
        *(part for place, one in enumerate(groups) for part in _drawn(one, place, len(groups), len(classes), up)),
        *_legend(groups),
    )


def _axes(classes: Sequence[str], up: Scale, axis: str) -> Iterator[Markup]:
    for value in up.ticks(4):
        yield line(_FRAME.left, up.at(value), _FRAME.right, up.at(value), "grid")
        yield label(_FRAME.left - 6, up.at(value) + 4, tick_text(value), anchor="end", look="tick")
    room = _FRAME.width / max(1, len(classes))
    every = max(1, -(-len(classes) // 24))
    for place, name in list(enumerate(classes))[::every]:
        x = _FRAME.left + (place + 0.5) * room
        yield label(x, _FRAME.bottom + 16, fitting(name, room * every), anchor="middle", look="tick")
    yield line(_FRAME.left, _FRAME.bottom, _FRAME.right, _FRAME.bottom, "axis")
    yield label((_FRAME.left + _FRAME.right) / 2, _FRAME.bottom + 34, axis, anchor="middle", look="axis-name")


def _drawn(one: Bars, place: int, groups: int, classes: int, up: Scale) -> Iterator[Markup]:
    room = _FRAME.width / max(1, classes)
    wide = room * 0.78 / groups
    for at, count in enumerate(one.counts):
        x = _FRAME.left + at * room + room * 0.11 + place * wide
        y = up.at(count)
        yield tag("rect", x=x, y=y, width=max(0.5, wide - 0.6), height=_FRAME.bottom - y, class_=f"bar {one.look}")


def _legend(groups: Sequence[Bars]) -> Iterator[Markup]:
    for place, one in enumerate(groups):
        x = _FRAME.left + place * 130
        yield tag("rect", x=x, y=7, width=12, height=10, class_=f"bar {one.look}")
        yield label(x + 18, 16, fitting(one.name, 108), look="legend")
