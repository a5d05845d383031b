"""What a global name means: the project's own code or value, or something of a library."""

import builtins
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from art_training.setup.identity.calls import Chain
from art_training.setup.identity.origin import is_local_class, is_local_file, is_local_module, qualified_name


@dataclass(frozen=True)
class Found:
    """What a chain of names leads to.

    Attributes:
        value: the value.
        module: name of the module in whose namespace it was found.
        path: the names that lead to it there.
        library: its name, where it is a library's and so is only named; else empty.
    """

    value: Any
    module: str | None
    path: Chain
    library: str = ""


@dataclass(frozen=True)
class Missing:
    """A chain that leads nowhere; quietly, where nothing follows from that."""

    quiet: bool = False


def resolve(chain: Chain, namespace: Mapping[str, Any]) -> Found | Missing:
    """Follow `chain` from the globals of a function: through modules, and into plain objects that hold settings."""
    first, *rest = chain
    if first not in namespace:
        # A builtin is the same in every project; anything else is a name that is defined later, or never.
        return Missing(quiet=hasattr(builtins, first))
    value, module, path = namespace[first], namespace.get("__name__"), [first]
    while isinstance(value, ModuleType):
        if not is_local_module(value):
            return Found(value, module, tuple(path), library=value.__name__)
        if not rest:
            return Found(value, module, tuple(path))
        inner = _attribute(value, rest[0])
        if isinstance(inner, Missing):
            return inner
        module, value, path = value.__name__, inner, [rest.pop(0)]
    if _is_library_code(value):
        return Found(value, module, tuple(path), library=qualified_name(value))
    while rest and _is_settings(value) and rest[0] in vars(value):
        value = vars(value)[rest[0]]
        path.append(rest.pop(0))
    return Found(value, module, tuple(path))


def _attribute(module: ModuleType, name: str) -> Any:
    if name in vars(module):
        return vars(module)[name]
    return sys.modules.get(f"{module.__name__}.{name}", Missing())


def _is_library_code(value: Any) -> bool:
    if value is os.environ:  # most of it says nothing of the project; the variables that are read count one by one
        return True
    if isinstance(value, type):
        return not is_local_class(value)
    if isinstance(value, FunctionType) and not hasattr(value, "__wrapped__") and not value.__closure__:
        return not is_local_file(value.__code__.co_filename)
    return type(value).__name__ in {"builtin_function_or_method", "ufunc", "method_descriptor", "wrapper_descriptor"}


def _is_settings(value: Any) -> bool:
    """Whether an object only holds values, so that the one that is named can be read alone."""
    return hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value)
