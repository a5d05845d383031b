"""What a project file says of its name and store, read without running it.

Importing a project imports torch and Lightning, which takes seconds; looking at history needs neither. So where the
source says plainly what the project is called and leaves the store to ART, that is enough. It works, too, where the
file does not import at the moment.
"""

import ast
from collections.abc import Iterator
from pathlib import Path


def glance(file: Path, name: str = "") -> str | None:
    """The name of the only project that a file declares, if its source says it plainly and leaves the store to ART.

    Args:
        file: Python source.
        name: the variable that holds the project; empty where it is the only one.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    calls = list(_declarations(tree))
    if len(calls) != 1:
        return None
    variable, call = calls[0]
    if name and variable != name:
        return None
    told = {keyword.arg for keyword in call.keywords}
    if None in told or "store" in told or "folder" in told or len(call.args) != 2:  # None: a `**mapping`
        return None
    first = call.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _declarations(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call of ArtProject, with the name that it is assigned to on the top level, if it is."""
    assigned = {
        id(node.value): node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == "ArtProject":
                yield assigned.get(id(node), ""), node
