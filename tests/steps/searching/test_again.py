"""Setups that are trained again under seeds that chose nothing."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import Metric as Metrics
from torchmetrics import classification, regression, text

from art_training.checks import Improves
from art_training.checks.evidence import Evidence
from art_training.records import Interval, Metric, Outcome, Score, VerdictState
from art_training.setup.scores.comparison import Comparison
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.scores.standard_errors import StandardError, certainty
from art_training.setup.setup import Setup
from art_training.steps.searching.again import Contestant, Decision, _bounds, fresh_seed, mean_score
from art_training.steps.searching.telling import adjusted, gain

BY = Metric.parse("validation/accuracy")
SETUP = Setup(model=dict, data=dict)


def score(value: float, half: float = 0.1) -> Score:
    return Score(value, Interval(value - half, value + half, 0.95, "wilson"), 100, "maximize")


def contestant(name: str, *values: float, note: str = "") -> Contestant:
    return Contestant(name, SETUP, tuple({str(BY): score(value)} for value in values), note)


def compared(value: float) -> Comparison:
    return Comparison("accuracy", value, None, None, 0.5 + value, 0.5, (value,), 100, "no interval: why")


def test_the_mean_of_several_seeds_is_less_certain_than_its_examples_alone() -> None:
    mean = mean_score([score(0.5), score(0.6), score(0.7)], (0.0, 1.0))
    assert mean.value == pytest.approx(0.6)
    assert mean.interval is not None
    by_seeds = 4.302653 * statistics.stdev([0.5, 0.6, 0.7]) / math.sqrt(3)
    assert mean.value - mean.interval.low == pytest.approx(math.hypot(0.1, by_seeds), rel=1e-6)
    assert mean.interval.method == "wilson, and t over 3 seeds"
    assert mean.note == "mean of 3 trainings"


def test_an_interval_stays_where_the_metric_does() -> None:
    mean = mean_score([score(0.9), score(0.5)], (0.0, 1.0))
    assert mean.interval is not None
    assert (mean.interval.low, mean.interval.high) == (0.0, 1.0)


def test_one_training_says_that_it_is_one() -> None:
    mean = mean_score([score(0.5)])
    assert mean.interval == Interval(0.4, 0.6, 0.95, "wilson")
    assert "another seed may give another value" in mean.note


def test_without_intervals_there_is_none() -> None:
    mean = mean_score([score(0.5), Score(0.7, None, note="no interval: 5 examples")])
    assert mean.interval is None
    assert mean.note == "no interval: 5 examples"


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says() -> None:
    """Seeds and examples both vary: true value 0.8, the split's own offset, each seed's own offset."""
    generator = np.random.default_rng(0)
    covered, rounds = 0, 2_000
    for _ in range(rounds):
        shift = generator.normal(0, 0.02)
        runs = [score(float(0.8 + shift + generator.normal(0, 0.03)), 1.96 * 0.02) for _ in range(3)]
        interval = mean_score(runs).interval
        assert interval is not None
        covered += interval.low <= 0.8 <= interval.high
    # Adding in squares is a little too wide: never below what is promised, and not far above.
    assert 0.945 <= covered / rounds <= 0.99


@given(st.integers(0, 2**31 - 1))
def test_fresh_seeds_differ_from_each_other_and_from_that_of_the_search(seed: int) -> None:
    fresh = [fresh_seed(seed, number) for number in range(5)]
    assert len({seed, *fresh}) == 6
    assert all(0 <= one < 2**31 for one in fresh)
    assert fresh_seed(seed, 0) != fresh_seed(seed + 1, 0)


def test_a_contestant_that_could_not_be_trained_has_no_value() -> None:
    failed = contestant("trial 1", 0.5, note="trial 1, seed 2: it raised")
    assert math.isnan(failed.value(BY))
    assert failed.scores == {}
    assert contestant("trial 2", 0.5, 0.7).value(BY) == pytest.approx(0.6)


@pytest.mark.parametrize(("value", "carried"), [(0.1, True), (0.0, True), (-0.001, False)])
def test_the_winner_is_handed_on_where_it_is_not_worse(value: float, carried: bool) -> None:
    incoming, winner = contestant("incoming setup", 0.5), contestant("trial 1", 0.5 + value)
    decision = Decision(incoming, (winner,), winner, compared(value))
    assert decision.carried is carried
    assert decision.chosen is (winner if carried else incoming)
    assert gain(decision)["gain"].value == value
    assert gain(decision)["gain"].note == "no interval: why"


def test_the_winner_is_handed_on_where_what_there_was_cannot_be_trained() -> None:
    winner = contestant("trial 1", 0.5)
    decision = Decision(contestant("incoming setup", note="it raised"), (winner,), winner)
    assert decision.carried
    assert gain(decision) == {}


def test_without_a_winner_there_is_what_there_was() -> None:
    incoming = contestant("incoming setup", 0.5)
    decision = Decision(incoming, (contestant("trial 1", note="it raised"),))
    assert not decision.carried
    assert decision.chosen is incoming


def test_a_score_that_one_seed_lacks_is_no_number_and_says_so() -> None:
    lacking = Contestant("trial 1", SETUP, ({str(BY): score(0.5), "validation/f1": score(0.4)}, {str(BY): score(0.6)}))
    assert math.isnan(lacking.scores["validation/f1"].value)
    assert lacking.scores["validation/f1"].note == "it could not be computed under 1 of 2 seeds"
    assert lacking.value(BY) == pytest.approx(0.55)


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=5))
def test_the_interval_of_what_cannot_be_below_zero_is_not_below_it(values: list[float]) -> None:
    interval = mean_score([score(value, value / 3) for value in values], (0.0, math.inf)).interval
    assert interval is not None
    assert 0 <= interval.low <= statistics.fmean(values) * (1 + 1e-9) <= interval.high * (1 + 1e-9)


@pytest.mark.parametrize(("name", "note", "low"), [
    ("cross_entropy", "", 0.0),
    ("mse_loss", "", 0.0),
    ("gaussian_nll_loss", "", -math.inf),
    ("cross_entropy", "-1 of it is added to cross_entropy by the step, in every batch", -math.inf),
    ("", "", -math.inf),
])  # fmt: skip
def test_which_losses_cannot_be_below_zero(name: str, note: str, low: float) -> None:
    runs = [{"validation/loss": Score(0.1, source=f"{name} call" if name else "logged by the step", note=note)}]
    assert _bounds(MetricCalculator({}), "validation/loss", runs) == (low, math.inf)


def test_a_loss_under_two_seeds_that_differ_much_keeps_above_zero_and_says_how() -> None:
    interval = mean_score([score(0.1, 0.05), score(0.3, 0.05)], (0.0, math.inf)).interval
    assert interval is not None
    assert 0 < interval.low < 0.1
    assert interval.method == "wilson, and t over 2 seeds, below it of the logarithm"
    assert interval.high == pytest.approx(0.2 + math.hypot(0.05, 12.7062 * 0.1), rel=1e-4)


def test_the_mean_loss_of_three_seeds_may_be_far_above_where_a_fourth_might_end_badly() -> None:
    runs = [score(0.1, 0.01), score(0.1, 0.01), score(0.4, 0.01)]
    loss = mean_score(runs, (0.0, math.inf)).interval
    anything = mean_score(runs).interval
    assert loss is not None
    assert anything is not None
    assert loss.method == "wilson, and t over 3 seeds, of the logarithm"
    assert loss.high == pytest.approx(0.2 * math.exp((anything.high - 0.2) / 0.2))


@pytest.mark.parametrize(("metric", "values"), [
    (classification.MulticlassCohenKappa(3), (-0.5, -0.45, -0.48)),
    (classification.MulticlassMatthewsCorrCoef(3), (-0.2, 0.1, -0.1)),
    (classification.MulticlassHingeLoss(3), (1.02, 1.05, 1.01)),
    (regression.ExplainedVariance(), (-3.0, -2.0, -4.0)),
    (regression.KendallRankCorrCoef(), (-0.5, -0.4, -0.6)),
    (regression.CosineSimilarity(), (-40.0, 70.0, 200.0)),
    (text.WordErrorRate(), (1.5, 2.0, 1.2)),
])  # fmt: skip
def test_a_mean_outside_of_what_torchmetrics_draws_lies_in_its_interval(metric: Metrics, values: tuple[float]) -> None:
    bounds = _bounds(MetricCalculator({"it": metric}), "validation/it", [])
    mean = mean_score([score(value, 0.05) for value in values], bounds)
    assert mean.interval is not None
    assert mean.interval.low < mean.value < mean.interval.high


def test_the_gain_says_that_the_winner_was_chosen() -> None:
    errors = (StandardError(0.01, 2.0, by_seeds=True), StandardError(0.02, 99.0, by_seeds=False))
    interval, p_value = certainty(0.06, errors, "paired jackknife over 3 seeds and 100 examples")
    alone = Comparison("accuracy", 0.06, interval, p_value, 0.56, 0.5, (0.06,), 100, errors=errors)
    chosen = alone.of_best(trained=3, seen=40)
    assert alone.better
    assert not chosen.better
    assert chosen.value == alone.value
    incoming, winner = contestant("incoming setup", 0.5), contestant("trial 1", 0.56)
    decision = Decision(incoming, (winner,), winner, chosen)
    assert gain(decision)["gain"].interval == chosen.interval
    (reading,) = adjusted(decision)
    assert (reading.name, reading.value) == ("p_adjusted", chosen.p_value)
    assert chosen.p_value is not None
    assert chosen.p_value > 0.05
    outcome = Outcome(scores=gain(decision), readings=(reading,))
    assert Improves().judge(Evidence("Tune", outcome)).state is VerdictState.FAILED
