"""What the command's exit code says."""

from collections.abc import Iterable
from enum import IntEnum

from art_training.records import StepState


class ExitCode(IntEnum):
    """Documented in `art --help`; scripts rely on it."""

    PASSED = 0
    FAILED = 1  # a check failed, or nothing was checked
    WRONG_USE = 2  # also a mistake in the setup that only a step finds
    NOT_JUDGED = 3  # something raised, or could not be judged
    INTERRUPTED = 130  # by Ctrl-C, as shells say it
    TERMINATED = 143  # by SIGTERM, likewise; what was measured is kept as well


_MEANING = {
    StepState.PASSED: ExitCode.PASSED,
    StepState.NOT_RUN: ExitCode.PASSED,
    StepState.FAILED: ExitCode.FAILED,
    StepState.UNCHECKED: ExitCode.FAILED,
    StepState.ERRORED: ExitCode.NOT_JUDGED,
    StepState.NOT_JUDGED: ExitCode.NOT_JUDGED,
    StepState.RUNNING: ExitCode.NOT_JUDGED,
    StepState.INTERRUPTED: ExitCode.INTERRUPTED,
}


def exit_code(states: Iterable[StepState]) -> ExitCode:
    """The worst of where steps stand; steps that were not asked for do not count. Of no steps, nothing was checked."""
    return max((_MEANING[state] for state in states), default=ExitCode.FAILED)
