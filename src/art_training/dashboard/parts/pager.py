"""The line that says which rows of how many are shown, and leads to the others."""

from collections.abc import Awaitable, Callable

from art_training.dashboard.parts.html import h
from art_training.records.counted import counted


class Pager:
    """The line; its buttons stay while what they lead to changes, so that the keyboard's focus does.

    Args:
        turn: is called with the page that is wanted, from 1.
    """

    def __init__(self, turn: Callable[[int], Awaitable[None]]) -> None:
        self._turn = turn
        self._page = 1
        with h("div", "", "pages"):
            self._told = h("span", "", "soft", role="status")
            self._before = h("button", "Page before", "button", type="button").on("click", self._back)
            self._after = h("button", "Page after", "button", type="button").on("click", self._on)

    def show(self, page: int, rows: int, total: int) -> None:
        """Say where in `total` rows this page is, and lead to those beside it."""
        self._page = page
        last = max(1, -(-total // rows))
        if not total:
            self._told.text = "No run is like this. Take a condition away, or search for something else."
        elif page > last:
            self._told.text = f"There is no page {page}: {counted(f'{total:,}', 'run')} fill {last}."
        else:
            first = (page - 1) * rows + 1
            self._told.text = f"{first:,} to {min(page * rows, total):,} of {counted(f'{total:,}', 'run')}"
        for button, to in ((self._before, page - 1), (self._after, page + 1)):
            button.set_visibility(last > 1 or page > 1)
            button.props["disabled"] = not (to == 1 or 1 <= to <= last)

    async def _back(self) -> None:
        await self._turn(self._page - 1)

    async def _on(self) -> None:
        await self._turn(self._page + 1)
