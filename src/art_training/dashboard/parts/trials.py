"""The trials of a search as a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from art_training.checks.values import number
from art_training.dashboard.parts.html import h
from art_training.dashboard.parts.live import Part, Parts
from art_training.dashboard.parts.searched import cell_text
from art_training.views.search import SearchView, TrialRow
from art_training.views.wording import duration

MOST = 100
_STATE = 1  # the place of the state among the cells


class TrialCells(NamedTuple):
    """One trial: its cells, and whether it won."""

    cells: tuple[str, ...]
    won: bool


@dataclass(frozen=True)
class Trials:
    """The table of trials: its heads, its rows, and how many there are beyond `MOST`."""

    head: tuple[str, ...]
    rows: tuple[TrialCells, ...]
    left_out: int = 0


def trial_rows(view: SearchView, *, best_first: bool) -> Trials:
    """The trials as a table: the newest first, or the best."""
    ranked = sorted(view.trials, key=lambda one: -one.number)
    if best_first:
        sign = -1 if view.direction == "maximize" else 1
        ranked.sort(key=lambda one: math.inf if one.value is None or math.isnan(one.value) else sign * one.value)
    names = list(dict.fromkeys(name for one in view.trials for name in one.parameters))
    head = ("trial", "state", view.by, *names, "epochs", "took", "note")
    rows = tuple(TrialCells(_texts(one, names), view.has_won(one.number)) for one in ranked[:MOST])
    return Trials(head, rows, max(0, len(ranked) - MOST))


def _texts(one: TrialRow, names: Sequence[str]) -> tuple[str, ...]:
    return (
        str(one.number),
        one.state,
        _reached(one),
        *(cell_text(one.parameters[name]) if name in one.parameters else "" for name in names),
        "" if one.epochs is None else f"{one.epochs} of {one.planned}" if one.planned else str(one.epochs),
        duration(one.seconds),
        one.note,
    )


def _reached(trial: TrialRow) -> str:
    if trial.value is None:
        return "" if trial.newest is None else f"{number(trial.newest)} so far"
    if trial.low is None or trial.high is None:
        return number(trial.value)
    return f"{number(trial.value)} [{number(trial.low)}, {number(trial.high)}]"


class TrialsTable:
    """The trials; of those that are there already, only what has changed is drawn again."""

    def __init__(self) -> None:
        self._none = Part(_no_trials, h("div"))
        self._table = h("div", "", "scroll", tabindex="0", role="region", aria_label="Trials")
        with self._table, h("table", "", "rows", aria_label="Trials"):
            self._head = Part(_heading, h("thead"))
            self._rows = Parts[TrialCells](_number, lambda: h("tr"), _cells, h("tbody"))
        self._left = Part(_left_out, h("div"))

    def show(self, shown: Trials) -> None:
        """Show these."""
        self._none.show(bool(shown.rows))
        self._table.set_visibility(bool(shown.rows))
        self._head.show(shown.head)
        self._rows.show(shown.rows)
        self._left.show(shown.left_out)


def _no_trials(there_are: bool) -> None:
    if not there_are:
        h("p", "None has ended yet.", "soft")


def _left_out(count: int) -> None:
    if count:
        h("p", f"{count} more trials; the run's page has them all among its candidates.", "soft small")


def _heading(head: tuple[str, ...]) -> None:
    with h("tr"):
        for at, title in enumerate(head):
            h("th", title, _kind(at, head), scope="col")


def _cells(row: TrialCells) -> None:
    for at, cell in enumerate(row.cells):
        with h("td", "" if at == _STATE and row.won else cell, _kind(at, row.cells)):
            if at == _STATE and row.won:
                with h("span", "", "badge is-passed"):
                    h("span", "✓", aria_hidden="true")
                    h("span", "winner")


def _kind(at: int, row: Sequence[str]) -> str:
    return "number" if 2 <= at < len(row) - 1 else ""


def _number(row: TrialCells) -> str:
    return row.cells[0]
