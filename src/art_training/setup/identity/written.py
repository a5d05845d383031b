"""Plain data as it is written into a fingerprint: as it is where a person still reads it, else as a digest."""

import hashlib
import json
from typing import Any

from art_training.records import Plain, digest_component
from art_training.setup.identity.origin import qualified_name

SHOWN_CHARACTERS = 400


def shown_or_digest(value: Plain) -> Plain:
    """`value` where a person still reads all of it, else its digest."""
    if is_digest(value):
        return value
    return digest_of(value) if holds_digest(value) or len(canonical(value)) > SHOWN_CHARACTERS else value


def digest_of(value: Plain) -> Plain:
    """The digest of plain data, as a component."""
    return digest_component(digest_hex(value))


def digest_hex(value: Plain) -> str:
    """The digest of plain data, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def canonical(value: Plain) -> str:
    """Plain data as one text, in which the order of keys counts."""
    return json.dumps(value, separators=(",", ":"))


def marked(text: str, kind: type[Any]) -> Plain:
    """What is not plain data, as a text that says all of it, with the name of its class."""
    return {"__repr__": text, "__type__": qualified_name(kind)} if len(text) <= SHOWN_CHARACTERS else digest_of(text)


def words(value: Plain) -> str:
    """Plain data as a person reads it, with what is marked inside it."""
    if isinstance(value, dict):
        if "__repr__" in value:
            return str(value["__repr__"])
        return "{" + ", ".join(f"{name!r}: {words(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(words, value))}]"
    return repr(value)


def is_digest(value: Plain) -> bool:
    """Whether `value` is a digest."""
    return isinstance(value, dict) and set(value) == {"digest"}


def holds_digest(value: Plain) -> bool:
    """Whether a digest stands for something inside `value`."""
    if isinstance(value, dict):
        return is_digest(value) or any(map(holds_digest, value.values()))
    return isinstance(value, list) and any(map(holds_digest, value))
