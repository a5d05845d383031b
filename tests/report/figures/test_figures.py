"""Figures: what is drawn lies where its numbers are, and nothing that was measured breaks a picture."""

import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.checks.values import number
from art_training.report.figures import Bars, Line, Span, bars, beyond, curves, intervals
from art_training.report.figures.scale import scale_of, tick_text
from art_training.report.figures.svg import CHARACTER

ANY = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def parsed(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    for element in root.iter():
        for name, value in element.attrib.items():
            assert "nan" not in value.lower() or name in {"aria-label", "class"}, (element.tag, name, value)
            assert "inf" not in value.lower() or name in {"aria-label", "class"}, (element.tag, name, value)
    return root


@given(st.lists(FINITE, min_size=1), st.booleans())
def test_every_number_lies_on_its_axis(values, logs):
    scale = scale_of(values, 0, 100, logarithmic=None if logs else False)
    assert all(-1e-6 <= scale.at(value) <= 100 + 1e-6 for value in values)


@given(FINITE, FINITE)
def test_a_larger_number_lies_no_further_back(one, other):
    scale = scale_of([one, other], 0, 100)
    assert (scale.at(min(one, other))) <= scale.at(max(one, other)) + 1e-6


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_few_and_lie_on_the_axis(low, span):
    scale = scale_of([low, low + span], 0, 100)
    ticks = scale.ticks()
    assert len(ticks) <= 8
    slack = (scale.high - scale.low) * 1e-6
    assert all(scale.low - slack <= tick <= scale.high + slack for tick in ticks)


def test_a_loss_that_falls_by_decades_is_drawn_on_a_logarithmic_axis():
    assert scale_of([2.3, 0.001], 0, 100, logarithmic=None).logarithmic
    assert not scale_of([2.3, 1.9], 0, 100, logarithmic=None).logarithmic
    assert not scale_of([2.3, 0.0], 0, 100, logarithmic=None).logarithmic


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.1 + 0.2, "0.3"), (12000, "12,000"), (1e-5, "1e-05")])
def test_numbers_beside_an_axis_are_short(value, text):
    assert tick_text(value) == text


@given(st.lists(ANY, min_size=1, max_size=40))
def test_any_curve_can_be_drawn(values):
    parsed(curves([Line("train", range(len(values)), values, "train")], "a curve"))


def test_nan_leaves_a_gap_and_a_lone_value_is_a_dot():
    root = parsed(curves([Line("train", range(6), [3, 2, math.nan, 1.5, math.inf, 1], "train")], "a curve"))
    paths = [one for one in root.iter() if one.tag.endswith("path")]
    dots = [one for one in root.iter() if one.tag.endswith("circle")]
    assert (len(paths), len(dots)) == (1, 2)


def test_a_long_curve_is_thinned_and_keeps_its_extremes():
    values = [math.sin(step / 50) for step in range(10_000)]
    values[7777] = 9.0
    svg = curves([Line("train", range(10_000), values, "train")], "a curve")
    assert len(svg) < 12_000
    (path,) = re.findall(r'd="M([^"]*)"', svg)
    heights = [float(point.split(" ")[1]) for point in path.split("L")]
    assert heights.count(min(heights)) == 1
    assert sorted(heights)[1] - min(heights) > 100


@given(st.lists(st.tuples(ANY, st.none() | FINITE, st.none() | FINITE), min_size=1, max_size=8))
def test_any_numbers_stand_beside_each_other(rows):
    spans = [Span("one", value, low, high, str(value)) for value, low, high in rows]
    parsed(intervals(spans, "numbers", axis="accuracy", reference=("best", 0.5), logarithmic=True))


def test_an_interval_is_drawn_from_its_low_to_its_high_end():
    root = parsed(intervals([Span("a", 0.5, 0.4, 0.7), Span("b", 0.1)], "numbers", axis="accuracy"))
    whiskers = [one for one in root.iter() if one.get("class", "").startswith("whisker")]
    assert len(whiskers) == 3  # the bar and its ends; the second has none
    bar = whiskers[0]
    dot = next(one for one in root.iter() if one.tag.endswith("circle"))
    assert float(bar.get("x1", "")) < float(dot.get("cx", "")) < float(bar.get("x2", ""))


GAINS = [
    Span("dropout", -0.0023, -0.0134, 0.0088),
    Span("decay", -0.0095, -0.0141, -0.0048),
    Span("short", -0.0327, -0.1045, 0.0391),
    Span("narrow", -0.0554, -0.4611, 0.3503),
    Span("too fast", -6768.0, -303821.0, 290285.0),
]


def test_one_that_diverged_does_not_hide_the_others_and_ends_in_an_arrow():
    assert beyond(GAINS, ("no difference", 0.0)) == ["too fast"]
    root = parsed(intervals(GAINS, "gains", axis="gain", reference=("no difference", 0.0)))
    dots = [float(one.get("cx", "")) for one in root.iter() if one.tag.endswith("circle")]
    assert len(dots) == 4
    assert min(abs(one - other) for place, one in enumerate(dots) for other in dots[:place]) > 2
    arrows = [
        one for one in root.iter() if one.get("class") in {"dot plain", "arrow plain"} and one.tag.endswith("path")
    ]
    assert len(arrows) == 3  # itself, and both ends of its interval


@pytest.mark.parametrize("values", [[0.5], [0.1, 900.0], [1.0, 1.0, 1.0, 30.0, 31.0, 32.0]])
def test_where_half_of_them_lie_far_off_nothing_is_cut(values):
    assert beyond([Span(str(value), value) for value in values], None) == []


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=50))
def test_bars_begin_at_nothing(counts):
    root = parsed(bars([str(place) for place, _ in enumerate(counts)], [Bars("train", counts, "train")], "counts"))
    drawn = [one for one in root.iter() if one.get("class") == "bar train"][: len(counts)]
    heights = [float(one.get("height", "")) for one in drawn]
    assert all(height >= 0 for height in heights)
    for one, height in zip(drawn, heights, strict=True):
        assert float(one.get("y", "")) + height == pytest.approx(156, abs=0.02)


def test_names_in_figures_are_text():
    svg = intervals([Span("<script>", 1.0, text='"><b>')], '"><img>', axis="a")
    assert "<script" not in svg
    assert "<b>" not in svg
    assert "<img" not in svg


@pytest.mark.parametrize("value", [0.5, -1.2345e-101, 123456789012345.0])
def test_no_number_beside_a_figure_is_cut(value):
    text = f"{number(value)} [{number(value)}, {number(value)}]"
    root = parsed(intervals([Span("a", value, value, value, text)], "numbers", axis="accuracy"))
    (drawn,) = [one for one in root.iter() if one.get("class") == "label number"]
    assert drawn.text == text
    assert float(drawn.get("x", "")) + CHARACTER * len(text) <= float(root.get("width", "")) + 0.01
