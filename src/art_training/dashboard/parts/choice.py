"""A choice among texts, of which there may be hundreds; one element, however many there are."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from art_training.views.visible import legible


class Option(NamedTuple):
    """One that can be chosen.

    Attributes:
        key: is handed back.
        text: what it says.
        group: under which heading it stands; empty for none.
    """

    key: str
    text: str
    group: str = ""


class Choice(Element, component="choice.js"):
    """A labelled list of which one is chosen, or a menu of boxes of which several are.

    Args:
        label: what is chosen.
        choose: is called with the keys of what is chosen now.
        several: whether more than one can be.
    """

    def __init__(
        self, label: str, choose: Callable[[tuple[str, ...]], Awaitable[None]], *, several: bool = False
    ) -> None:
        super().__init__()
        self.props.update(label=label, several=several, options=[], chosen=[])

        async def chosen(event: GenericEventArguments) -> None:
            await choose(tuple(str(key) for key in event.args))

        self.on("choose", chosen)

    def show(self, options: Sequence[Option], chosen: Sequence[str]) -> None:
        """Offer these; drawn again only where something has changed."""
        offered = {"options": [[one.key, *legible(one[1:])] for one in options], "chosen": list(chosen)}
        if any(self.props[name] != value for name, value in offered.items()):
            self.props.update(offered)
