"""A table that is sorted, picked from and paged by the server; one element, however many cells it has."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from nicegui.element import Element

from art_training.views.visible import legible


@dataclass(frozen=True)
class GridColumn:
    """One column.

    Attributes:
        title: its heading.
        kind: `number` stands to the right; any other is text.
        sorted: 1 where it ascends, -1 where it descends, 0 where the rows are sorted by another.
        sortable: whether a click on its heading asks for that.
    """

    title: str
    kind: str = ""
    sorted: int = 0
    sortable: bool = True


@dataclass(frozen=True)
class GridRow:
    """One row.

    Attributes:
        id: what tells it from others, and is handed back.
        name: for those who hear the page.
        cells: texts, one a column.
        href: where the first cell leads; empty for nowhere.
        sign: of the state in the second cell; empty where it is none.
        look: the class of the style sheet that gives the state its colours.
    """

    id: str
    name: str
    cells: tuple[str, ...]
    href: str = ""
    sign: str = ""
    look: str = ""


class Grid(Element, component="grid.js"):
    """The table.

    Args:
        caption: what it is, for those who do not see what stands around it.
        picking: whether rows can be picked.
        opening: whether the first cell of a row without an address is a button.
    """

    def __init__(self, caption: str, *, picking: bool = False, opening: bool = False) -> None:
        super().__init__()
        self.props.update(caption=caption, picking=picking, opening=opening, columns=[], rows=[], picked=[])

    def show(self, columns: Sequence[GridColumn], rows: Sequence[GridRow], picked: Sequence[str] = ()) -> None:
        """Show these rows; the browser draws again what has changed."""
        self.props.update(
            columns=[legible(asdict(one)) for one in columns],
            rows=[{**legible(asdict(one)), "id": one.id} for one in rows],
            picked=list(picked),
        )

    def on_arrange(self, handler: Callable[[int], Awaitable[None]]) -> None:
        """Call this with the place of a column whose heading is clicked."""
        self.on("arrange", lambda event: handler(int(event.args)))

    def on_pick(self, handler: Callable[[str, bool], Awaitable[None]]) -> None:
        """Call this with the id of a row, and whether it is picked now."""
        self.on("pick", lambda event: handler(str(event.args[0]), bool(event.args[1])))

    def on_enter(self, handler: Callable[[str], Awaitable[None]]) -> None:
        """Call this with the id of a row whose first cell is clicked."""
        self.on("enter", lambda event: handler(str(event.args)))
