"""States as badges: a sign, a word and a colour, so that no colour alone tells anything."""

from collections.abc import Mapping

from nicegui.element import Element

from art_training.dashboard.parts.html import h
from art_training.records import StepState, VerdictState

_LOOKS: Mapping[str, tuple[str, str]] = {
    StepState.PASSED: ("✓", "is-passed"),
    StepState.FAILED: ("✗", "is-failed"),
    StepState.ERRORED: ("!", "is-errored"),
    StepState.NOT_JUDGED: ("?", "is-warned"),
    StepState.UNCHECKED: ("?", "is-warned"),
    StepState.INTERRUPTED: ("‖", "is-stopped"),
    StepState.RUNNING: ("▸", "is-running"),
    StepState.NOT_RUN: ("·", "is-idle"),
}


def look(state: StepState | VerdictState) -> str:
    """The class of the style sheet that gives a state its colours."""
    return _LOOKS[state.value][1]


def sign_and_look(state: StepState | VerdictState) -> tuple[str, str]:
    """The sign of a state and the class that gives it its colours, for what draws badges itself."""
    return _LOOKS[state.value]


def badge(state: StepState | VerdictState, beside: str = "") -> Element:
    """A state in a word.

    Args:
        state: which.
        beside: what is said beside it, such as `stale`.
    """
    sign, kind = _LOOKS[state.value]
    with h("span", "", f"badge {kind}") as made:
        h("span", sign, aria_hidden="true")
        h("span", f"{state.value}, {beside}" if beside else state.value)
    return made


def mark(state: StepState | VerdictState, classes: str = "mark") -> Element:
    """A state as a sign, with its word for those who hear the page."""
    sign, kind = _LOOKS[state.value]
    return h("span", sign, f"{classes} {kind}", role="img", aria_label=state.value, title=state.value)
