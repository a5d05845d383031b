"""`art rules` and `art explain`: what is looked for, and why."""

import sys
import textwrap
from typing import Annotated

import typer

from art_training.cli.options import Json

_WIDTH = 88


def rules(*, json: Json = False) -> None:
    """List the rules of `art diagnose`."""
    from art_training.cli.output import put_json
    from art_training.rules import rules as known

    if json:
        put_json(
            {
                "rules": [
                    {"code": one.code, "name": one.name, "category": one.category, "severity": one.severity.value}
                    for one in known()
                ]
            }
        )
        return
    width = max(len(one.category) for one in known())
    for one in known():
        sys.stdout.write(f"{one.code}  {one.category:<{width}}  {one.severity.value:<7}  {one.name}\n")


def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="Such as ART402.")]) -> None:
    """Say what a rule finds, why it matters, what is wrong and right, and how to silence it."""
    from art_training.errors import UsageError
    from art_training.rules import rules as known

    found = {one.code: one for one in known()}
    if code.upper() not in found:
        raise UsageError(f"{code} is no rule; `art rules` lists them")
    rule = found[code.upper()]
    out = [f"{rule.code} {rule.name} ({rule.category}, {rule.severity.value})"]
    for title, text in (("It finds", rule.finds), ("It matters, because", rule.why)):
        out += ["", f"{title}:", *textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")]
    for title, text in (("Wrong", rule.wrong), ("Right", rule.right)):
        out += ["", f"{title}:", textwrap.indent(text.strip("\n"), "  ")]
    settled = "".join(f"declare {one}, or " for one in rule.settles)
    out += ["", f"To silence it: {settled}ignore={{'{rule.code}': 'the reason'}}", "", f"Source: {rule.source}"]
    sys.stdout.write("\n".join(out) + "\n")
