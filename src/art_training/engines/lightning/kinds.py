"""Settings of a Trainer of the wrong kind: `max_epochs="30"` is taken by Lightning and breaks its loop much later."""

import types
import typing
from collections.abc import Mapping
from functools import cache
from numbers import Real
from typing import Any

from art_training.errors import SetupError

_WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a text",
    type(None): "None",
}


def require_kinds(trainer: type, settings: Mapping[str, Any]) -> None:
    """Raise where a setting is not of the kind that the Trainer declares; those that may be objects are left to it.

    Raises:
        SetupError: the setting, its value, and what it must be.
    """
    declared = _declared(trainer)
    for name, value in settings.items():
        kinds = declared.get(name)
        if kinds is None or any(_is_one(value, kind) for kind in kinds):
            continue
        must = " or ".join(_WORDS[kind] for kind in kinds)
        raise SetupError(
            f"trainer has {name}={value!r}, which is {_kind(value)}, where {must} is needed{_meant(value, kinds)}"
        )


@cache
def _declared(trainer: type) -> dict[str, tuple[Any, ...]]:
    """The settings that are numbers, texts and the like, and nothing else."""
    try:
        hints = typing.get_type_hints(trainer.__init__)
    except Exception:  # noqa: BLE001  Annotations are for people; without them nothing is refused.
        return {}
    found: dict[str, tuple[Any, ...]] = {}
    for name, hint in hints.items():
        kinds = typing.get_args(hint) if typing.get_origin(hint) in {typing.Union, types.UnionType} else (hint,)
        if kinds and all(kind in _WORDS for kind in kinds):
            found[name] = kinds
    return found


def _is_one(value: Any, kind: Any) -> bool:
    if kind is bool:
        return type(value).__name__ in {"bool", "bool_"} or (isinstance(value, Real) and value in {0, 1})  # NumPy's too
    if kind is int:
        return isinstance(value, Real) and float(value).is_integer()
    if kind is float:
        return isinstance(value, Real)
    return isinstance(value, kind)


def _kind(value: Any) -> str:
    return "a text" if isinstance(value, str) else f"a {type(value).__name__}"


def _meant(value: Any, kinds: tuple[Any, ...]) -> str:
    """The number that a text spells."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        number = None
    if number is None or not any(_is_one(number, kind) for kind in kinds):
        return ""
    return f"; write {int(number) if number.is_integer() and int in kinds else number}"
