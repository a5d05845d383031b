"""Numbers beside each other with their intervals: each a dot in a line of its own, named at its left."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from art_training.report.figures.scale import Scale, bulk_of, scale_of, tick_text
from art_training.report.figures.svg import CHARACTER, Box, fitting, label, line, picture, tag

_WIDTH = 640.0
_ROW = 25.0
_NAMES, _NUMBERS = 180.0, 186.0  # beside the frame; longer numbers take more, as none is cut
_FRAME = 170.0  # at least
_GAP = 12.0


@dataclass(frozen=True)
class Span:
    """One number.

    Attributes:
        name: what it is of.
        value: the number; NaN and infinity are told, and not drawn.
        low: lower end of its interval, if it has one.
        high: upper end.
        text: the number as it is written at the right.
        look: the class that gives its colour: `plain`, `baseline`, `chosen`, `bad` or `test`.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    text: str = ""
    look: str = "plain"


def intervals(
    spans: Sequence[Span],
    told: str,
    *,
    axis: str,
    reference: tuple[str, float] | None = None,
    logarithmic: bool = False,
) -> Markup:
    """Each number as a dot, its interval as a bar; a reference is a dashed line through all.

    What would leave the others no room on the axis ends at its edge in an arrow, as `beyond` tells.

    Args:
        spans: from top to bottom.
        told: what is to be seen, in words.
        axis: what is counted along the axis.
        reference: a name and a number to compare with.
        logarithmic: let numbers that are positive and span decades be drawn so.
    """
    numbers = max(_NUMBERS, _GAP + CHARACTER * max((len(one.text) for one in spans), default=0))
    frame = Box(_NAMES, 22, max(_FRAME, _WIDTH - _NAMES - numbers), len(spans) * _ROW)
    across = _across(spans, reference, frame, logarithmic=logarithmic)
    return picture(
        frame.right + numbers,
        frame.bottom + 40,
        told,
        *_axis(
            frame,
            across,
            axis,
            *(["an arrow is beyond the axis"] if beyond(spans, reference, logarithmic=logarithmic) else []),
        ),
        *_reference(frame, across, reference),
        *(part for place, one in enumerate(spans) for part in _row(one, frame, across, place)),
    )


def beyond(spans: Sequence[Span], reference: tuple[str, float] | None, *, logarithmic: bool = False) -> list[str]:
    """The names of what is drawn as an arrow; arguments as of `intervals`."""
    across = _across(spans, reference, Box(0, 0, 1, 1), logarithmic=logarithmic)
    return [one.name for one in spans if math.isfinite(one.value) and _outside(one.value, across)]


def _across(spans: Sequence[Span], reference: tuple[str, float] | None, frame: Box, *, logarithmic: bool) -> Scale:
    """Where numbers span decades the axis holds them all; else the few that would leave the others no room are cut off."""
    ends = [end for one in spans for end in (one.value, one.low, one.high) if end is not None]
    more = [] if reference is None else [reference[1]]
    whole = scale_of([*ends, *more], frame.left, frame.right, logarithmic=None if logarithmic else False)
    values = sorted(one.value for one in spans if math.isfinite(one.value))
    if whole.logarithmic or not values:
        return whole
    around = more[0] if more and math.isfinite(more[0]) else values[len(values) // 2]
    extents = [(min(one), max(one)) for span in spans if (one := _finite(span))]
    return scale_of([*bulk_of(extents, around), *more], frame.left, frame.right)


def _finite(one: Span) -> list[float]:
    return [end for end in (one.value, one.low, one.high) if end is not None and math.isfinite(end)]


def _outside(value: float, across: Scale) -> bool:
    return not across.low <= value <= across.high


def _axis(frame: Box, across: Scale, *names: str) -> Iterator[Markup]:
    for value in across.ticks(5):
        x = across.at(value)
        yield line(x, frame.top - 4, x, frame.bottom, "grid")
        yield label(x, frame.bottom + 15, tick_text(value), anchor="middle", look="tick")
    said = "; ".join(names) + (", logarithmic" if across.logarithmic else "")
    middle = (frame.left + frame.right) / 2
    yield label(middle, frame.bottom + 32, fitting(said, frame.width + 120), anchor="middle", look="axis-name")


def _reference(frame: Box, across: Scale, reference: tuple[str, float] | None) -> Iterator[Markup]:
    if reference is None or not math.isfinite(reference[1]):
        return
    x = across.at(reference[1])
    anchor = "start" if x < frame.left + frame.width * 0.6 else "end"
    yield line(x, frame.top - 4, x, frame.bottom, "reference")
    yield label(x, frame.top - 9, fitting(reference[0], frame.width), anchor=anchor, look="reference-name")


def _row(one: Span, frame: Box, across: Scale, place: int) -> Iterator[Markup]:
    y = frame.top + (place + 0.5) * _ROW
    yield label(_NAMES - 10, y + 4, fitting(one.name, _NAMES - 14), anchor="end", look=f"row {one.look}")
    yield label(frame.right + _GAP, y + 4, one.text, look="number")
    drawable = math.isfinite(one.value) and not (across.logarithmic and one.value <= 0)
    if not drawable:
        yield label(frame.left + 6, y + 4, "cannot be drawn", look="tick")
        return
    if one.low is not None and one.high is not None:
        low, high = across.at(one.low), across.at(one.high)
        yield line(low, y, high, y, f"whisker {one.look}")
        for end, x, way in ((one.low, low, -1), (one.high, high, 1)):
            if _outside(end, across):  # no end is drawn where the interval does not end
                yield _arrow(x, y, way, f"arrow {one.look}", 4)
            else:
                yield line(x, y - 4, x, y + 4, f"whisker {one.look}")
    if _outside(one.value, across):
        yield _arrow(across.at(one.value), y, 1 if one.value > across.high else -1, f"dot {one.look}", 6)
    else:
        yield tag("circle", cx=across.at(one.value), cy=y, r=4.5, class_=f"dot {one.look}")


def _arrow(x: float, y: float, way: int, look: str, size: float) -> Markup:
    """A triangle whose point is at an edge of the axis."""
    back = x - way * size * 1.6
    return tag("path", d=f"M{x:.1f} {y:.1f}L{back:.1f} {y - size:.1f}L{back:.1f} {y + size:.1f}Z", class_=look)
