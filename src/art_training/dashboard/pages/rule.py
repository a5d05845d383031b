"""What one code stands for, as `art explain` says it."""

import asyncio
import re
import textwrap

from nicegui import ui

from art_training.dashboard.parts.frame import Crumb, Desk, frame
from art_training.dashboard.parts.html import facts, h, link
from art_training.dashboard.parts.severities import rule_query, severity_badge
from art_training.views.rulebook import RuleRow, rule_of, rules_known

_ADDRESS = re.compile(r"(https?://[^\s)]+)(.*)", re.DOTALL)


def register(_: Desk) -> None:
    """Make `/rule` known; what it shows is in no store."""

    @ui.page("/rule")
    async def rule(code: str, name: str = "") -> None:
        row = await asyncio.to_thread(rule_of, code)
        crumbs = [Crumb("Projects", "/"), Crumb("Rules", "/rules", {"name": name} if name else None)]
        if name:
            crumbs.insert(1, Crumb(name, "/project", {"name": name}))
        if row is None:
            with frame(code, project=name, at="/rules", crumbs=crumbs):
                _unknown(code, name)
            return
        known = await asyncio.to_thread(rules_known)
        with frame(f"{row.code}: {row.name}", project=name, at="/rules", crumbs=crumbs):
            _head(row)
            if name:
                link(f"Findings of it in {name}", "/findings", "small", query={"name": name, "find": row.code})
            if row.finds:
                _explained(row)
            else:
                _seen(row)
            _related(row, known, name)


def _unknown(code: str, project: str) -> None:
    with h("p", "", "card call"):
        h("span", "There is no such code. ")
        link("Look for it among the rules", "/rules", query={"find": code, **({"name": project} if project else {})})


def _head(row: RuleRow) -> None:
    with h("div", "", "badges"):
        severity_badge(*row.severities)
        facts(
            [
                ("category", row.category),
                ("told by", row.told_by),
                ("from the stage", row.stage),
                ("plug-in", row.origin),
            ]
        )


def _explained(row: RuleRow) -> None:
    for title, text in (("It finds", row.finds), ("It matters, because", row.why)):
        with h("section", "", "card"):
            h("h2", title)
            h("p", text, "prose")
    with h("div", "", "pair"):
        for title, kind, text in (("Wrong", "is-failed", row.wrong), ("Right", "is-passed", row.right)):
            with h("section", "", "card"):
                h("h2", title, f"stripe {kind}")
                h("pre", textwrap.dedent(text).strip("\n"), "log", tabindex="0", aria_label=f"{title}: code")
    with h("section", "", "card"):
        h("h2", "To silence it")
        with h("ul", "", "plain"):
            for name, meaning in (row.settles or {}).items():
                with h("li"):
                    h("span", "declare ")
                    h("code", name)
                    h("span", f": {meaning}")
            with h("li"):
                h("code", f"ignore={{'{row.code}': 'the reason'}}")
                h("span", ", or on the command line ")
                h("code", f"--ignore {row.code}='the reason'")
    with h("section", "", "card"):
        h("h2", "Source")
        _source(row.source)


def _seen(row: RuleRow) -> None:
    with h("section", "", "card"):
        h("h2", "Where")
        h(
            "p",
            f"It is told by {row.told_by}, each time with its numbers, its place and what to change: a run's page, and "
            "`art show STEP`, list the findings of a step. A finding does not fail a step; checks do.",
            "prose",
        )


def _source(text: str) -> None:
    found = _ADDRESS.fullmatch(text)
    with h("p", "", "prose"):
        if found is None:
            h("span", text)
            return
        h("a", found[1], href=found[1], rel="noopener noreferrer", target="_blank")
        h("span", found[2])


def _related(row: RuleRow, known: tuple[RuleRow, ...], project: str) -> None:
    """What it explains, and what explains it."""
    beneath = [one for one in known if one.code in row.symptoms]
    above = [one for one in known if row.code in one.symptoms]
    for title, rows in (("Told beneath it, since it explains them", beneath), ("May be explained by", above)):
        if rows:
            with h("section", "", "card"):
                h("h2", title)
                with h("ul", "", "plain"):
                    for one in rows:
                        with h("li"):
                            link(f"{one.code}: {one.name}", "/rule", query=rule_query(one.code, project))
