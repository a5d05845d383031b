"""All rules, found in the files of this room."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

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
