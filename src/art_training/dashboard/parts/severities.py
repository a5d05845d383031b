"""How bad a finding is, as a badge: a sign, a word and a colour; and where its code is explained."""

from collections.abc import Mapping, Sequence

from nicegui.element import Element

from art_training.dashboard.parts.html import h

LOOKS: Mapping[str, tuple[str, str]] = {
    "error": ("✗", "is-failed"),
    "warning": ("!", "is-warned"),
    "info": ("i", "is-running"),
}


def severity_badge(*severities: str) -> Element:
    """A severity in a word; of several that a finding can have, the first gives the colour."""
    sign, kind = LOOKS[severities[0]]
    with h("span", "", f"badge {kind}") as made:
        h("span", sign, aria_hidden="true")
        h("span", one_of(severities))
    return made


def one_of(words: Sequence[str]) -> str:
    """Such as `error, warning or info`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def rule_query(code: str, project: str = "") -> dict[str, str]:
    """What the page `/rule` is asked: a code, and the project whose findings are looked at."""
    return {"code": code, "name": project} if project else {"code": code}
