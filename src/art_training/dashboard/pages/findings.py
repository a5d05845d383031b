"""Everything that was found wrong in a project, since when, and how it was settled."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from nicegui import ui
from nicegui.element import Element

from art_training.dashboard.parts.asking import Narrowing, narrowing_buttons, search_field, tell_address
from art_training.dashboard.parts.frame import Crumb, Desk, follow, frame
from art_training.dashboard.parts.html import facts, h, link
from art_training.dashboard.parts.live import Part, Parts
from art_training.dashboard.parts.severities import LOOKS, rule_query, severity_badge
from art_training.records import Severity, plain
from art_training.records.counted import counted
from art_training.views.findings import FindingRow, FindingState, findings_of
from art_training.views.readable import readable
from art_training.views.rows import short
from art_training.views.wording import when

MOST = 50  # cards of one state; a search narrows them

_STATES: dict[FindingState, tuple[str, str, str]] = {
    "open": ("Open", "✗", "is-failed"),
    "not judged": ("Not judged again", "?", "is-warned"),
    "settled": ("Settled", "✓", "is-passed"),
}


@dataclass(frozen=True)
class Narrowed:
    """Which findings are shown; empty narrows nothing."""

    find: str = ""
    states: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()

    @classmethod
    def of(cls, find: str, state: str, severity: str) -> "Narrowed":
        """As an address says it; what is no state and no severity is left aside."""
        return cls(find, _among(state, get_args(FindingState)), _among(severity, tuple(Severity)))

    def of_rows(self, rows: Sequence[FindingRow]) -> tuple[FindingRow, ...]:
        """Those that are shown."""
        words = self.find.lower().split()
        return tuple(
            row
            for row in rows
            if (not self.states or row.state in self.states)
            and (not self.severities or row.severity in self.severities)
            and all(word in _searched(row) for word in words)
        )

    def query(self, project: str) -> dict[str, str]:
        """As an address says it."""
        states, severities = (",".join(sorted(one)) for one in (self.states, self.severities))
        return {"name": project, "find": self.find, "state": states, "severity": severities}


def register(desk: Desk) -> None:
    """Make `/findings` known."""

    @ui.page("/findings")
    async def findings(name: str, find: str = "", state: str = "", severity: str = "") -> None:
        crumbs = [Crumb("Projects", "/"), Crumb(name, "/project", {"name": name})]
        with frame("Findings", project=name, at="/findings", crumbs=crumbs):
            shown = _Shown(name, Narrowed.of(find, state, severity))
            await follow(desk, lambda store: findings_of(store, name), shown.show)


class _Shown:
    """What the page shows of the findings.

    Args:
        project: whose they are.
        narrowed: which of them.
    """

    def __init__(self, project: str, narrowed: Narrowed) -> None:
        self._project, self._narrowed = project, narrowed
        self._rows: tuple[FindingRow, ...] = ()
        with h("div", "", "narrowing"):
            search_field("Find a code, or words", narrowed.find, self._search)
            states = [Narrowing(key, title, look, key in narrowed.states) for key, (title, _, look) in _STATES.items()]
            narrowing_buttons("Only findings that stand so", states, self._choose_states)
            levels = [Narrowing(one, one, LOOKS[one][1], one in narrowed.severities) for one in Severity]
            narrowing_buttons("Only findings of this severity", levels, self._choose_severities)
        self._told = Part(_told, h("p", "", "soft small counted", role="status"))
        self._bars = Part(_about_bars, h("div"))
        self._sections = {state: _Section(state, project) for state in _STATES}

    def show(self, rows: tuple[FindingRow, ...]) -> None:
        """Show these, as far as they are asked for."""
        self._rows = rows
        chosen = self._narrowed.of_rows(rows)
        self._told.show((len(chosen), len(rows)))
        self._bars.show(bool(chosen))
        spans = [moment for row in rows for moment in (row.first_seen, row.last_seen)]
        for state, section in self._sections.items():
            section.show([row for row in chosen if row.state == state], spans)

    def _search(self, text: str) -> None:
        self._narrow(Narrowed(text, self._narrowed.states, self._narrowed.severities), turned=False)

    def _choose_states(self, states: frozenset[str]) -> None:
        self._narrow(Narrowed(self._narrowed.find, states, self._narrowed.severities))

    def _choose_severities(self, severities: frozenset[str]) -> None:
        self._narrow(Narrowed(self._narrowed.find, self._narrowed.states, severities))

    def _narrow(self, narrowed: Narrowed, *, turned: bool = True) -> None:
        self._narrowed = narrowed
        self.show(self._rows)
        tell_address("/findings", narrowed.query(self._project), turned=turned)


@dataclass(frozen=True)
class Card:
    """One finding, and the time over which all were seen."""

    row: FindingRow
    begin: datetime
    end: datetime


class _Section:
    """The findings of one state."""

    def __init__(self, state: FindingState, project: str) -> None:
        self._title = _STATES[state][0]
        self._inside = h("section", aria_label=self._title)
        self._inside.set_visibility(False)
        with self._inside:
            self._head = Part(self._draw_head, h("div"))

            def draw(card: Card) -> None:
                _card(card, project)

            self._cards = Parts[Card](_key, _article, draw, h("div"))
            self._rest = Part(_rest, h("div"))

    def show(self, rows: Sequence[FindingRow], spans: Sequence[datetime]) -> None:
        self._inside.set_visibility(bool(rows))
        self._head.show(len(rows))
        self._cards.show(Card(row, min(spans), max(spans)) for row in rows[:MOST])
        self._rest.show(max(0, len(rows) - MOST))

    def _draw_head(self, count: int) -> None:
        with h("h2", "", "group"):
            h("span", self._title)
            h("span", str(count), "soft")


def _told(found: tuple[int, int]) -> None:
    shown, known = found
    if not known:
        h("span", "Nothing was found wrong so far. `art diagnose` looks for faults; steps tell what they see.")
    elif not shown:
        h("span", f"None of {known} is like this; take a word or a button back.")
    else:
        h("span", f"{counted(shown, 'finding')} of {known}")


def _about_bars(shown: bool) -> None:
    if shown:
        h("p", "A bar shows when each was seen, from the first finding of all to the last.", "soft small")


def _rest(count: int) -> None:
    if count:
        h("p", f"{count} more; search to narrow them.", "soft small")


def _article() -> Element:
    return h("article", "", "card finding")


def _card(card: Card, project: str) -> None:
    row = card.row
    title, sign, look = _STATES[row.state]
    with h("div", "", "badges"):
        severity_badge(row.severity.value)
        with h("h3"):
            link(row.code, "/rule", "mono", query=rule_query(row.code, project))
        h("span", ", ".join(filter(None, (row.category, row.step))), "soft small")
        with h("span", "", f"badge {look}"):
            h("span", sign, aria_hidden="true")
            h("span", _settled(row) or title.lower())
    h("p", row.message, "prose")
    facts([("what to do", row.remedy), ("where", row.newest[0].where), ("confirmed by", row.confirmed_by)])
    if row.reason:
        h("p", _REASONS[row.settled] + row.reason, "why")
    _history(card)
    if len(row.newest) > 1:
        with h("details"):
            h("summary", f"{counted(len(row.newest), 'place')} like it")
            with h("ul", "", "plain small"):
                for one in row.newest:
                    h("li", ": ".join(filter(None, (one.where, one.message))))
    if row.evidence:
        with h("details"):
            h("summary", "Its numbers")
            facts([(name, readable(plain(value))) for name, value in row.evidence.items()])


_REASONS = {"": "It could not be judged again: ", "ignored": "Because: ", "declared": "Declared: ", "gone": ""}


def _settled(row: FindingRow) -> str:
    return {"": "", "gone": "settled: no longer found"}.get(row.settled, f"settled: {row.settled}")


def _history(card: Card) -> None:
    """Since when and until when, in words and as a stretch of the time over which anything was found."""
    row = card.row
    with h("div", "", "seen small"):
        whole = (card.end - card.begin).total_seconds() or 1.0
        begin = 100 * (row.first_seen - card.begin).total_seconds() / whole
        length = 100 * (row.last_seen - row.first_seen).total_seconds() / whole
        with h("div", "", "span", aria_hidden="true"):
            h("div", "", _STATES[row.state][2], style=f"left: {min(begin, 97):.2f}%; width: {max(length, 3):.2f}%")
        h("span", f"seen in {counted(len(row.runs), 'run')}:", "soft")
        link(f"first {when(row.first_seen)}", "/run", query={"id": row.runs[0]})
        if len(row.runs) > 1:
            link(f"last {when(row.last_seen)}", "/run", query={"id": row.runs[-1]})
        if row.settled_by:
            link(f"settled by {short(row.settled_by)}", "/run", query={"id": row.settled_by})


def _key(card: Card) -> tuple[str, str, str]:
    return card.row.step, card.row.code, re.sub(r"\d+", "#", card.row.newest[0].where)


def _among(text: str, known: Sequence[str]) -> frozenset[str]:
    return frozenset(text.split(",")) & frozenset(known)


def _searched(row: FindingRow) -> str:
    told = (row.code, row.category, row.step, row.message, row.remedy, *(one.where for one in row.newest))
    return " ".join(told).lower()
