import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.checks import Above, Below, Between, Check, CloseTo, Equals, Evidence, Exists, judge
from art_training.errors import CheckError
from art_training.records import Interval, Metric, Outcome, Score, Split, VerdictState

numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)


def having(value: float, **more) -> Evidence:
    return Evidence("Overfit", Outcome(scores={"validation/accuracy": Score(value, **more), "train/loss": Score(0.1)}))


def verdict(check: Check, value: float, **more):
    return judge(check, having(value, **more))


@given(numbers, numbers)
def test_above_below_and_equals_divide_the_numbers_between_them(value: float, limit: float):
    answers = [verdict(kind("validation/accuracy", limit), value).state for kind in (Above, Below, Equals)]
    assert sorted(answers) == ["failed", "failed", "passed"]


@given(st.sampled_from([math.nan, math.inf, -math.inf]), numbers)
def test_what_is_not_finite_passes_no_comparison(value: float, limit: float):
    name = "validation/accuracy"
    for check in (
        Above(name, limit), Below(name, limit), Equals(name, limit), Exists(name), Between(name, limit, limit),
        CloseTo(name, limit, 1.0),
    ):  # fmt: skip
        assert verdict(check, value).state is VerdictState.FAILED
        assert "not a finite number" in verdict(check, value).reason


@given(numbers, numbers)
def test_a_reason_shows_digits_enough_to_tell_the_score_from_the_limit(value: float, limit: float):
    shown = verdict(Above("validation/accuracy", limit), value).reason.split(" is ")[1].split(",")[0]
    if value != limit:
        assert shown != f"{limit:.4g}"


def test_titles_read_like_the_question():
    assert Above("validation/accuracy", 0.9).title == "validation/accuracy > 0.9"
    assert Below("train/loss", 5e-2).title == "train/loss < 0.05"
    assert Equals("validation/errors", 0).title == "validation/errors == 0"
    assert Between("accuracy", 0, 1).title == "accuracy in [0, 1]"
    assert CloseTo("train/loss", 2.3, 0.1).title == "train/loss = 2.3 ± 0.1"
    assert CloseTo("train/loss", 2.3, 0.1, relative=True).title == "train/loss = 2.3 ± 0.1 of it"
    assert Exists("validation:noisy/f1").title == "validation:noisy/f1 exists"


def test_a_reason_has_the_number_its_interval_and_the_rule():
    interval = Interval(0.8312, 0.9011)
    judged = verdict(Above("validation/accuracy", 0.9), 0.86999, interval=interval, rows=360)
    assert judged.reason == "validation/accuracy is 0.87 [0.8312, 0.9011], not > 0.9"
    assert judged.numbers == {"value": 0.86999, "low": 0.8312, "high": 0.9011, "rows": 360}
    assert judged.configuration == {"check": "Above", "metric": "validation/accuracy", "limit": 0.9}


def test_a_missing_metric_is_errored_and_names_those_that_exist():
    judged = judge(Above("validation/acc", 0.9), having(1.0))
    assert judged.state is VerdictState.ERRORED
    assert judged.reason == "no metric 'validation/acc' in this outcome; it has: validation/accuracy, train/loss"


def test_exists_answers_no_for_a_missing_metric_and_names_those_that_exist():
    judged = judge(Exists("validation/acc"), having(1.0))
    assert judged.state is VerdictState.FAILED
    assert "it has: validation/accuracy, train/loss" in judged.reason


@pytest.mark.parametrize(
    ("declare", "sentence"),
    [
        (lambda: Between("a", 1, 0.5), "low=1 is above high=0.5, so that nothing passes; swap them: Between(..., 0.5, 1)"),
        (lambda: Below("a", math.nan), "limit=nan is not finite"),
        (lambda: Above("a", math.inf), "limit=inf is not finite"),
        (lambda: Above("a", "0.9"), "limit='0.9' is not a number"),
        (lambda: Above("a", True), "limit=True is not a number"),
        (lambda: Equals("a", None), "value=None is not a number"),
        (lambda: CloseTo("a", 1, -0.1), "tolerance=-0.1 is negative, but a distance is not; give tolerance=0.1"),
        (lambda: CloseTo("a", 0, 0.1, relative=True), "value=0 with relative=True"),
        (lambda: Below("val/loss", 1), "names the split 'val'; a split is one of: train, validation, test"),
        (lambda: Below("", 1), "'' is not a metric name"),
        (lambda: Below(3, 1), "3 names no metric; give 'validation/accuracy'"),
        (lambda: Below((object(), "val"), 1), "(object, 'val') names no split; a split is one of"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_construction(declare, sentence: str):
    with pytest.raises(CheckError) as raised:
        declare()
    assert sentence in str(raised.value)
    assert ";" in str(raised.value) or ":" in str(raised.value)


def test_numbers_of_numpy_are_limits_too():
    assert Above("a", np.float32(0.5)) == Above("a", 0.5)
    assert Equals("a", np.int64(3)).value == 3.0


@given(st.floats(-1e6, 1e6), st.floats(0, 1e3))
def test_rounding_of_the_subtraction_never_decides_closeness(value: float, tolerance: float):
    assert verdict(CloseTo("validation/accuracy", value, tolerance), value + tolerance).state is VerdictState.PASSED
    assert verdict(CloseTo("validation/accuracy", value, tolerance), value - tolerance).state is VerdictState.PASSED


def test_a_metric_is_a_string_an_address_or_a_name_with_a_split():
    address = Metric("accuracy", Split.VALIDATION)
    assert Above("validation/accuracy", 0.9) == Above(address, 0.9) == Above(("accuracy", "validation"), 0.9)
