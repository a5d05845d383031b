"""Points, steps or bars in one picture; what it shows can be changed while one looks at it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from nicegui.element import Element
from nicegui.elements import echart

from art_training.views.visible import legible

Kind = Literal["points", "steps", "bars"]
Mark = Literal["circle", "triangle", "rect", "diamond", "emptyCircle"]


class PlotPoint(NamedTuple):
    """One point: where it is, and what it says when it is pointed at; of labelled axes, the place among the labels."""

    x: float
    y: float
    told: str


@dataclass(frozen=True)
class PlotSeries:
    """Points that belong together.

    Attributes:
        name: what they are called.
        points: those that are finite are drawn.
        kind: how.
        colour: of the palette of eight.
        mark: of a point, so that no colour alone tells anything.
    """

    name: str
    points: tuple[PlotPoint, ...]
    kind: Kind = "points"
    colour: int = 0
    mark: Mark = "circle"


@dataclass(frozen=True)
class PlotAxis:
    """One axis.

    Attributes:
        name: what stands on it.
        log: whether on a logarithmic scale; what is not above 0 is left out.
        labels: what its places are called; empty for numbers.
        low: where it begins; None for as the points need it.
        high: where it ends.
        whole: whether only whole numbers stand on it.
    """

    name: str
    log: bool = False
    labels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    whole: bool = False


@dataclass(frozen=True)
class Plot:
    """One picture.

    Attributes:
        title: above it; empty where it stands under a heading of its own.
        x: the horizontal axis.
        y: the vertical axis.
        series: what is drawn.
        told: the picture in a sentence, for those who do not see it.
    """

    title: str
    x: PlotAxis
    y: PlotAxis
    series: tuple[PlotSeries, ...]
    told: str


class PlotPanel(Element, component="plot.js", esm={"nicegui-echart": str(Path(echart.__file__).with_name("dist"))}):
    """A picture in the element that is open.

    Args:
        plot: what it shows first.
    """

    def __init__(self, plot: Plot) -> None:
        super().__init__()
        self.show(plot)

    def show(self, plot: Plot) -> None:
        """Show this now."""
        told = legible(sent(plot))
        if self.props.get("plot") != told:
            self.props["plot"] = told


def sent(plot: Plot) -> dict[str, object]:
    """What the browser is given: numbers that JSON has, and a note of what was left out."""
    points = [_drawn(one.points, plot) for one in plot.series]
    drawn = [{**asdict(one), "points": shown} for one, shown in zip(plot.series, points, strict=True)]
    out = sum(len(one.points) for one in plot.series) - sum(map(len, points))
    note = f"{out} left out: not finite, or not above 0 on a logarithmic scale" if out else ""
    return {
        "title": plot.title,
        "x": asdict(plot.x),
        "y": asdict(plot.y),
        "series": drawn,
        "told": plot.told,
        "note": note,
    }


def _drawn(points: Sequence[PlotPoint], plot: Plot) -> list[list[object]]:
    return [list(one) for one in points if _fits(one.x, plot.x) and _fits(one.y, plot.y)]


def _fits(value: float, axis: PlotAxis) -> bool:
    return math.isfinite(value) and (not axis.log or value > 0)
