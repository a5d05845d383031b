"""Runs counted by a value; a click on one shows these runs alone."""

from collections.abc import Awaitable, Callable

from art_training.dashboard.parts.cells import text_of
from art_training.dashboard.parts.grid import Grid, GridColumn, GridRow
from art_training.dashboard.parts.html import h
from art_training.records.counted import counted
from art_training.views.table import GroupRow, TableView
from art_training.views.wording import when

_HEAD = tuple(
    GridColumn(title, kind, sortable=False)
    for title, kind in (("value", ""), ("runs", "number"), ("passed", "number"), ("newest", ""))
)


class Counts:
    """The table, in the element that is open; not seen where nothing is grouped.

    Args:
        enter: is called with the condition that shows the runs of a group alone.
    """

    def __init__(self, enter: Callable[[str], Awaitable[None]]) -> None:
        with h("div", "", "card narrow") as self._card:
            self._grid = Grid("Runs counted by value", opening=True)
            self._grid.on_enter(enter)
            self._left_out = h("p", "", "small soft")

    def show(self, table: TableView) -> None:
        """Show the groups of this page."""
        self._card.set_visibility(bool(table.query.group_by))
        left = table.groups_left_out
        self._left_out.text = f"{counted(left, 'smaller group')} left out" if left else ""
        self._grid.show(_HEAD, [_row(group) for group in table.groups])


def _row(group: GroupRow) -> GridRow:
    where = str(group.where)
    value = "(none)" if group.missing else text_of(group.value) or repr(group.value)
    return GridRow(where, where, (value, f"{group.runs:,}", f"{group.passed:,}", when(group.newest)))
