"""How often a test split was looked at."""

import numpy as np
import pytest

from art_training.records import Interval, Score
from art_training.steps.final.uses import Uses, expected_maximum


@pytest.mark.parametrize(("count", "expected"), [(1, 0.0), (2, 1 / np.sqrt(np.pi)), (3, 1.5 / np.sqrt(np.pi))])
def test_the_best_of_a_few_looks_too_good_by_a_known_number(count: int, expected: float) -> None:
    assert expected_maximum(count) == pytest.approx(expected, abs=1e-6)


def test_the_best_of_ten_looks_as_good_as_a_simulation_says() -> None:
    drawn = np.random.default_rng(0).standard_normal((40_000, 10)).max(1)
    assert expected_maximum(10) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / 200)


def test_another_model_is_a_warning_in_units_of_the_score() -> None:
    score = Score(0.9, Interval(0.9 - 0.0196, 0.9 + 0.0196))
    assert Uses(3, 1).findings(score, "test/accuracy") == []
    (finding,) = Uses(3, 2).findings(score, "test/accuracy")
    assert finding.code == "ART801"
    assert "used 3 times, for 2 different models" in finding.message
    assert "0.56 standard errors too good, here 0.0056 of test/accuracy" in finding.message


def test_a_score_without_an_interval_has_no_units() -> None:
    (finding,) = Uses(2, 2).findings(Score(0.9), "test/accuracy")
    assert "here" not in finding.message
