"""What a code object reaches for: global names with their attributes, and modules that it imports when it runs."""

import dis
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from art_training.setup.identity.calls import Chain

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


@dataclass(frozen=True)
class Import:
    """An import statement inside a function.

    Attributes:
        module: as written; empty for `from . import x`.
        level: how many dots stand before it.
        names: what is imported from it.
    """

    module: str
    level: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class References:
    """What a code object and the functions inside it reach for, in order and each once.

    Attributes:
        names: global names with the attributes taken of them: `helpers.f(x)` is `("helpers", "f")`.
        imports: modules imported when it runs.
        mentioned: every name and attribute that occurs, wherever it comes from.
    """

    names: tuple[Chain, ...]
    imports: tuple[Import, ...]
    mentioned: frozenset[str]


def references(code: CodeType) -> References:
    """Read a code object."""
    kept = _SEEN.get(id(code))
    if kept is None:
        found = list(_walk(code))
        names = dict.fromkeys(item for item in found if isinstance(item, tuple))
        imports = dict.fromkeys(item for item in found if isinstance(item, Import))
        kept = _SEEN[id(code)] = (code, References(tuple(names), tuple(imports), frozenset(_mentioned(code))))
    return kept[1]


# The code object is kept beside what was read so that its id stays its own.
_SEEN: dict[int, tuple[CodeType, References]] = {}


def _walk(code: CodeType) -> Iterator[Chain | Import]:
    chain: Chain = ()
    constants: list[Any] = []
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if chain and name in _ATTRIBUTE:
            chain = (*chain, str(instruction.argval))
            continue
        if name == "EXTENDED_ARG":
            continue
        if chain:
            yield chain
            chain = ()
        if name in _GLOBAL:
            chain = (str(instruction.argval),)
        elif name == "IMPORT_NAME":
            level, names = constants[-2:]
            yield Import(str(instruction.argval), int(level), tuple(names or ()))
        constants = [*constants[-1:], instruction.argval]
    if chain:
        yield chain
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk(constant)


def _mentioned(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _mentioned(constant)
