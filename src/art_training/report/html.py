"""A report as one HTML file: no script, no foreign request, for the screen, in light and dark, and for paper."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from art_training.report.document import Block, Code, Drawing, Picture, Points, Report, Table, Text
from art_training.report.telling import when
from art_training.views.visible import spelled, visible

if TYPE_CHECKING:
    from jinja2 import Environment

_TICKED = re.compile(r"`([^`\n]+)`")
_KINDS = {Code: "code", Drawing: "drawing", Picture: "picture", Points: "points", Table: "table", Text: "text"}


def as_html(report: Report) -> str:
    """The whole file."""
    return _templates().get_template("report.html.j2").render(report=report)


@cache
def _templates() -> "Environment":
    """Everything that a template writes is escaped; what cannot be seen is spelled out first."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("art_training.report"),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"ticked": _ticked, "when": when, "kind_of": _kind_of, "whole": _whole}
    return templates


def _harmless(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _ticked(text: str) -> Markup:
    """Plain text, with what stands between ticks set as code."""
    parts = _TICKED.split(visible(text))
    written = (
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )
    return Markup("").join(written)


def _whole(text: str) -> Markup:
    """A text to its end, however long it is."""
    return escape(spelled(text))


def _kind_of(block: Block) -> str:
    return _KINDS[type(block)]
