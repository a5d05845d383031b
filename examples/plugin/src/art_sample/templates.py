"""A template: what a project begins with."""

from pathlib import Path

from art_training.templates import Template

sample = Template(
    Path(__file__).parent / "template", about="a number from a small made-up table, with several seeds", asks=False
)
