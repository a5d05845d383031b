"""The templates inside the package: one template, of six kinds."""

from pathlib import Path

from art_training import __version__
from art_training.templates.template import Template

PROJECT = Path(__file__).parent / "project"


def _shipped(kind: str, about: str) -> Template:
    return Template(PROJECT, about, {"kind": kind, "art_version": __version__}, asks=False)


blank = _shipped("blank", "the least that runs: made-up numbers and two layers, to be replaced")
image = _shipped("image", "classes of images: handwritten digits, a convolutional network")
sequence = _shipped("sequence", "a forecast of time series: made-up sensors, a convolutional network over time")
tabular = _shipped("tabular", "a number from a table: diabetes, a fully connected network")
text = _shipped("text", "classes of texts: made-up reviews, a convolutional network over words")
transfer = _shipped("transfer", "few examples: digits, a backbone that has learned other digits before")
