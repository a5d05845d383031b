"""What an object holds: the part of it that its class does not say."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, cast

_OWN_FORM = frozenset({"__reduce__", "__reduce_ex__", "__getstate__"})


def state_of(value: Any) -> Mapping[Any, Any]:
    """The state of an object by name: its fields, its attributes and slots, or what it would be pickled as.

    Raises:
        Exception: whatever the object's own methods for pickling raise, `TypeError` where it has no state to read.
    """
    if dataclasses.is_dataclass(value):
        return {
            field.name: getattr(value, field.name) for field in dataclasses.fields(value) if hasattr(value, field.name)
        }
    if not _OWN_FORM & _defined(value):
        slots = {name: getattr(value, name) for name in slots_of(type(value)) if hasattr(value, name)}
        if hasattr(value, "__dict__") or slots:
            return {**slots, **getattr(value, "__dict__", {})}
    return _reduced(value)


def slots_of(kind: type) -> Iterator[str]:
    """The slots of a class and its bases, as attributes are named."""
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"}:
                yield f"_{base.__name__.lstrip('_')}{name}" if name.startswith("__") else name


def _reduced(value: Any) -> Mapping[Any, Any]:
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):  # the name of a global
        return {"name": reduced}
    _make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    if arguments and arguments[0] is type(value):
        arguments = arguments[1:]
    found: dict[Any, Any] = {"arguments": arguments} if arguments else {}
    if isinstance(state, dict):
        found |= cast("dict[Any, Any]", state)
    elif state is not None:
        found["state"] = state
    if items is not None:
        found["items"] = list(items)
    if pairs is not None:
        found["pairs"] = dict(pairs)
    return found


def _defined(value: Any) -> set[str]:
    """Methods that a class or its bases define, `object` apart."""
    return {name for kind in type(value).__mro__[:-1] for name in vars(kind)}
