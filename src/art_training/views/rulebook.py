"""What each code of a finding stands for, told without what measures: the rules are read, not run."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from art_training.plugins import Extension, of_others, source_files
from art_training.records.codes import CODES, OWN_PREFIX, spelled
from art_training.views.written import constants, literal

_GROUP = "rules"


@dataclass(frozen=True)
class RuleRow:
    """What is known of one code.

    Attributes:
        code: it.
        name: what is wrong, in a few words.
        severities: that it can have, the worst first; a rule's finding may be milder than the rule.
        category: of the fault; empty where a step tells it.
        stage: of a diagnosis, at which it is judged; empty where a step tells it.
        told_by: what tells it.
        finds: what is found, and how it is told.
        why: why it matters.
        wrong: an example of code.
        right: the same without the fault.
        source: where it is described.
        settles: declarations that settle it, and what each of them says.
        symptoms: codes of findings that this one explains.
        origin: the distribution that it comes from, and its version; empty where that is ART.
    """

    code: str
    name: str
    severities: tuple[str, ...]
    category: str = ""
    stage: str = ""
    told_by: str = "a diagnosis"
    finds: str = ""
    why: str = ""
    wrong: str = ""
    right: str = ""
    source: str = ""
    settles: Mapping[str, str] | None = None
    symptoms: tuple[str, ...] = ()
    origin: str = ""


def rule_of(code: str) -> RuleRow | None:
    """What a code stands for, as one may write it: `ART402`, `art402` or `402`; None where there is no such code."""
    return _rulebook().get(spelled(code))


def rules_known() -> tuple[RuleRow, ...]:
    """Every code that a finding can have."""
    return tuple(_rulebook().values())


@cache
def _rulebook() -> Mapping[str, RuleRow]:
    found = {row.code: row for row in written_rules(source_files("art_training.rules"))}
    for code, seen in CODES.items():
        told = RuleRow(code, seen.what, seen.severities, told_by=seen.told_by)
        found[code] = replace(found[code], told_by=seen.told_by) if code in found else told
    rows = dict(sorted(found.items()))
    for one in of_others(_GROUP):
        rows |= {row.code: replace(row, origin=one.origin) for row in _of(one)}
    return rows


def _of(one: Extension) -> list[RuleRow]:
    """The rules of another distribution, in whose source they are read; where they are not written there as literals, imported.

    They are told also where they could not be used any more: findings of them may be kept.
    """
    try:
        rows = list(written_rules(source_files(one.value.partition(":")[0])))
    except (LookupError, SyntaxError, TypeError, ValueError, OSError):
        rows = []
    if not rows:
        rows = list(_imported(one))
    return sorted((row for row in rows if _belongs(row.code, one.name)), key=lambda row: row.code)


def _belongs(code: str, prefix: str) -> bool:
    digits = code.removeprefix(prefix)
    return not prefix.startswith(OWN_PREFIX) and code != digits and digits.isdigit()


def _imported(one: Extension) -> Iterator[RuleRow]:
    from art_training.rules.registry import origin_of, rules
    from art_training.setup.declarations import KNOWN

    for rule in rules():
        if origin_of(rule.code) == one:
            said = {name: getattr(rule, name) for name in _TOLD - {"severity", "settles", "stage"}}
            settles = {name: KNOWN[name] for name in rule.settles}
            severities = (rule.severity.value,)
            yield RuleRow(rule.code, rule.name, severities, stage=rule.stage.value, settles=settles, **said)


def written_rules(files: Iterable[Path]) -> Iterator[RuleRow]:
    """What the rules of these files say of themselves.

    Raises:
        LookupError: one is told in words that are not written there.
    """
    from art_training.setup.declarations import KNOWN

    for file in files:
        text = file.read_text(encoding="utf-8")
        if "rule(" not in text:
            continue
        module = ast.parse(text)
        known = dict(constants(module))
        for call in _declared(module):
            code, name = (literal(one, known) for one in call.args)
            told = {one.arg: literal(one.value, known) for one in call.keywords if one.arg in _TOLD}
            settles = {one: KNOWN[one] for one in told.pop("settles", ())}
            severities = (str(told.pop("severity")),)
            yield RuleRow(code, name, severities, settles=settles, **told)


_TOLD = {"category", "severity", "stage", "finds", "why", "wrong", "right", "source", "settles", "symptoms"}


def _declared(module: ast.Module) -> Iterator[ast.Call]:
    """The calls `@rule(...)` above functions."""
    for node in ast.walk(module):
        for one in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(one, ast.Call) and _name(one.func) == "rule":
                yield one


def _name(called: ast.expr) -> str:
    """`rule` of `rule` and of `rules.rule`."""
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
