"""What source code says of itself, read and not run: importing what trains costs seconds that whoever looks has no need of."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

_WORDS = {"Severity", "Stage"}


def constants(module: ast.Module) -> Iterator[tuple[str, Any]]:
    """Names that a file gives to literals, which its rules may be told with."""
    known: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                known[node.targets[0].id] = literal(node.value, known)
            except LookupError:
                continue
            yield node.targets[0].id, known[node.targets[0].id]


def literal(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """What a literal says, or one that is put together of literals and of words of an enumeration.

    Raises:
        LookupError: it is put together of something else.
    """
    match node:
        case ast.Constant(value):
            return value
        case ast.Tuple(elts) | ast.List(elts):
            return tuple(literal(one, known) for one in elts)
        case ast.Name(name):
            return known[name]
        case ast.Attribute(ast.Name(owner), word) if owner in _WORDS:
            return word.lower()
        case ast.JoinedStr(parts):
            return "".join(str(literal(one, known)) for one in parts)
        case ast.FormattedValue(value, format_spec=spec):
            return format(literal(value, known), "" if spec is None else literal(spec, known))
        case ast.BinOp(left, ast.Add(), right):
            return literal(left, known) + literal(right, known)
        case _:
            raise LookupError(ast.unparse(node))
