"""All rules, found in the files of this room."""

import hashlib
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from art_training.rules.rule import Rule


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, by code.

    To add one, write it in the file of its category.
    """
    found: dict[str, Rule] = {}
    package = import_module("art_training.rules")
    for module in iter_modules(package.__path__):
        for value in vars(import_module(f"{package.__name__}.{module.name}")).values():
            if isinstance(value, Rule):
                assert found.setdefault(value.code, value) is value, f"two rules are called {value.code}"
    return tuple(found[code] for code in sorted(found))


def spelled(code: Any) -> str:
    """A code as it is written: `ART402`, of `art402` or `402` too."""
    text = str(code).strip().upper()
    return text if text.startswith("ART") else f"ART{text}"


def rule_called(code: Any) -> Rule | None:
    """The rule of a code as one may write it: `ART402`, `art402`, `402`; None where there is none."""
    wanted = spelled(code)
    return next((one for one in rules() if one.code == wanted), None)


@cache
def version() -> str:
    """What the rules are: a digest of the code of all rules and of what measures for them."""
    digest = hashlib.sha256()
    room = Path(__file__).parent
    for folder in (room, room.parent / "probes", room.parent / "diagnosis"):
        for file in sorted(folder.glob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]
