"""What checks answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class VerdictState(StrEnum):
    """The answer of one check."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Verdict:
    """The answer of one check about one outcome.

    Attributes:
        check: the check as it reads, e.g. `validation/accuracy > 0.9`.
        state: passed, failed, errored or not judged.
        reason: one sentence with the numbers.
        numbers: the numbers by name (plain data).
        configuration: the check's fields (plain data), so that a changed threshold is seen.
        traceback: where it raised, if it errored.
    """

    check: str
    state: VerdictState
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    configuration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    traceback: str = ""

    @property
    def told(self) -> str:
        """The reason, led by the question where it does not speak of what was asked."""
        return self.reason if self.check.split(" ")[0] in self.reason else f"{self.check}: {self.reason}"


class StepState(StrEnum):
    """Where a step of a project stands."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"  # the step raised, or one of its checks did
    NOT_JUDGED = "not judged"
    UNCHECKED = "unchecked"  # it ran, and nothing asked whether the result is right
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    NOT_RUN = "not run"

    @property
    def ended(self) -> str:
        """How a step ended, as the end of a sentence."""
        return {
            StepState.PASSED: "passed",
            StepState.FAILED: "failed",
            StepState.ERRORED: "errored",
            StepState.UNCHECKED: "ran unchecked",
            StepState.NOT_RUN: "has not run",
        }.get(self, f"was {self.value}")


@dataclass(frozen=True)
class Judgement:
    """All verdicts of one judging of one run. A run may be judged again when its checks change.

    Attributes:
        verdicts: one a check, in the order of the checks.
        at: when, in UTC.
        state: what follows for the step.
    """

    verdicts: tuple[Verdict, ...]
    at: datetime
    state: StepState


def state_of(verdicts: Iterable[Verdict]) -> StepState:
    """The worst answer decides; no verdicts at all is `unchecked`, which is not `passed`."""
    states = {verdict.state for verdict in verdicts}
    if not states:
        return StepState.UNCHECKED
    for worst, state in (
        (VerdictState.ERRORED, StepState.ERRORED),
        (VerdictState.FAILED, StepState.FAILED),
        (VerdictState.NOT_JUDGED, StepState.NOT_JUDGED),
    ):
        if worst in states:
            return state
    return StepState.PASSED
