"""Modules that a function imports when it runs.

Whether such a module is loaded yet depends on what ran before, so it is never asked: its file is found as the import system
would find it, and read. All of it counts, with the project's own modules that it imports in turn.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from art_training.setup.identity.origin import is_local_file
from art_training.setup.identity.references import Import
from art_training.setup.identity.source import module_digest


def imported_sources(statement: Import, namespace: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The project's own modules that an import statement reaches: `(name, digest of the source)`."""
    package = str(namespace.get("__package__") or "")
    waiting = [*_named(statement, package)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop(0)
        file = None if name in seen else _file_of(name)
        seen.add(name)
        if file is None:
            continue
        status = file.stat()
        digest, statements = _read(file, status.st_mtime_ns, status.st_size)
        yield name, digest
        inner = name if file.name == "__init__.py" else name.rpartition(".")[0]
        waiting.extend(found for each in statements for found in _named(each, inner))


def _named(statement: Import, package: str) -> Iterator[str]:
    """Full names of the modules that a statement may import."""
    base = package
    for _ in range(statement.level - 1):
        base = base.rpartition(".")[0]
    parts = [base] if statement.level and base else []
    name = ".".join([*parts, statement.module] if statement.module else parts)
    if name:
        yield name
    yield from (f"{name}.{item}" if name else item for item in statement.names)


def _file_of(name: str) -> Path | None:
    if name.partition(".")[0] in sys.stdlib_module_names:
        return None
    relative = Path(*name.split("."))
    for folder in sys.path:
        for candidate in (
            Path(folder or ".") / relative / "__init__.py",
            Path(folder or ".") / relative.with_suffix(".py"),
        ):
            if candidate.is_file():
                return candidate.absolute() if is_local_file(str(candidate)) else None
    return None


@cache
def _read(file: Path, _changed: int, _size: int) -> tuple[str, tuple[Import, ...]]:  # Read again when it changed.
    text = file.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return f"not Python: {error.msg}, line {error.lineno}", ()
    found: list[Import] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, 0, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(Import(node.module or "", node.level, tuple(alias.name for alias in node.names)))
    return module_digest(text), tuple(found)
