"""A field that is searched with, buttons that narrow, and the address that says what was asked."""

import json
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import NamedTuple

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from art_training.dashboard.parts.html import h, url

_PAUSE = 0.15  # seconds between two answers to somebody who types
_TYPED = "(event) => emit(event.target.value)"


def search_field(label: str, text: str, search: Callable[[str], Awaitable[None] | None]) -> Element:
    """A labelled field.

    Args:
        label: what is searched.
        text: what is searched for at first.
        search: is called with what was typed.
    """

    def typed(event: GenericEventArguments) -> Awaitable[None] | None:
        return search(str(event.args))

    with h("label", "", "search") as made:
        h("span", label)
        field = h("input", "", "field", type="search", autocomplete="off")
        field.props["^value"] = (
            text  # the attribute: the property is the reader's, who types while the page is drawn again
        )
        field.on("input", typed, js_handler=_TYPED, throttle=_PAUSE, leading_events=False)
    return made


class Narrowing(NamedTuple):
    """What a button narrows to.

    Attributes:
        key: is handed back.
        text: what it says.
        look: the class of the style sheet that colours it.
        pressed: whether it does so at first.
    """

    key: str
    text: str
    look: str
    pressed: bool


def narrowing_buttons(label: str, buttons: Iterable[Narrowing], changed: Callable[[frozenset[str]], None]) -> None:
    """A group of buttons of which any may be pressed; none pressed narrows nothing.

    Args:
        label: what is narrowed.
        buttons: that it has.
        changed: is called with the keys of those that are pressed now.
    """
    listed = tuple(buttons)
    pressed = {one.key for one in listed if one.pressed}
    made: dict[str, Element] = {}

    def toggle(key: str) -> None:
        pressed.symmetric_difference_update({key})
        made[key].props["aria-pressed"] = str(key in pressed).lower()
        changed(frozenset(pressed))

    with h("div", "", "states", role="group", aria_label=label):
        for one in listed:
            state = str(one.pressed).lower()
            button = h("button", one.text, f"badge toggle {one.look}", type="button", aria_pressed=state)
            made[one.key] = button.on("click", partial(toggle, one.key))


def tell_address(path: str, query: dict[str, str], *, turned: bool = False) -> None:
    """Put what the page shows into its address, so that it can be sent; what is empty is left out.

    Args:
        path: of the page.
        query: what it shows.
        turned: whether the browser's way back leads to what was shown until now; not for each letter that is typed.
    """
    tell(url(path, {name: value for name, value in query.items() if value}), turned=turned)


def tell(address: str, *, turned: bool = False) -> None:
    """As `tell_address`, of a whole address."""
    ui.run_javascript(f"tellAddress({json.dumps(address)}, {json.dumps(turned)})")
