"""Which files the project's functions open, as far as that can be told before they run.

A path is known where the call that opens it is made of something known: a literal, a constant, a hyper-parameter, an
attribute that holds a path. Where it is an argument of the function, whoever calls the function is asked in turn. What is
left opens something that cannot be compared, and is said to.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any, cast

from art_training.setup.identity.calls import OPENS, Call, Chain
from art_training.setup.identity.origin import is_local_file, short_name
from art_training.setup.identity.references import references
from art_training.setup.identity.resolve import Found, resolve
from art_training.setup.identity.source import source_of

# What leads from a path that is known to one beside or above it, which is not.
_AWAY = frozenset({"parent", "parents", "dirname", "with_name", "with_stem", "with_suffix"})
UNKNOWN: Any = object()
_LONGEST = 4096


@dataclass
class Reads:
    """What functions read.

    Attributes:
        given: arguments that are known by name, such as hyper-parameters.
        held: names of attributes and hyper-parameters whose paths are compared already.
        homes: folders of the project.
        paths: existing paths that the functions open, absolute; known once `untold` was exhausted.
    """

    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    held: frozenset[str] = frozenset()
    homes: Collection[str] = ()
    paths: dict[str, None] = field(default_factory=dict[str, None])

    def untold(self, functions: Collection[FunctionType]) -> Iterator[tuple[FunctionType, str]]:
        """The functions that open what cannot be told, with the name of the call by which they do."""
        told: set[tuple[int, str]] = set()
        waiting = [(function, call) for function in functions for call in _openings(function)]
        while waiting:
            function, call = waiting.pop(0)
            if (id(function), key := f"{call}:{call.roots}") in told:
                continue
            told.add((id(function), key))
            callers = self._callers(function, call, functions)
            if callers:
                waiting.extend(callers)
            elif not self._explained(function, call):
                yield function, str(call)

    def _callers(
        self, function: FunctionType, call: Call, functions: Collection[FunctionType]
    ) -> list[tuple[FunctionType, Call]]:
        """Calls of a function that opens what it is given: they say what that is."""
        arguments = set(_arguments(function))
        if not arguments & {chain[0] for chain in call.roots}:
            return []
        names = {function.__name__}
        if function.__name__ == "__init__":
            names.add(function.__qualname__.split(".")[-2])
        # Called with nothing, it opens what its defaults say, as it does where nobody calls it.
        return [
            (one, each)
            for one in functions
            for each in _calls(one)
            if each.passes and each.name[-1] in names and one is not function
        ]

    def _explained(self, function: FunctionType, call: Call) -> bool:
        values = {chain: self.value(function, chain) for chain in call.roots}
        folders = [_folder(value) for value in values.values() if is_place(value)] or [""]
        named = [path for folder in folders for text in call.texts if is_place(path := os.path.join(folder, text))]  # noqa: PTH118
        if named:
            return self._keep(named)
        if any(_AWAY & set(chain) for chain in call.roots):
            return False
        explained = False
        for chain, value in values.items():
            if value is None or not self.held.isdisjoint(chain[1:] or chain):  # None: nothing is opened
                explained = True
            else:
                explained |= self._known(value)
        return explained

    def _known(self, value: Any) -> bool:
        """Whether a value is or holds paths that exist; they are kept."""
        items = [value]
        if isinstance(value, Mapping):
            items = list(cast("Mapping[Any, Any]", value).values())
        elif isinstance(value, list | tuple):
            items = list(cast("list[Any]", value))
        return self._keep([os.fspath(item) for item in items if is_place(item)])

    def _keep(self, paths: list[str]) -> bool:
        """Keep paths; False where there are none, or where one holds the project itself, and so more than is read."""
        absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100  Links are kept.
        above = tuple(f"{path.rstrip(os.sep)}{os.sep}" for path in absolute)
        if not paths or any(f"{home}{os.sep}".startswith(above) for home in self.homes):
            return False
        self.paths |= dict.fromkeys(absolute)
        return True

    def value(self, function: FunctionType, chain: Chain) -> Any:
        """What a name means, where that is known before the function runs; else `UNKNOWN`."""
        first, *rest = chain
        arguments = _arguments(function)
        if first in {"self", "cls"} and rest:
            name = rest[1] if rest[0] == "hparams" and rest[1:] else rest[0]
            return self.given.get(name, UNKNOWN)
        if first in arguments:
            return self.given.get(first, arguments[first])
        found = resolve(chain, function.__globals__)
        closed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        if first in closed:
            try:
                return closed[first].cell_contents
            except ValueError:  # the variable has no value yet
                return UNKNOWN
        return found.value if isinstance(found, Found) and not found.library else UNKNOWN


def is_place(value: Any) -> bool:
    """Whether a value is a path or a text that names something on disk."""
    if not isinstance(value, str | os.PathLike) or isinstance(value, bytes):
        return False
    text = os.fspath(cast("str | os.PathLike[str]", value))
    if not text.strip("./\\") or len(text) > _LONGEST or "\0" in text or "\n" in text:
        return False
    try:
        return Path(text).exists()
    except OSError:
        return False


def reached(functions: Collection[FunctionType], owner: type) -> list[FunctionType]:
    """Functions with those of the project that they call in turn; `self.x` is a method of `owner`."""
    found = {id(function): function for function in functions}
    waiting = list(functions)
    while waiting:
        function = waiting.pop(0)
        for call in _calls(function):
            inner = _called(function, call, owner)
            if isinstance(inner, FunctionType) and is_local_file(inner.__code__.co_filename) and id(inner) not in found:
                found[id(inner)] = inner
                waiting.append(inner)
    return list(found.values())


def constants(function: FunctionType) -> Iterator[tuple[str, str]]:
    """The paths among the globals that a function names: `(name, path)`."""
    for chain in references(function.__code__).names:
        found = resolve(chain, function.__globals__)
        if isinstance(found, Found) and not found.library and is_place(found.value):
            yield ".".join(found.path), os.fspath(found.value)


def name_of(function: FunctionType) -> str:
    """The function's name as a person knows it."""
    return short_name(function.__code__.co_qualname)


def _called(function: FunctionType, call: Call, owner: type) -> Any:
    if call.name[0] in {"self", "cls"} and len(call.name) == 2:
        return getattr(owner, call.name[1], None)
    found = resolve(call.name, function.__globals__)
    value = found.value if isinstance(found, Found) else None
    return value.__init__ if isinstance(value, type) else value


def _calls(function: FunctionType) -> tuple[Call, ...]:
    calls = source_of(function.__code__, function.__globals__).calls
    return () if calls is None else calls.calls


def _openings(function: FunctionType) -> Iterator[Call]:
    calls = source_of(function.__code__, function.__globals__).calls
    if calls is not None:
        yield from (call for call in calls.calls if call.opens)
    else:  # nothing but the names is known
        yield from (Call((name,), (), ()) for name in sorted(references(function.__code__).mentioned & OPENS))


def _arguments(function: FunctionType) -> dict[str, Any]:
    """Arguments with their defaults, the object of a method apart."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    named = dict.fromkeys(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], UNKNOWN)
    named |= dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    named |= function.__kwdefaults__ or {}
    return {name: value for name, value in named.items() if name not in {"self", "cls"}}


def _folder(path: str | os.PathLike[str]) -> str:
    place = Path(path)
    return str(place if place.is_dir() else place.parent)
