"""Parts of a page that are drawn again when what they show has changed, and only then."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from nicegui.element import Element

Row = TypeVar("Row")


@dataclass(eq=False)
class Part(Generic[Row]):
    """One part of a page.

    Attributes:
        draw: draws the row inside the part's element.
        inside: the element.
    """

    draw: Callable[[Row], None]
    inside: Element
    _shown: list[Row] = field(default_factory=list[Row])

    def show(self, row: Row) -> None:
        """Draw this, unless it is what is drawn already."""
        if self._shown == [row] or (self._shown and repr(self._shown[0]) == repr(row)):  # NaN is not equal to itself
            return
        self._shown = [row]
        self.inside.clear()
        with self.inside:
            self.draw(row)


@dataclass(eq=False)
class Parts(Generic[Row]):
    """A list whose items are drawn one by one: what did not change keeps its place, its focus and its selection.

    Attributes:
        key: what tells two items apart.
        make: makes an item's element inside the list's.
        draw: draws an item inside its element.
        inside: the list's element.
    """

    key: Callable[[Row], Hashable]
    make: Callable[[], Element]
    draw: Callable[[Row], None]
    inside: Element
    _parts: dict[Hashable, Part[Row]] = field(default_factory=dict[Hashable, Part[Row]])

    def show(self, rows: Iterable[Row]) -> None:
        """Draw these, in this order."""
        by_key = {self.key(row): row for row in rows}
        for key in [key for key in self._parts if key not in by_key]:
            self._parts.pop(key).inside.delete()
        for at, (key, row) in enumerate(by_key.items()):
            if key not in self._parts:
                with self.inside:
                    self._parts[key] = Part(self.draw, self.make())
            element = self._parts[key].inside
            if self.inside.default_slot.children[at] is not element:
                element.move(self.inside, at)
            self._parts[key].show(row)
