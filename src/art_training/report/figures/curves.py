"""Learning curves: what was measured over the steps of a training, train and validation in one frame."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from art_training.report.figures.scale import Scale, scale_of, tick_text
from art_training.report.figures.svg import Box, fitting, label, line, picture, tag

_WIDTH, _HEIGHT = 640.0, 240.0
_FRAME = Box(58, 26, 566, 170)


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: what it is.
        steps: optimiser steps, ascending.
        values: one a step; NaN and infinity are gaps.
        look: the class that gives it its colour: `train`, `validation`, or `other1` to `other6`; with `faint` behind it for what
            stands behind the others.
        drawn: points at most, evenly thinned; the lowest and highest of each stretch stay.
    """

    name: str
    steps: Sequence[int]
    values: Sequence[float]
    look: str
    drawn: int = 240


def curves(lines: Sequence[Line], told: str, *, unit: str = "optimiser steps", small: bool = False) -> Markup:
    """The lines over their steps, with a legend above; the vertical axis is logarithmic where numbers span decades.

    Args:
        lines: at least one.
        told: what is to be seen, in words.
        unit: what is counted along the horizontal axis.
        small: half as wide, as one of several.
    """
    frame = Box(52, 26, 254, 130) if small else _FRAME
    width, height = (316.0, 196.0) if small else (_WIDTH, _HEIGHT)
    values = [value for one in lines for value in one.values]
    steps = [float(step) for one in lines for step in one.steps] or [0.0]
    across = Scale(min(steps), max(*steps, min(steps) + 1), frame.left, frame.right)
    up = scale_of(values, frame.bottom, frame.top, logarithmic=None)
    return picture(
        width,
        height,
        told,
        *_axes(frame, across, up, unit),
        *(part for one in lines for part in _drawn(one, across, up)),
        *_legend(lines, frame),
    )


def gaps(line_: Line) -> int:
    """How many values cannot be drawn: NaN and infinity."""
    return sum(not math.isfinite(value) for value in line_.values)


def _axes(frame: Box, across: Scale, up: Scale, unit: str) -> Iterator[Markup]:
    for value in up.ticks():
        y = up.at(value)
        yield line(frame.left, y, frame.right, y, "grid")
        yield label(frame.left - 6, y + 4, tick_text(value), anchor="end", look="tick")
    for value in across.ticks(4 if frame.width < 300 else 6):
        if value == int(value):
            yield label(across.at(value), frame.bottom + 16, tick_text(value), anchor="middle", look="tick")
    yield line(frame.left, frame.bottom, frame.right, frame.bottom, "axis")
    logs = ", logarithmic upwards" if up.logarithmic else ""
    yield label((frame.left + frame.right) / 2, frame.bottom + 32, f"{unit}{logs}", anchor="middle", look="axis-name")


def _drawn(one: Line, across: Scale, up: Scale) -> Iterator[Markup]:
    """The stretches between gaps; a value between two gaps is a dot."""
    stretch: list[tuple[float, float]] = []
    for step, value in (*_thinned(one), (0, math.nan)):
        usable = math.isfinite(value) and not (up.logarithmic and value <= 0)
        if usable:
            stretch.append((across.at(step), up.at(value)))
            continue
        if len(stretch) == 1:
            yield tag("circle", cx=stretch[0][0], cy=stretch[0][1], r=2.5, class_=f"dot {one.look}")
        elif stretch:
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in stretch)
            yield tag("path", d=path, class_=f"curve {one.look}")
        stretch = []


def _thinned(one: Line) -> Iterator[tuple[int, float]]:
    """At most so many points; of each stretch its lowest and highest, in their order, and every gap."""
    points = list(zip(one.steps, one.values, strict=True))
    if len(points) <= one.drawn:
        yield from points
        return
    each = math.ceil(len(points) / max(1, one.drawn // 2))
    for begin in range(0, len(points), each):
        part = points[begin : begin + each]
        numbers = [point for point in part if math.isfinite(point[1])]
        if len(numbers) < len(part):
            yield from ((step, value) for step, value in part if not math.isfinite(value))
        if numbers:
            ends = {min(numbers, key=lambda point: point[1]), max(numbers, key=lambda point: point[1])}
            yield from sorted(ends)


def _legend(lines: Sequence[Line], frame: Box) -> Iterator[Markup]:
    """Each name once; the last of the lines of a name is the one that stands out."""
    names = list({one.name: one for one in lines}.values())
    room = frame.width / max(1, len(names))
    for place, one in enumerate(names):
        x = frame.left + place * room
        yield line(x, 12, x + 18, 12, f"curve {one.look}")
        yield label(x + 24, 16, fitting(one.name, room - 28), look="legend")
