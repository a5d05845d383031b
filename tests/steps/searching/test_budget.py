"""When a search has cost enough."""

import pytest

from art_training.steps.searching.budget import FIRST_FAILURES, Budget
from art_training.tuning.trial import Trial, TrialState


def trials(count: int, state: TrialState = "finished", epochs: int = 2, seconds: float = 3.0) -> list[Trial]:
    return [Trial(number, state, {}, 0.0, epochs=epochs, seconds=seconds) for number in range(count)]


def test_the_first_limit_that_is_reached_ends_it() -> None:
    budget = Budget(trials=10, seconds=20.0, epochs=8)
    assert budget.spent(trials(3)) == ""
    assert budget.spent(trials(4)) == "the 8 epochs were spent"
    assert budget.spent(trials(4, epochs=1)) == ""
    assert budget.spent(trials(7, epochs=1)) == "the 20 seconds were spent"
    assert budget.spent(trials(10, epochs=0, seconds=0)) == "all 10 trials were made"


def test_a_search_whose_trials_all_fail_comes_to_an_end() -> None:
    failed = trials(FIRST_FAILURES, "failed", epochs=0, seconds=0.0)
    assert Budget(seconds=1e9).spent(failed) == "the first 10 trials all failed"
    assert Budget(seconds=1e9).spent([*trials(1), *failed]) == ""
    assert Budget(epochs=5).spent(failed[:5]) == "the 5 epochs were spent", "a failed trial has cost something too"


@pytest.mark.parametrize(
    ("budget", "share"), [(Budget(trials=4), 0.5), (Budget(seconds=60.0), 0.1), (Budget(epochs=2), 1.0)]
)
def test_how_much_is_spent_is_told(budget: Budget, share: float) -> None:
    assert budget.share(trials(2)) == pytest.approx(share)
