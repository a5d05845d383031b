"""A candidate's difference in a few words."""

import pytest

import art_training as art
from art_training.records import Interval, Metric, Split
from art_training.setup.scores.comparison import Comparison
from art_training.setup.setup import Setup
from art_training.steps.regularization.telling import Compared, shown
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


def test_what_could_not_be_compared_says_why() -> None:
    tried = Tried("decay", Setup(dict, dict), ())
    one = Compared(tried, art.Variant(hparams={"decay": 1}), (), note="it could not be trained")
    assert shown(one, ACCURACY) == "it could not be trained"
