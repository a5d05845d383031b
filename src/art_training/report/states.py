"""How states look in a report: a word, a sign and a class, so that neither colour nor ink is needed to tell them apart."""

from dataclasses import dataclass

from art_training.records import Severity, StepState, VerdictState


@dataclass(frozen=True)
class Mark:
    """A state as it is shown.

    Attributes:
        word: what it is called.
        sign: one character, drawn beside the word.
        look: `good`, `bad`, `doubt`, `active` or `idle`.
    """

    word: str
    sign: str
    look: str


STALE = Mark("stale", "↻", "doubt")

_STEPS = {
    StepState.PASSED: Mark("passed", "✓", "good"),
    StepState.FAILED: Mark("failed", "✗", "bad"),
    StepState.ERRORED: Mark("errored", "!", "bad"),
    StepState.NOT_JUDGED: Mark("not judged", "?", "doubt"),
    StepState.UNCHECKED: Mark("unchecked", "?", "doubt"),
    StepState.INTERRUPTED: Mark("interrupted", "⏸", "doubt"),
    StepState.RUNNING: Mark("running", "▸", "active"),
    StepState.NOT_RUN: Mark("not run", "\u2013", "idle"),
}
_CHECKS = {
    VerdictState.PASSED: Mark("passed", "✓", "good"),
    VerdictState.FAILED: Mark("failed", "✗", "bad"),
    VerdictState.ERRORED: Mark("errored", "!", "bad"),
    VerdictState.NOT_JUDGED: Mark("not judged", "?", "doubt"),
}
_FINDINGS = {
    Severity.ERROR: Mark("error", "✗", "bad"),
    Severity.WARNING: Mark("warning", "!", "doubt"),
    Severity.INFO: Mark("info", "·", "idle"),
}


def of_step(state: StepState, *, stale: bool = False, broken: bool = False) -> Mark:
    """Where a step stands. What is stale, or whose setup is broken, never looks passed."""
    mark = _STEPS[state]
    if broken:
        return Mark(f"{mark.word}, setup broken", "!", "bad")
    if stale:
        before = "passed before" if mark.look == "good" else mark.word
        return Mark(f"{STALE.word}, {before}", STALE.sign, STALE.look if mark.look == "good" else mark.look)
    return mark


def of_check(state: VerdictState) -> Mark:
    """What a check answered."""
    return _CHECKS[state]


def of_finding(severity: Severity) -> Mark:
    """How bad a finding is."""
    return _FINDINGS[severity]
