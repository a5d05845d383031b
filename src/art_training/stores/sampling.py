"""Curves with so many points that they can be drawn: what stands out in each stretch is kept.

A curve is cut into stretches of equally many steps. Of each, the first, the lowest, the highest and the last point stay,
so that no spike is lost however long a training was (the idea of M4, Jugel et al., VLDB 2014, doi:10.14778/2732951.2732953),
and the first that is NaN, so that a line that is interrupted is drawn so.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from art_training.errors import UsageError
from art_training.records import Curve

LEAST = 5  # points of one stretch: the first, the lowest, the highest, the last, and one that is NaN


class Sampled(NamedTuple):
    """Points of a curve, all of them points that were measured.

    Attributes:
        curve: those that are kept.
        points: how many there are in the steps that were asked for.
    """

    curve: Curve
    points: int


def sampled(curve: Curve, limit: int, first: int | None = None, last: int | None = None) -> Sampled:
    """A curve with at most `limit` points between two steps, both included.

    Raises:
        UsageError: `limit` is too small for one stretch.
    """
    require_room(limit)
    epochs = curve.epochs or (0,) * len(curve.steps)
    rows = [
        row
        for row in zip(curve.steps, epochs, curve.values, strict=True)
        if (first is None or row[0] >= first) and (last is None or row[0] <= last)
    ]
    if len(rows) <= limit:
        return Sampled(as_curve(rows), len(rows))
    kept: set[tuple[int, int, float]] = set()
    at = 0
    for _, end in stretches(rows[0][0], rows[-1][0], limit, gaps=any(_is_nan(row[2]) for row in rows)):
        begin = at
        while at < len(rows) and rows[at][0] < end:
            at += 1
        kept.update(_standing_out(rows[begin:at]))
    return Sampled(as_curve(sorted(kept)), len(rows))


def stretches(first: int, last: int, limit: int, *, gaps: bool) -> list[tuple[int, int]]:
    """The steps from `first` to `last` in stretches `[begin, end)`, so many that their points are at most `limit`.

    Args:
        first: the first step that has a point.
        last: the last one.
        limit: of all points that are kept.
        gaps: whether a stretch may keep one more point, because some are NaN.
    """
    count = limit // (LEAST if gaps else LEAST - 1)
    edges = [first + (last + 1 - first) * index // count for index in range(count + 1)]
    return [(begin, end) for begin, end in pairwise(edges) if begin < end]


def require_room(limit: int) -> None:
    """Refuse what would leave nothing to draw.

    Raises:
        UsageError: `limit` is too small for one stretch.
    """
    if limit < LEAST:
        raise UsageError(f"limit={limit} of the points of a curve is too small; give {LEAST} or more")


def as_curve(rows: Sequence[tuple[int, int, float]]) -> Curve:
    """Rows of step, epoch and value, ascending by step, as a curve."""
    steps, epochs, values = zip(*rows, strict=True) if rows else ((), (), ())
    return Curve(steps, values, epochs)


def _standing_out(rows: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    numbers = [row for row in rows if not _is_nan(row[2])]
    extremes = [min(numbers, key=_value), max(numbers, key=_value)] if numbers else []
    return [*rows[:1], *extremes, *rows[-1:], *[row for row in rows if _is_nan(row[2])][:1]]


def _value(row: tuple[int, int, float]) -> float:
    return row[2]


def _is_nan(value: float) -> bool:
    return value != value  # noqa: PLR0124  NaN is not equal to itself.
