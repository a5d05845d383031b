"""What is only decided when a function runs: modules imported by name, code that is a text, the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from art_training.setup.identity.calls import ENVIRONMENT, Call, Calls, Chain
from art_training.setup.identity.reads import Reads
from art_training.setup.identity.references import Import, references

_IMPORTS = frozenset({("importlib", "import_module"), ("import_module",), ("__import__",), ("runpy", "run_module")})
_RUNS = frozenset({("exec",), ("eval",), ("builtins", "exec"), ("builtins", "eval")})
_BY_NAME = "imports a module by a name that is made when it runs"
_CODE = "runs code that is made when it runs"

# They say which process of a training this is and where the others are, which no result depends on.
_OF_THE_PROCESS = frozenset({"LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT"})


@dataclass
class Late:
    """What a function decides when it runs.

    Attributes:
        imports: modules that it imports by a name that is known.
        unknown: what it does that cannot be known, in words.
        variables: environment variables that it reads.
        asks: whether it looks at the environment in a way that does not say for which variable.
    """

    imports: list[Import] = field(default_factory=list[Import])
    unknown: list[str] = field(default_factory=list[str])
    variables: tuple[str, ...] = ()
    asks: bool = False


def late(function: FunctionType, calls: Calls | None, given: Mapping[str, Any]) -> Late:
    """Read a function; `given` are arguments that are known by name."""
    if calls is None:
        return _by_names(function)
    found = Late(
        variables=tuple(name for name in calls.variables if name not in _OF_THE_PROCESS),
        asks=calls.asks,
    )
    for call in calls.calls:
        if call.name in _RUNS and call.roots:
            found.unknown.append(_CODE)
        elif call.name in _IMPORTS:
            names = _names(function, call, given)
            found.imports += [_statement(name) for name in names]
            if not names:
                found.unknown.append(_BY_NAME)
    return found


def _by_names(function: FunctionType) -> Late:
    """Where the syntax tree is not known, the names say what is done, though not with what."""
    found = references(function.__code__)
    asks = bool(ENVIRONMENT & found.mentioned)
    unknown = [_BY_NAME] if _IMPORTS & set(found.names) else []
    return Late([], [*unknown, *([_CODE] if _RUNS & set(found.names) else [])], asks=asks)


def _names(function: FunctionType, call: Call, given: Mapping[str, Any]) -> list[str]:
    """Names of the modules that a call imports; none where one of them is put together or is not known."""
    reads = Reads(given)
    roots: list[Chain] = [chain for chain in call.roots if chain != call.name[:-1]]
    if call.texts:
        return list(call.texts) if {*roots} <= {("__package__",), ("__name__",)} else []
    values = [reads.value(function, chain) for chain in roots]
    return [value for value in values if isinstance(value, str)] if all(isinstance(v, str) for v in values) else []


def _statement(name: str) -> Import:
    bare = name.lstrip(".")
    return Import(bare, len(name) - len(bare), ())
