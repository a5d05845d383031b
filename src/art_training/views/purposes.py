"""What each step asks, for a reader who does not know it; it stands with the step, whose source is read and not run."""

import ast
from functools import cache

from art_training.plugins import offered, source_files
from art_training.views.written import constants, literal

_SAID = "purpose"


@cache
def purpose_of(kind: str) -> str:
    """The `purpose` of a step that ART or another distribution offers, by its class; empty of others, which speak for themselves."""
    point = offered("steps").get(kind)
    module, _, name = (point.value if point else "").partition(":")
    for file in source_files(module) if module else ():
        try:
            said = purpose_in(ast.parse(file.read_text(encoding="utf-8")), name)
        except (LookupError, SyntaxError, ValueError, OSError):  # put together as it runs, or no source at all
            continue
        if said:
            return said
    return ""


def purpose_in(module: ast.Module, kind: str) -> str:
    """The `purpose` of a class that stands in a module.

    Raises:
        LookupError: it is no literal.
    """
    for node in module.body:
        for one in node.body if isinstance(node, ast.ClassDef) and node.name == kind else ():
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                name, value = one.target.id, one.value
            elif isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                name, value = one.targets[0].id, one.value
            else:
                continue
            if name == _SAID and value is not None:
                return str(literal(value, dict(constants(module))))
    return ""
