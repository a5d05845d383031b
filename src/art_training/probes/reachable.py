"""Objects of some kind that an object holds, in its attributes and in the containers among these."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

_DEPTH = 4
_FEW = 64  # entries of a container that are looked into


def reachable(owner: Any, kinds: tuple[type[Any], ...], *, depth: int = _DEPTH) -> Iterator[Any]:
    """What `owner` holds that is of one of these kinds, each once, the nearest first. Nothing is called."""
    seen: set[int] = {id(owner)}
    level: list[Any] = [owner]
    for _ in range(depth):
        following: list[Any] = []
        for one in level:
            for value in _held(one):
                if id(value) in seen:
                    continue
                seen.add(id(value))
                if isinstance(value, kinds):
                    yield value
                following.append(value)
        level = following


def _held(owner: Any) -> list[Any]:
    if isinstance(owner, str | bytes | int | float | type) or (callable(owner) and not hasattr(owner, "__dict__")):
        return []
    if isinstance(owner, Mapping):
        return list(cast("Mapping[Any, Any]", owner).values())[:_FEW]
    if isinstance(owner, Sequence) and not hasattr(owner, "__dict__"):
        return list(cast("Sequence[Any]", owner)[:_FEW])
    module = type(owner).__module__.partition(".")[0]
    if module in {"numpy", "pandas", "builtins"} or type(owner).__name__ in {"Tensor", "Parameter", "Trainer"}:
        return []
    try:
        return list(vars(owner).values())
    except TypeError:
        return []
