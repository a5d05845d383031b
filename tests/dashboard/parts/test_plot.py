import math
from typing import Any

from art_training.dashboard.parts.plot import Plot, PlotAxis, PlotPoint, PlotSeries, sent


def test_what_cannot_be_drawn_is_left_out_and_the_picture_says_so() -> None:
    values = ((1.0, 1.0), (0.0, 1.0), (2.0, math.nan), (3.0, -1.0), (math.inf, 1.0))
    points = tuple(PlotPoint(x, y, "a point") for x, y in values)
    told: dict[str, Any] = sent(Plot("", PlotAxis("lr", log=True), PlotAxis("loss"), (PlotSeries("loss", points),), ""))
    assert [point[:2] for point in told["series"][0]["points"]] == [[1.0, 1.0], [3.0, -1.0]]
    assert told["note"] == "3 left out: not finite, or not above 0 on a logarithmic scale"
    whole: dict[str, Any] = sent(Plot("", PlotAxis("x"), PlotAxis("y"), (PlotSeries("a", points[:1]),), ""))
    assert whole["note"] == ""
