"""Calibration error and temperature: right by simulation, and blind to nothing that they should see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from art_training.setup.scores.calibration import (
    BINS,
    HOTTEST,
    confidences,
    cross_fitted,
    folds_of,
    reliability,
    temperature_of,
    tempered,
)


def drawn(n: int, classes: int = 4, *, too_sure: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that say `too_sure` times more than the targets' own, and targets."""
    generator = np.random.default_rng(seed)
    scores = 2 * generator.normal(size=(n, classes))
    own = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    targets = (own.cumsum(1) < generator.random((n, 1))).sum(1).clip(0, classes - 1)
    return tempered(own, 1 / too_sure), targets


def test_the_error_is_the_mean_distance_of_confidence_and_accuracy_in_bins() -> None:
    predictions = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    targets = np.array([0, 1, 0, 1])
    found = reliability(predictions, targets, seed=0)
    assert found.error == pytest.approx((2 * abs(0.9 - 0.5) + abs(0.6 - 1) + abs(0.8 - 1)) / 4)
    assert [one.count for one in found.bins] == [1, 1, 2]
    assert found.bins[-1].interval.low < 0.5 < found.bins[-1].interval.high
    assert found.estimated.interval is None
    assert "4 examples" in found.estimated.note


def test_a_single_probability_of_yes_is_confident_both_ways() -> None:
    confident, correct = confidences(np.array([0.9, 0.1, 0.6]), np.array([1.0, 0.0, 0.0]))
    assert confident == pytest.approx([0.9, 0.9, 0.6])
    assert correct == pytest.approx([1, 1, 0])


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 3.0])
def test_the_temperature_is_how_much_too_sure_the_predictions_are(too_sure: float) -> None:
    predictions, targets = drawn(20_000, too_sure=too_sure)
    assert temperature_of(predictions, targets) == pytest.approx(too_sure, rel=0.05)
    two = predictions[:, 1] / (predictions[:, 0] + predictions[:, 1])
    kept = targets < 2
    assert temperature_of(two[kept], targets[kept]) == pytest.approx(too_sure, rel=0.1)


def test_examples_that_are_all_right_say_that_one_in_so_many_is_wrong_and_no_more() -> None:
    predictions = np.array([[0.6, 0.4]] * 30)
    for one in (predictions, predictions[:, 1]):
        found = tempered(one, temperature_of(one, np.zeros(30, dtype=int)))
        assert (found[:, 0] if found.ndim == 2 else 1 - found) == pytest.approx(30 / 31, abs=1e-3)
    sure, unsure = [0.999, 0.0005, 0.0005], [0.6, 0.39, 0.01]
    split = np.array([sure] * 90 + [unsure] * 10)  # a model that expects to err four times, and did not
    assert 0.1 < temperature_of(split, np.zeros(100, dtype=int)) < 1


def test_examples_that_are_all_wrong_send_the_temperature_to_its_bound_and_no_further() -> None:
    predictions = np.array([[0.6, 0.4]] * 30)
    assert temperature_of(predictions, np.ones(30, dtype=int)) == pytest.approx(HOTTEST, rel=1e-3)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.floats(-30, 30)),
    st.floats(0.05, 20),
)
def test_tempering_keeps_probabilities_and_decisions_and_can_be_undone(scores: np.ndarray, temperature: float) -> None:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    predictions = raised / raised.sum(1, keepdims=True)
    found = tempered(predictions, temperature)
    assert found.sum(1) == pytest.approx(np.ones(len(found)))
    best = predictions.max(1)
    assert (np.take_along_axis(predictions, found.argmax(1)[:, None], 1)[:, 0] >= best * (1 - 1e-6)).all()
    assert tempered(predictions, 1.0) == pytest.approx(predictions, abs=1e-12)
    if temperature > 1:  # below, small probabilities may underflow to zero, which nothing undoes
        assert tempered(found, 1 / temperature) == pytest.approx(predictions, abs=1e-6)


def test_cross_fitting_uses_no_example_for_its_own_temperature() -> None:
    predictions, targets = drawn(300, too_sure=2.0)
    found, temperatures = cross_fitted(predictions, targets, seed=0)
    assert len(temperatures) == 5
    others = targets.copy()
    others[7] = (others[7] + 1) % 4  # another target of one example must not move that example
    again, _ = cross_fitted(predictions, others, seed=0)
    assert (again[7] == found[7]).all()
    assert not np.allclose(again, found)


def test_positions_of_one_sequence_are_held_out_together() -> None:
    predictions, targets = drawn(400, too_sure=2.0)
    example = np.repeat(np.arange(40), 10)
    found, _ = cross_fitted(predictions, targets, example, seed=0)
    scale = np.log(found / found[:, :1])[:, 1] / np.log(predictions / predictions[:, :1])[:, 1]
    by_example = scale.reshape(40, 10)
    assert by_example == pytest.approx(np.repeat(by_example[:, :1], 10, axis=1))
    assert len(np.unique(by_example[:, 0].round(9))) == 5


def test_too_few_examples_for_the_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="4 examples cannot be held out in 5 folds"):
        folds_of(4, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(("too_sure", "n"), [(1.0, 200), (1.3, 500), (2.5, 300)])
def test_the_interval_of_the_error_covers_the_true_one(too_sure: float, n: int) -> None:
    """0.95 is asked; the lower end is conservative, so that only too little counts. 99 % of 40 draws lie above 0.85."""
    true = reliability(*drawn(100_000, too_sure=too_sure, seed=1), seed=0).error
    covered = 0
    for seed in range(40):
        between = reliability(*drawn(n, too_sure=too_sure, seed=seed + 2), seed=seed).estimated.interval
        assert between is not None
        covered += between.low <= true <= between.high
    assert covered / 40 >= 0.85


def test_the_bins_are_of_equal_width_and_close_above() -> None:
    edges = np.arange(1, BINS + 1) / BINS
    predictions = np.stack([edges, 1 - edges], 1)[edges >= 0.5]
    found = reliability(predictions, np.zeros(len(predictions), dtype=int), seed=0)
    assert [one.high for one in found.bins] == pytest.approx(edges[edges >= 0.5])
