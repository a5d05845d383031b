"""Values as plain data that is the same in every process: never a repr with an address, never the order of a set.

Plain data stays as it is. A class or function is its name (and its code, which whoever reads is told of); a tensor, an
array or a frame is a digest of its content; any other object is its class and its state. What can be read in none of
these ways is unknown, and is said to be.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, ClassVar, cast

from art_training.records import Plain
from art_training.setup.identity.forms import FORMS, Form, enumeration, mapping, named_code
from art_training.setup.identity.origin import is_local_class, portable, qualified_name
from art_training.setup.identity.state import state_of
from art_training.setup.identity.written import (
    SHOWN_CHARACTERS,
    digest_of,
    holds_digest,
    marked,
    shown_or_digest,
    words,
)

_LARGEST = 2_000_000  # values in one reading; what holds more is a data structure that no configuration holds
_DEEPEST = 100  # far below what Python's own limit allows


class ValueReader:
    """Reads values; what it meets on the way and what it cannot read is collected.

    Attributes:
        unknown: what could not be read, in words.
        notes: what was read in part, in words.
        homes: folders of the project; paths below them are read relative to them, so that the project can be moved.
        unnamed: attributes of objects that change no result; none, unless a kind of reader knows better.
    """

    unnamed: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, meet: Callable[[Any], None], homes: set[str] | None = None) -> None:
        """Begin to read; `meet` is told of each class and function met, `homes` is shared with the caller."""
        self.meet = meet
        self.unknown: dict[str, None] = {}
        self.notes: dict[str, None] = {}
        self.homes: set[str] = set() if homes is None else homes
        self._open: dict[int, int] = {}
        self._done: dict[int, tuple[Any, Plain]] = {}
        self._left = _LARGEST

    def read(self, value: Any, where: str) -> Plain:
        """`value` as plain data; `where` names it in the words for what is unknown."""
        if value is None or type(value) in {bool, int}:
            return value
        self._left -= 1
        if self._left < 0:
            return self.miss(where, f"holds more than {_LARGEST} values")
        if len(self._open) > _DEEPEST:
            return self.miss(where.partition(".")[0], f"holds values inside values more than {_DEEPEST} deep")
        if id(value) in self._done:
            return self._done[id(value)][1]
        if id(value) in self._open:
            return marked(f"<what holds it, {len(self._open) - self._open[id(value)]} above>", type(value))
        kind = cast("type[Any]", type(value))
        if kind.__module__ != "builtins" and is_local_class(kind):
            self.meet(kind)
        with self._reading(value):
            result = self._form(value)(self, value, where)
        if kind is not str:
            self._done[id(value)] = (value, result)  # the value is kept so that its id stays its own
        return result

    def miss(self, where: str, why: str) -> Plain:
        """Note that something cannot be read."""
        self.unknown[f"{where} {why}"] = None
        return {"__repr__": "unknown", "__type__": "unknown"}

    def text(self, value: str, where: str) -> Plain:
        """A string, or a path as one."""
        return portable(value, self.homes)

    def keeps(self, owner: Any, name: str) -> bool:
        """Whether the attribute of an object is part of what it is."""
        if name in self.unnamed:
            return False
        # The hooks of a module are kept by numbers that count all hooks of the process.
        return not ("hook" in name and is_a(owner, "torch.nn.modules.module.Module"))

    def thing(self, value: Any, where: str) -> Plain:
        """An object as its class and its state."""
        kind = cast("type[Any]", type(value))
        try:
            state = state_of(value)
        except Exception as error:  # noqa: BLE001  The state of a user's object may raise anything.
            return self.miss(where, f"({qualified_name(kind)}) cannot be read: {type(error).__name__}: {error}")
        kept = {str(name): item for name, item in state.items() if self.keeps(value, str(name))}
        # Attributes are told by their names, in whatever order they were set; only a mapping's keys are in the user's order.
        read = {name: self.read(item, f"{where}.{name}") for name, item in sorted(kept.items())}
        arguments = ", ".join(f"{name}={words(item)}" for name, item in read.items())
        text = f"{kind.__qualname__.rpartition('.')[2]}({arguments})"
        if len(text) > SHOWN_CHARACTERS or holds_digest(cast("Plain", read)):
            return digest_of({"class": qualified_name(kind), "state": read})
        return marked(text, kind)

    def _form(self, value: Any) -> Form:
        if isinstance(value, Enum):
            return enumeration
        for kind in type(value).__mro__[:-1]:
            form = FORMS.get(f"{kind.__module__}.{kind.__qualname__}")
            if form is not None:
                return form
        if isinstance(value, type):
            return named_code
        return mapping if isinstance(value, Mapping) else _thing

    @contextmanager
    def _reading(self, value: Any) -> Generator[None]:
        self._open[id(value)] = len(self._open)
        try:
            yield
        finally:
            del self._open[id(value)]


def _thing(reader: ValueReader, value: Any, where: str) -> Plain:
    return reader.thing(value, where)


def value_component(value: Any) -> tuple[Plain, tuple[str, ...]]:
    """One value as a component of a fingerprint, and what of it could not be read, in words."""
    reader = ValueReader(lambda _thing: None)
    return shown_or_digest(reader.read(value, "the value")), tuple(reader.unknown)


def is_a(value: Any, name: str) -> bool:
    """Whether `value` is an instance of the class called `name`, whose module need not be imported to know."""
    return any(f"{kind.__module__}.{kind.__qualname__}" == name for kind in type(value).__mro__)
