"""What a result depends on, kept by component so that a stale step can say what changed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from art_training.records.plain import Plain, is_marked, show

UNKNOWN = "unknown"
_NAMED = 3
_CONSUMES = "consumes"
_LONGEST = 60  # characters of a value in a sentence


@dataclass(frozen=True)
class Change:
    """One component that differs between two fingerprints; a side is None where it has no such component."""

    component: str
    before: Plain
    after: Plain

    def __str__(self) -> str:
        kind, _, step = self.component.partition(".")
        if kind == _CONSUMES and self.before is not None and self.after is not None:
            return f"{step} has another outcome"
        if self.before is None:
            return f"{self.component} is new{_told(': ', kind, self.after)}"
        if self.after is None:
            return f"{self.component} is gone{_told(', it was ', kind, self.before)}"
        if _is_digest(self.before) or _is_digest(self.after) or _text(self.before) == _text(self.after):
            return f"{self.component} changed"
        return f"{self.component}: {show(self.before)} -> {show(self.after)}"


@dataclass(frozen=True)
class Fingerprint:
    """Everything that one result depends on.

    Attributes:
        components: from a dotted path to a plain value or `{"digest": hex}`. The path's first part says what kind of
            thing it is: `model`, `data`, `hparams`, `trainer`, `step`, `metrics`, `seed`, `consumes`, `outputs`, `task`.
            A path reads well in a sentence, e.g. `model: DigitsNet.forward`, `hparams.lr`.
        unknown: what could not be resolved, in words; it is not part of the digest.
    """

    components: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    unknown: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the components, sorted by name, in hexadecimal. Inside a component the order of keys counts."""
        return hashlib.sha256(_text(dict(sorted(self.components.items()))).encode()).hexdigest()

    def changes(self, earlier: "Fingerprint") -> tuple[Change, ...]:
        """What differs from `earlier`, sorted by component."""
        return differences(self.components, earlier.components)


def differences(after: Mapping[str, Plain], before: Mapping[str, Plain]) -> tuple[Change, ...]:
    """What differs between two mappings of components, sorted by name.

    They are compared as they are stored: `1`, `1.0` and `True` differ, NaN is the same as NaN, and a component that is
    None differs from one that is not there.
    """
    return tuple(
        Change(name, _side(before, name), _side(after, name))
        for name in sorted({*after, *before})
        if (name in after) != (name in before) or _text(after[name]) != _text(before[name])
    )


def in_words(changes: Sequence[Change]) -> str:
    """The first of them, and how many more there are; empty where there is none."""
    named = "; ".join(str(change) for change in changes[:_NAMED])
    more = len(changes) - _NAMED
    return named if more <= 0 else f"{named}; and {more} more"


def digest_component(hexadecimal: str) -> Plain:
    """The stored form of a digest, so that a difference says `changed` and does not print hexadecimal."""
    return {"digest": hexadecimal}


def _side(components: Mapping[str, Plain], name: str) -> Plain:
    if name not in components:
        return None
    value = components[name]
    return {"__repr__": "None", "__type__": "NoneType"} if value is None else value


def _told(begin: str, kind: str, value: Plain) -> str:
    """The value of a setting, where it is one that a person wrote: no digest, no code, and short."""
    if kind == _CONSUMES or _is_digest(value) or (is_marked(value) and value != _side({"": None}, "")):
        return ""
    said = show(value)
    return f"{begin}{said}" if len(said) <= _LONGEST else ""


def _text(value: Plain) -> str:
    # The order of a user's mapping counts: layers built from {"a": 3, "b": 20} and {"b": 20, "a": 3} are two networks.
    return json.dumps(value, separators=(",", ":"))


def _is_digest(value: Plain) -> bool:
    return isinstance(value, dict) and set(value) == {"digest"}
