"""Text out of a store, made harmless to read: what cannot be seen, or turns the order of what is read, is spelled out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_LONGEST = 4000
_LONGEST_NAME = 120


def visible(text: str) -> str:
    r"""The text with control characters, directional marks and lone surrogates as `\u202e`, at most 4,000 characters.

    A terminal, a browser and an editor then show the same, and nothing reads other than it is.
    """
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({len(text) - _LONGEST:,} more characters)"
    return spelled(text)


def spelled(text: str) -> str:
    """As `visible`, of any length: for what is copied, such as a patch."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))


def legible(value: object) -> Any:
    """What is sent to a browser, with every text in it as `spelled` has it; what is no text stays."""
    if isinstance(value, str):
        return spelled(value)
    if isinstance(value, Mapping):
        return {key: legible(one) for key, one in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [legible(one) for one in cast("Sequence[object]", value)]
    return value


def name(text: str) -> str:
    """A name that fits a heading: one line, at most 120 characters."""
    line = " ".join(text.split()) or "(no name)"
    return visible(line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 3]}...")
