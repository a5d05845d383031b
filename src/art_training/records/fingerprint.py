"""What a result depends on, kept by component so that a stale step can say what changed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from art_training.records.plain import Plain, show

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Change:
    """One component that differs between two fingerprints; a side is None where it has no such component."""

    component: str
    before: Plain
    after: Plain

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.component} is new"
        if self.after is None:
            return f"{self.component} is gone"
        if _is_digest(self.before) or _is_digest(self.after):
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
        """SHA-256 over the components in canonical order, in hexadecimal."""
        text = json.dumps(dict(self.components), sort_keys=True, separators=(",", ":"), allow_nan=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def changes(self, earlier: "Fingerprint") -> tuple[Change, ...]:
        """What differs from `earlier`, sorted by component."""
        names = sorted({*self.components, *earlier.components})
        return tuple(
            Change(name, earlier.components.get(name), self.components.get(name))
            for name in names
            if self.components.get(name) != earlier.components.get(name)
        )


def digest_component(hexadecimal: str) -> Plain:
    """The stored form of a digest, so that a difference says `changed` and does not print hexadecimal."""
    return {"digest": hexadecimal}


def _is_digest(value: Plain) -> bool:
    return isinstance(value, dict) and set(value) == {"digest"}
