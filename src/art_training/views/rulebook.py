"""What each code of a finding stands for, told without what measures: the rules are read, not run."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from art_training.records.codes import CODES

_ROOM = "rules"  # importing it would import torch, which a process that only looks has no need of
_WORDS = {"Severity", "Stage"}


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


def rule_of(code: str) -> RuleRow | None:
    """What a code stands for, as one may write it: `ART402`, `art402` or `402`; None where there is no such code."""
    text = code.strip().upper()
    return _rulebook().get(text if text.startswith("ART") else f"ART{text}")


def rules_known() -> tuple[RuleRow, ...]:
    """Every code that a finding can have."""
    return tuple(_rulebook().values())


@cache
def _rulebook() -> Mapping[str, RuleRow]:
    found = {row.code: row for row in _written()}
    for code, seen in CODES.items():
        told = RuleRow(code, seen.what, seen.severities, told_by=seen.told_by)
        found[code] = replace(found[code], told_by=seen.told_by) if code in found else told
    return dict(sorted(found.items()))


def _written() -> Iterator[RuleRow]:
    from art_training.setup.declarations import KNOWN

    for file in sorted(files("art_training").joinpath(_ROOM).iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".py"):
            continue
        text = file.read_text(encoding="utf-8")
        if "@rule(" not in text:
            continue
        module = ast.parse(text)
        constants = dict(_constants(module))
        for call in _declared(module):
            code, name = (_value(one, constants) for one in call.args)
            told = {one.arg: _value(one.value, constants) for one in call.keywords if one.arg in _TOLD}
            settles = {one: KNOWN[one] for one in told.pop("settles", ())}
            severities = (str(told.pop("severity")),)
            yield RuleRow(code, name, severities, settles=settles, **told)


_TOLD = {"category", "severity", "stage", "finds", "why", "wrong", "right", "source", "settles", "symptoms"}


def _declared(module: ast.Module) -> Iterator[ast.Call]:
    """The calls `@rule(...)` above functions."""
    for node in ast.walk(module):
        for one in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "rule":
                yield one


def _constants(module: ast.Module) -> Iterator[tuple[str, Any]]:
    """Names that a file gives to literals, which its rules may be told with."""
    known: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                known[node.targets[0].id] = _value(node.value, known)
            except LookupError:
                continue
            yield node.targets[0].id, known[node.targets[0].id]


def _value(node: ast.expr, constants: Mapping[str, Any]) -> Any:
    """What a literal says, or one that is put together of literals and of words of an enumeration.

    Raises:
        LookupError: it is put together of something else.
    """
    match node:
        case ast.Constant(value):
            return value
        case ast.Tuple(elts) | ast.List(elts):
            return tuple(_value(one, constants) for one in elts)
        case ast.Name(name):
            return constants[name]
        case ast.Attribute(ast.Name(owner), word) if owner in _WORDS:
            return word.lower()
        case ast.JoinedStr(parts):
            return "".join(str(_value(one, constants)) for one in parts)
        case ast.FormattedValue(value, format_spec=spec):
            return format(_value(value, constants), "" if spec is None else _value(spec, constants))
        case ast.BinOp(left, ast.Add(), right):
            return _value(left, constants) + _value(right, constants)
        case _:
            raise LookupError(ast.unparse(node))
