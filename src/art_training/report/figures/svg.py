"""Elements of SVG. Text and attributes are escaped where they are written, so that no name can leave its place.

A writer of our own, and not matplotlib, because these figures take the page's colours (light, dark, print), stay sharp at any
size, hold text that can be searched and read aloud, and weigh a few kilobytes each.
"""

from typing import NamedTuple

from markupsafe import Markup, escape

from art_training.views.visible import visible

CHARACTER = 6.1  # width of one, in units of the picture, at the size that the page gives to labels


class Box(NamedTuple):
    """Where something is drawn, in units of the picture."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height


def tag(kind: str, *inside: str | Markup, **attributes: str | float) -> Markup:
    """One element; `class_` is `class`, and `_` in other names is `-`."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _value(value)) for key, value in attributes.items()
    )
    held = Markup("").join(one if isinstance(one, Markup) else escape(visible(one)) for one in inside)
    return Markup("<{0}{1}>{2}</{0}>").format(kind, written, held)


def picture(width: float, height: float, told: str, *inside: Markup) -> Markup:
    """A whole picture, as wide as the page lets it, with what is to be seen in it in words."""
    return tag(
        "svg",
        tag("title", told),
        *inside,
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        role="img",
        aria_label=visible(told),
        class_="figure",
    )


def label(x: float, y: float, text: str, *, anchor: str = "start", look: str = "") -> Markup:
    """A line of text at its baseline."""
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_=f"label {look}".rstrip())


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=look)


def fitting(text: str, width: float) -> str:
    """As much of a text as has room."""
    most = max(4, int(width / CHARACTER))
    text = visible(" ".join(text.split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")
