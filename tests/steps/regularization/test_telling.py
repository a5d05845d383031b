"""A candidate's difference in a few words."""

from dataclasses import replace

import pytest

import art_training as art
from art_training.records import Interval, Metric, Split
from art_training.setup.scores.comparison import Comparison
from art_training.setup.scores.standard_errors import StandardError, certainty
from art_training.setup.setup import Setup
from art_training.steps.regularization.telling import Compared, as_candidate, gain_of, shown, together
from art_training.steps.regularization.trying import Tried

ACCURACY = Metric("accuracy", Split.VALIDATION)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.02, "validation/accuracy better by 0.02 (difference +0.02, 95 % interval +0.01 to +0.03)"),
        (-0.02, "validation/accuracy worse by 0.02 (difference -0.02, 95 % interval -0.03 to -0.01)"),
        (0.0, "validation/accuracy as good (difference +0, 95 % interval -0.01 to +0.01)"),
    ],
)
def test_a_difference_is_better_worse_or_none(value: float, said: str) -> None:
    interval = Interval(value - 0.01, value + 0.01)
    found = Comparison("accuracy", value, interval, 0.5, 0.9, 0.9 - value, (value,), 100)
    tried = Tried("decay", Setup(dict, dict), ())
    assert shown(Compared(tried, art.Variant(hparams={"decay": 1}), (), found), ACCURACY) == said


def judged(*p_values: float | None) -> list[Compared]:
    """Candidates, each surely better by 0.06 if it were the only one, and some of which nothing is known."""
    errors = (StandardError(0.01, 2.0, by_seeds=True), StandardError(0.02, 99.0, by_seeds=False))
    interval, p = certainty(0.06, errors, "paired jackknife over 3 seeds and 100 examples")
    sure = Comparison("accuracy", 0.06, interval, p, 0.56, 0.5, (0.06,), 100, errors=errors)
    unsure = replace(sure, interval=None, p_value=None, note="no interval")
    found = [sure if p is not None else unsure for p in p_values]
    tried = Tried("decay", Setup(dict, dict), ())
    return together([Compared(tried, art.Variant(hparams={"decay": 1}), (), one, one.p_value) for one in found])


def test_a_single_candidate_is_judged_as_it_is() -> None:
    one, unknown = judged(0.0, None)
    assert one.better
    assert one.adjusted == one.alone
    assert unknown.adjusted is None
    assert not unknown.better
    assert "one of" not in shown(one, ACCURACY)
    assert gain_of(one).note == f"p {one.alone:.3g}"


def test_what_is_shown_of_several_candidates_is_what_decides() -> None:
    """The best of three is claimed, and shown with an interval, as one of three."""
    for one in judged(0.0, 0.0, None, 0.0)[:2]:
        assert one.among == 3
        assert not one.better
        gain = gain_of(one)
        assert gain.value == 0.06
        assert gain.interval.low < 0 < one.alone < 0.05 < one.adjusted
        assert gain.interval.method.endswith(", as one of 3")
        assert gain.note == f"p {one.adjusted:.3g}, adjusted for 3 candidates ({one.alone:.3g} alone)"
        assert "95 % interval as one of 3 candidates -" in shown(one, ACCURACY)
        parameters = as_candidate(one, ACCURACY).parameters
        assert (parameters["p_value"], parameters["p_adjusted"]) == (one.alone, one.adjusted)


def test_what_could_not_be_compared_says_why() -> None:
    tried = Tried("decay", Setup(dict, dict), ())
    one = Compared(tried, art.Variant(hparams={"decay": 1}), (), note="it could not be trained")
    assert shown(one, ACCURACY) == "it could not be trained"
