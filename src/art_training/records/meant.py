"""What a name was meant to be that is none of those there are."""

from collections.abc import Iterable
from difflib import get_close_matches

_SHORTEST = 3  # letters that are an abbreviation


def meant(name: str, known: Iterable[str]) -> str:
    """The known name that a mistyped one comes nearest to, whatever its case, or the only one that it abbreviates.

    Empty where none is near.
    """
    names = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), names, n=1)
    if near:
        return names[near[0]]
    longer = [one for one in names if len(name) >= _SHORTEST and one.startswith(name.lower())]
    return names[longer[0]] if len(longer) == 1 else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The same as a part of a sentence: ` (did you mean 'Squeeze'?)`; empty where none is near."""
    near = meant(name, known)
    return f" (did you mean {near!r}?)" if near else ""
