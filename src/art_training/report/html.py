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
_ROOM = 24  # characters of the longest word that is not broken ...
_PIECE = 16  # ... and of what one that is longer is broken into
_LONG = re.compile(rf"\S{{{_ROOM + 1},}}")
_PARTS = re.compile(
    r"(?<=[/_.=:,;|-])(?=[^\W\d])|(?<=[a-z])(?=[A-Z])"
)  # before a letter, so that `1.047` and `1e-05` stay whole
_HELD = re.compile(r"[-+]?\d[\d.,]*e[-+]\d+|->")  # a browser would break them behind their hyphen
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
        Markup("<code>{}</code>").format(_breakable(part)) if place % 2 else _breakable(part)
        for place, part in enumerate(parts)
    )
    return Markup("").join(written)


def _breakable(text: str) -> Markup:
    """Words that no column has room for may be broken, before anything else where a part of a name ends; numbers never are."""
    found: list[Markup] = []
    at = 0
    for word in _LONG.finditer(text):
        pieces = (piece for part in _PARTS.split(word[0]) for piece in _chunks(part))
        found += [_held(text[at : word.start()]), Markup("<wbr>").join(map(escape, pieces))]
        at = word.end()
    return Markup("").join([*found, _held(text[at:])])


def _held(text: str) -> Markup:
    """Numbers and arrows with a hyphen stay in one line."""
    found: list[Markup] = []
    at = 0
    for whole in _HELD.finditer(text):
        found += [escape(text[at : whole.start()]), Markup('<span class="held">{}</span>').format(whole[0])]
        at = whole.end()
    return Markup("").join([*found, escape(text[at:])])


def _chunks(part: str) -> list[str]:
    return [part] if len(part) <= _ROOM else [part[at : at + _PIECE] for at in range(0, len(part), _PIECE)]


def _whole(text: str) -> Markup:
    """A text to its end, however long it is."""
    return escape(spelled(text))


def _kind_of(block: Block) -> str:
    return _KINDS[type(block)]
