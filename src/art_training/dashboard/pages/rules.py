"""Every code that a finding can have, as `art rules` lists them."""

import asyncio
from collections.abc import Sequence

from nicegui import ui

from art_training.dashboard.parts.asking import search_field, tell_address
from art_training.dashboard.parts.frame import Crumb, Desk, frame
from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.live import Part, Parts
from art_training.dashboard.parts.severities import rule_query, severity_badge
from art_training.records.counted import counted
from art_training.views.rulebook import RuleRow, rules_known

Group = tuple[str, tuple[RuleRow, ...]]


def register(_: Desk) -> None:
    """Make `/rules` known; what it shows is in no store."""

    @ui.page("/rules")
    async def rules(find: str = "", name: str = "") -> None:
        known = await asyncio.to_thread(rules_known)
        crumbs = [Crumb("Projects", "/"), *([Crumb(name, "/project", {"name": name})] if name else [])]
        with frame("Rules", project=name, at="/rules", crumbs=crumbs):
            h(
                "p",
                "What is looked for, by its code. Each explains what it finds, why it matters and what to do.",
                "soft",
            )
            field = h("div")
            told = Part(_told, h("p", "", "soft small counted", role="status"))

            def draw(group: Group) -> None:
                _group(group, name)

            groups = Parts[Group](_category, lambda: h("section", "", "card"), draw, h("div"))

            def show(text: str) -> None:
                rows = matching(known, text)
                told.show((len(rows), len(known)))
                groups.show(grouped(rows))

            def search(text: str) -> None:
                show(text)
                tell_address("/rules", {"find": text, "name": name})

            with field:
                search_field("Find a code, or words of what it finds", find, search)
            show(find)


def matching(rows: Sequence[RuleRow], text: str) -> tuple[RuleRow, ...]:
    """Those that have every word of a text."""
    words = text.lower().split()
    return tuple(row for row in rows if all(word in _searched(row) for word in words))


def grouped(rows: Sequence[RuleRow]) -> tuple[Group, ...]:
    """By category; what steps find by themselves comes last."""
    groups: dict[str, list[RuleRow]] = {}
    for row in sorted(rows, key=lambda row: not row.category):
        groups.setdefault(row.category, []).append(row)
    return tuple((name, tuple(group)) for name, group in groups.items())


def _searched(row: RuleRow) -> str:
    return " ".join((row.code, row.name, row.category, *row.severities, row.told_by, row.finds, row.origin)).lower()


def _category(group: Group) -> str:
    return group[0]


def _told(found: tuple[int, int]) -> None:
    shown, known = found
    h("span", f"{counted(shown, 'rule')} of {known}" if shown else f"None of {known} has these words; take one away.")


def _group(group: Group, project: str) -> None:
    category, rows = group
    title = category or "told by the steps themselves"
    with h("h2", "", "group"):
        h("span", title[0].upper() + title[1:])
        h("span", str(len(rows)), "soft")
    with (
        h("div", "", "scroll", tabindex="0", role="region", aria_label=title),
        h("table", "", "rows rules", role="table", aria_label=title),  # roles: on a narrow screen its rows are blocks
    ):
        with h("thead", role="rowgroup"), h("tr", role="row"):
            for head in ("code", "finds", "severity", "told by"):
                h("th", head, scope="col", role="columnheader")
        with h("tbody", role="rowgroup"):
            for row in rows:
                _line(row, project)


def _line(row: RuleRow, project: str) -> None:
    with h("tr", role="row"):
        with h("td", role="cell"):
            link(row.code, "/rule", "mono", query=rule_query(row.code, project))
        h("td", row.name, role="cell")
        with h("td", role="cell"):
            severity_badge(*row.severities)
        told = (row.told_by, row.stage, row.origin)
        h("td", ", ".join(filter(None, told)), "soft", role="cell")
