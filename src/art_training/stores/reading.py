"""Plain data as frozen dataclasses: exactly the types that records are made of, and nothing converted in silence.

A library for this costs 0.1 s at the start of every command, a fifth of what a run may take that only recalls.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache, partial
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
Reader = Callable[[Any, str], Any]


class Unreadable(ValueError):
    """A text is not a record of the wanted kind; the message says where it is wrong."""


def decode(kind: type[Record], data: object) -> Record:
    """The record of this kind that `data`, plain data, is the stored form of. Fields that this ART lacks are ignored.

    Raises:
        Unreadable: it is not one.
        TypeError: a field of `kind` is declared with a type that records do not use.
    """
    return cast("Record", _reader(kind)(data, ""))


@cache
def _reader(kind: Any) -> Reader:
    """What reads a value of a type: called with the value and with where it stands."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return _as_it_is
    if kind in {str, bool, int, float, types.NoneType}:
        return partial(_scalar, kind)
    if kind is datetime:
        return _time
    if origin is tuple and arguments[1:] == (...,):
        return partial(_tuple, arguments[0], _reader(arguments[0]))
    if origin is Mapping:
        return partial(_mapping, _reader(arguments[1]))
    if origin is Literal:
        return partial(_one_of, arguments)
    if origin in {Union, types.UnionType}:
        return partial(_optional, _reader(_not_none(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return partial(_enum, kind)
    if is_dataclass(kind):
        return _Dataclass(cast("type[Any]", kind))
    raise TypeError(f"records do not use the type {kind}")


def _as_it_is(value: Any, where: str) -> Any:  # noqa: ARG001  Every reader is told where it reads.
    return value


def _scalar(kind: type, value: Any, where: str) -> Any:
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    raise _wrong(where, value, kind.__name__)


def _time(value: Any, where: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise _wrong(where, value, "time") from None


def _tuple(kind: Any, reader: Reader, value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, value, "list")
    items = cast("list[Any]", value)
    if kind in {int, float, str} and all(type(item) is kind for item in items):
        return tuple(items)  # Curves are long.
    return tuple(reader(item, f"{where}.{index}") for index, item in enumerate(items))


def _mapping(reader: Reader, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, value, "mapping")
    return {name: reader(item, f"{where}.{name}") for name, item in cast("dict[str, Any]", value).items()}


def _one_of(words: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in words:
        raise _wrong(where, value, " or ".join(map(repr, words)))
    return value


def _optional(reader: Reader, value: Any, where: str) -> Any:
    return None if value is None else reader(value, where)


def _enum(kind: type[Enum], value: Any, where: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise _wrong(where, value, " or ".join(repr(member.value) for member in kind)) from None


class _Dataclass:
    """Reads one class of records; looks at its declaration once, when the first is read."""

    def __init__(self, kind: type[Any]) -> None:
        self.kind = kind
        # What earlier versions wrote may break a rule that records keep now; a class that has `restored` says what it is read as.
        self.make = getattr(kind, "restored", kind)
        hints = get_type_hints(kind)
        declared = [field for field in fields(kind) if field.init]
        self.readers = {field.name: _reader(hints[field.name]) for field in declared}
        self.required = [
            field.name for field in declared if field.default is MISSING and field.default_factory is MISSING
        ]

    def __call__(self, value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise _wrong(where or self.kind.__name__, value, "mapping")
        data = cast("dict[str, Any]", value)
        place = f"{where}." if where else ""
        for name in self.required:
            if name not in data:
                raise Unreadable(f"{place}{name} is missing")
        return self.make(
            **{name: reader(data[name], f"{place}{name}") for name, reader in self.readers.items() if name in data}
        )


def _not_none(kind: Any) -> Any:
    others = [argument for argument in get_args(kind) if argument is not types.NoneType]
    if len(others) != 1:
        raise TypeError(f"records do not use the type {kind}")
    return others[0]


def _wrong(where: str, value: Any, wanted: str) -> Unreadable:
    return Unreadable(f"{where} is {str(value)[:80]!r}, which is no {wanted}")
