import itertools

import pytest

from art_training.records import StepState, Verdict, VerdictState, state_of

ORDER = [VerdictState.ERRORED, VerdictState.FAILED, VerdictState.NOT_JUDGED, VerdictState.PASSED]


def verdicts(*states: VerdictState) -> list[Verdict]:
    return [Verdict("check", state, "because") for state in states]


@pytest.mark.parametrize("states", [*itertools.product(VerdictState), *itertools.product(VerdictState, repeat=3)])
def test_the_worst_answer_decides(states: tuple[VerdictState, ...]) -> None:
    worst = min(states, key=ORDER.index)
    assert state_of(verdicts(*states)) == StepState(worst.value)


def test_no_checks_are_not_a_pass() -> None:
    assert state_of([]) is StepState.UNCHECKED
