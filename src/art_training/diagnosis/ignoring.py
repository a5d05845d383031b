"""Which rules shall not be judged, and why."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from art_training.errors import SetupError
from art_training.rules import rule_called


def ignored_rules(given: Mapping[str, str] | Iterable[str]) -> dict[str, str]:
    """The reason of each rule that is ignored, by its code; empty where none is given.

    Args:
        given: reasons by codes, or codes alone; a code is written `ART402`, `art402` or `402`.

    Raises:
        SetupError: it is neither, or a rule does not exist.
    """
    wanted: Any = given
    if isinstance(wanted, str):
        raise SetupError(f"ignore={wanted!r} is text; give ignore={{{wanted!r}: 'the reason'}}")
    if not isinstance(wanted, Iterable):
        raise SetupError(f"ignore={wanted!r} is no mapping of codes to reasons; give ignore={{'ART402': 'the reason'}}")
    reasons = dict(wanted) if isinstance(wanted, Mapping) else dict.fromkeys(cast("Iterable[Any]", wanted), "")
    found: dict[str, str] = {}
    for code, reason in reasons.items():
        rule = rule_called(code)
        if rule is None:
            raise SetupError(f"ignore has {code!r}, which is no rule; see `art rules`")
        if not isinstance(reason, str):
            raise SetupError(f"ignore[{code!r}]={reason!r} is no reason; give it as text")
        found[rule.code] = reason
    return found
