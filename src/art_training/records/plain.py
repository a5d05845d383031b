"""Plain data: what may be written into a store. Nothing is ever pickled.

Values that are not plain data are kept as their repr and marked so, so that a reader can tell `"adam"` from an object
whose repr happened to be that.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from enum import Enum
from os import PathLike, fspath
from typing import TypeAlias

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_MARK = "__repr__"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LONGEST = 10_000
_DEEPEST = 50


def plain(value: object) -> Plain:
    """`value` as JSON-like data; what is not plain becomes `{"__repr__": ..., "__type__": ...}` without its address."""
    return _plain(value, _DEEPEST)


def _plain(value: object, depth: int) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, PathLike):
        return str(fspath(value))
    if isinstance(value, date):
        return value.isoformat()
    if depth == 0:  # a value that holds itself, or as good as that
        return {_MARK: "...", "__type__": _name(type(value))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name), depth - 1) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((_plain(item, depth - 1) for item in value), key=repr)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(item, depth - 1) for item in value]
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():  # a scalar of numpy or torch
        return _plain(item(), depth - 1)
    return _marked(value)


def is_marked(value: object) -> bool:
    """Whether `value` is the stored form of something that was not plain data."""
    return isinstance(value, Mapping) and _MARK in value


def show(value: object) -> str:
    """`value`, plain data whose parts may be marked, as a person reads it."""
    if isinstance(value, Mapping):
        if _MARK in value:
            return str(value[_MARK])
        return "{" + ", ".join(f"{key!r}: {show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(show(item) for item in value) + "]"
    return repr(value)


def _marked(value: object) -> Plain:
    name = _name(type(value))
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        text = f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', '?')}"
    else:
        try:
            text = repr(value)
        except Exception as error:  # noqa: BLE001  A user's repr may raise anything; a record must still be made.
            text = f"<{name} whose repr raises {type(error).__name__}>"
    return {_MARK: _ADDRESS.sub("", text)[:_LONGEST], "__type__": name}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
