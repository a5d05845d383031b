"""`art rules` and `art explain`: what is looked for, and why."""

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.completing import complete_codes
from art_training.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from art_training.records.codes import Seen

_WIDTH = 88
_STYLES = {"error": "red", "warning": "yellow", "info": "cyan"}


def rules(*, json: Json = False) -> None:
    """List the rules of `art diagnose`."""
    from art_training.cli.output import put_json
    from art_training.plugins import OWN
    from art_training.rules import rules as known
    from art_training.rules.registry import origin_of

    def of(code: str) -> str:
        origin = origin_of(code)
        return origin.distribution if origin else OWN

    if json:
        put_json(
            {
                "rules": [
                    {
                        "code": one.code,
                        "name": one.name,
                        "category": one.category,
                        "severity": one.severity.value,
                        "stage": one.stage.value,
                        "distribution": of(one.code),
                    }
                    for one in known()
                ]
            }
        )
        return
    from rich.text import Text

    from art_training.cli.output import console, table

    several = any(origin_of(one.code) for one in known())
    drawn = table("code", "finds", "category", "severity", "from", *(["of"] if several else []))
    for column in drawn.columns:
        column.no_wrap = column.header != "finds"
    for one in known():
        style = _STYLES[one.severity.value]
        cells = (one.code, one.name, one.category, Text(one.severity.value, style), one.stage.value)
        last = (of(one.code),) if several else ()
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in (*cells, *last)))
    shown = console()
    shown.print(drawn)
    shown.print(Text("\n`art explain CODE` says more of one.", "dim"))


def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Such as ART402, or 402.", autocompletion=complete_codes)],
) -> None:
    """Say what a rule finds and why it matters.

    With an example that is wrong and one that is right, and how to silence it. Of a code that steps use, what was seen.
    """
    from rich.text import Text

    from art_training.cli.output import console
    from art_training.errors import UsageError
    from art_training.records.codes import CODES, spelled
    from art_training.rules import rule_called
    from art_training.rules.registry import origin_of
    from art_training.setup.declarations import KNOWN

    rule = rule_called(code)
    drawn = console()
    width = min(drawn.width, _WIDTH)
    if rule is None:
        wanted = spelled(code)
        if wanted not in CODES:
            raise UsageError(
                f"{code} is no code; `art rules` lists the rules, `art show STEP` the findings of a step, `art plugins` what other "
                "distributions offer"
            )
        _explain_seen(drawn, wanted, CODES[wanted], width)
        return
    kind = rule.severity.value
    drawn.print(Text.assemble((f"{rule.code} ", _STYLES[kind]), (rule.name, "bold"), f" ({rule.category}, {kind})"))
    for title, text in (("It finds", rule.finds), ("It matters, because", rule.why)):
        _titled(drawn, title, textwrap.wrap(text, width - 2, break_on_hyphens=False))
    for title, text in (("Wrong", rule.wrong), ("Right", rule.right)):
        _titled(drawn, title, textwrap.dedent(text).strip("\n").splitlines())
    ignored = f"ignore={{'{rule.code}': 'the reason'}}, or --ignore {rule.code}='the reason'"
    settled = [f"declare {one}: {KNOWN[one]}" for one in rule.settles]
    wrapped = [textwrap.wrap(one, width - 2, subsequent_indent="  ") for one in (*settled, ignored)]
    _titled(drawn, "To silence it", [line for one in wrapped for line in one])
    origin = origin_of(rule.code)
    if origin is not None:
        _titled(drawn, "It comes with", [f"the plug-in {origin.origin}"])
    _titled(drawn, "Source", textwrap.wrap(rule.source, width - 2, break_long_words=False, break_on_hyphens=False))


def _explain_seen(drawn: "Console", code: str, seen: "Seen", width: int) -> None:
    from rich.text import Text

    worst = _STYLES[seen.severities[0]]
    drawn.print(Text.assemble((f"{code} ", worst), (seen.what, "bold"), f" ({' or '.join(seen.severities)})"))
    told = (
        f"It is told by {seen.told_by}, each time with its numbers, its place and what to change: `art show STEP` lists the "
        "findings of a step. A finding does not fail a step; checks do."
    )
    _titled(drawn, "Where", textwrap.wrap(told, width - 2, break_on_hyphens=False))


def _titled(drawn: "Console", title: str, lines: list[str]) -> None:
    from rich.text import Text

    drawn.print()
    drawn.print(Text(f"{title}:", "bold"))
    for line in lines:
        drawn.print(Text(f"  {line}"), soft_wrap=True)
