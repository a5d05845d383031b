"""Plain HTML elements: headings, tables and links that keyboards and screen readers know."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from art_training.views.visible import spelled


def h(tag: str, text: str = "", classes: str = "", **attributes: str) -> TextElement:
    """An element with text that is escaped and reads as it is, whatever it is; `with` puts others into it.

    Args:
        tag: such as `h2`. Never from a store.
        text: what it says.
        classes: of the style sheet.
        **attributes: such as `href`; underscores stand for dashes: `aria_label`, and one at the end is left out: `for_`.
    """
    made = TextElement(tag=tag, text=spelled(text))
    made.classes(classes)
    for name, value in attributes.items():
        made.props[name.rstrip("_").replace("_", "-")] = spelled(
            value
        )  # not props("..."), which would parse hostile text
    return made


def sentence(text: str, classes: str = "") -> TextElement:
    """A paragraph in which what stands between backticks, such as a command to type, is set as code."""
    made = h("p", "", classes)
    with made:
        for place, part in enumerate(text.split("`")):
            if part:
                h("code" if place % 2 else "span", part)
    return made


def link(text: str, path: str, classes: str = "", *, query: dict[str, str] | None = None, **attributes: str) -> Element:
    """A link to a page of the dashboard.

    Args:
        text: what it says.
        path: of the page, such as `/run`. Never from a store.
        classes: of the style sheet.
        query: names from a store go here, where every character is welcome.
        **attributes: as of `h`.
    """
    return h("a", text, classes, href=url(path, query), **attributes)


def url(path: str, query: dict[str, str] | None = None) -> str:
    """The address of a page within the dashboard."""
    return path + (f"?{urlencode(query)}" if query else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, numbers: Sequence[int] = ()) -> Element:
    """A table of texts.

    Args:
        head: the titles of the columns.
        rows: the cells, a row each.
        caption: what it is, for those who do not see what stands around it.
        numbers: which columns stand to the right.
    """
    kinds = ["number" if at in numbers else "" for at in range(len(head))]
    outer = h("div", "", "scroll", tabindex="0", role="region", aria_label=caption)
    with outer, h("table", "", "rows", aria_label=caption):
        with h("thead"), h("tr"):
            for title, kind in zip(head, kinds, strict=True):
                h("th", title, kind, scope="col")
        with h("tbody"):
            for row in rows:
                with h("tr"):
                    for cell, kind in zip(row, kinds, strict=True):
                        h("td", cell, kind)
    return outer


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Names with what they are; those that are empty are left out."""
    with h("dl", "", "facts"):
        for name, value in pairs:
            if value:
                with h("div"):
                    h("dt", name)
                    h("dd", value)
