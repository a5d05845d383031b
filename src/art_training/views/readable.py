"""Plain data as a person reads it: no quotes, no braces, nothing empty, long lists by their beginning."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from art_training.checks.values import number
from art_training.records.plain import is_marked, show

_ITEMS = 10


def readable(value: Any, *, exact: bool = False) -> str:
    """A value in words: `a=1, b=2`; a mapping of mappings as one line each. Empty where it holds nothing.

    Args:
        value: plain data, of which parts may be marked as what was not plain.
        exact: whether numbers are shown as they were declared, and not in four digits.
    """
    told = repr if exact else number
    if not _is_mapping(value) or not any(item and _is_mapping(item) for item in value.values()):
        return _inline(value, told)
    return "\n".join(f"{name}: {text}" for name, text in _lines("", value, told) if text)


def _lines(above: str, value: Mapping[str, Any], told: Callable[[float], str]) -> Iterator[tuple[str, str]]:
    """The innermost mappings, each with the names that lead to it."""
    own = {name: item for name, item in value.items() if not _is_mapping(item)}
    if own:
        yield above or "all", _inline(own, told)
    for name, item in value.items():
        if _is_mapping(item):
            yield from _lines(f"{above} {name}".strip(), item, told)


def _inline(value: Any, told: Callable[[float], str]) -> str:
    if _is_mapping(value):
        return ", ".join(f"{name}={_inside(item, told)}" for name, item in value.items() if not _is_empty(item))
    if isinstance(value, list):
        return ", ".join(_items(cast("list[Any]", value), told))
    if isinstance(value, float):
        return told(value)
    return show(value) if is_marked(value) else str(value)


def _inside(value: Any, told: Callable[[float], str]) -> str:
    """A value as a part of another one."""
    if isinstance(value, list):
        return f"[{', '.join(_items(cast('list[Any]', value), told))}]"
    return f"({_inline(value, told)})" if _is_mapping(value) else _inline(value, told)


def _items(value: list[Any], told: Callable[[float], str]) -> list[str]:
    if len(value) > _ITEMS and any(_is_mapping(item) for item in value):
        return [f"{len(value)} entries"]
    more = [f"... {len(value) - _ITEMS} more"] if len(value) > _ITEMS else []
    return [*(_inside(item, told) for item in value[:_ITEMS]), *more]


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and not is_marked(value)


def _is_empty(value: Any) -> bool:
    return isinstance(value, str | list | Mapping) and not value
