"""Figures as inline SVG: lines, intervals and bars, in the colours of the page around them."""

from art_training.report.figures.bars import Bars, bars
from art_training.report.figures.curves import Line, curves
from art_training.report.figures.intervals import Span, beyond, intervals

__all__ = ["Bars", "Line", "Span", "bars", "beyond", "curves", "intervals"]
