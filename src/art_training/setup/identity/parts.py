"""What a walk over code finds, under the names that its components have."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

from art_training.records import Plain
from art_training.setup.identity.origin import is_local_class, is_local_file

_CODE = (
    type,
    FunctionType,
    MethodType,
    functools.partial,
    property,
    staticmethod,
    classmethod,
    functools.cached_property,
)


@dataclass(frozen=True)
class Part:
    """One component before it has its final name: two of one name are told apart by their modules."""

    module: str
    name: str
    value: Plain


def named_parts(label: str, parts: Sequence[Part]) -> dict[str, Plain]:
    """The components by name; two of one name are told apart by their modules, then by number."""
    owners: dict[str, set[str]] = {}
    for part in parts:
        owners.setdefault(part.name, set()).add(part.module)
    named: dict[str, Plain] = {}
    for part in parts:
        shared = len(owners[part.name]) > 1
        name = f"{label}: {part.module}.{part.name}" if shared else f"{label}: {part.name}"
        unique, count = name, 1
        while unique in named and named[unique] != part.value:
            count += 1
            unique = f"{name} #{count}"
        named[unique] = part.value
    return named


def is_code(value: Any) -> bool:
    """Whether a value is walked as code."""
    return isinstance(value, _CODE) or isinstance(getattr(value, "__wrapped__", None), FunctionType)


def is_local_code(value: Any) -> bool:
    """Whether it is code of the project's own."""
    if isinstance(value, type):
        return is_local_class(value)
    code = getattr(getattr(value, "__func__", value), "__code__", None)
    return isinstance(code, CodeType) and is_local_file(code.co_filename)


def cells(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The variables that a function closes over, with their values."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # the variable has no value yet
            continue
