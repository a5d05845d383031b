"""A comparison tells a difference from chance, whichever of examples and seeds it is that chance comes from."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchmetrics import MeanSquaredError
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy, MulticlassF1Score

from art_training.errors import CheckError, UnknownMetric, UsageError
from art_training.setup.scores import comparison, leaving_out
from art_training.setup.scores.comparison import compare, holm
from art_training.setup.scores.examples import Examples
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import MetricCalculator


def r2(predictions: Any, targets: Any) -> Any:
    return 1 - ((predictions - targets) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()


r2.higher_is_better = True  # type: ignore[attr-defined]


def undirected(predictions: Any, targets: Any) -> Any:
    return (predictions - targets).mean()


def slow(predictions: Any, targets: Any) -> Any:
    import time

    time.sleep(0.01)
    return r2(predictions, targets)


slow.higher_is_better = True  # type: ignore[attr-defined]

METRICS = MetricCalculator(
    {
        "accuracy": MulticlassAccuracy(3, average="micro"),
        "f1": MulticlassF1Score(3),
        "each": MulticlassF1Score(3, average=None),
        "error": MeanSquaredError(),
        "auroc": BinaryAUROC(),
        "r2": r2,
        "undirected": undirected,
        "slow": slow,
    }
)


def of_losses(losses: Any, weights: Any = None) -> Examples:
    losses = np.asarray(losses, dtype=float)
    return Examples(len(losses), None, losses, np.ones(len(losses)) if weights is None else weights)


def of_classes(count: int, right: float, seed: int, *, targets: int = 0) -> Examples:
    generator = np.random.default_rng(seed)
    target = np.random.default_rng(targets).integers(0, 3, count)
    guess = np.where(generator.random(count) < right, target, (target + 1) % 3)
    return Examples(count, Pool(torch.eye(3)[guess], torch.from_numpy(target)))


def of_values(count: int, noise: float, seed: int) -> Examples:
    target = np.random.default_rng(0).normal(size=count)
    guess = target + np.random.default_rng(seed).normal(size=count) * noise
    return Examples(count, Pool(torch.from_numpy(guess), torch.from_numpy(target)))


def test_with_one_seed_the_loss_is_compared_as_by_a_paired_t_test() -> None:
    generator = np.random.default_rng(0)
    ours, theirs = generator.exponential(size=(2, 80))
    found = compare(METRICS, "validation/loss", [of_losses(ours)], [of_losses(theirs)], seed=0)
    known = stats.ttest_rel(theirs, ours)
    assert found.value == pytest.approx(theirs.mean() - ours.mean())
    assert found.p_value == pytest.approx(known.pvalue)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(known.confidence_interval()))
    assert "one seed" in found.note


def test_a_lower_loss_and_a_higher_accuracy_are_better() -> None:
    by_loss = compare(
        METRICS, "loss", [of_losses(np.arange(40))], [of_losses(np.arange(40) + 1.0 + np.arange(40) % 2)], seed=0
    )
    by_share = compare(METRICS, "accuracy", [of_classes(200, 0.95, 1)], [of_classes(200, 0.6, 2)], seed=0)
    assert by_loss.better
    assert by_share.better
    assert by_share.value == pytest.approx(by_share.ours - by_share.theirs)
    back = compare(METRICS, "accuracy", [of_classes(200, 0.6, 2)], [of_classes(200, 0.95, 1)], seed=0)
    assert not back.better
    assert back.value == pytest.approx(-by_share.value)
    assert back.p_value == pytest.approx(by_share.p_value)


def test_seeds_that_disagree_leave_the_question_open_however_many_examples_there_are() -> None:
    """Each pair alone would be sure: three trainings that scatter by more than they differ are not."""
    base = np.random.default_rng(0).exponential(size=5000)
    theirs = [of_losses(base) for _ in range(3)]
    ours = [of_losses(base - shift - 0.001 * np.arange(5000) / 5000) for shift in (0.4, -0.1, 0.2)]
    assert compare(METRICS, "loss", ours[:1], theirs[:1], seed=0).better
    found = compare(METRICS, "loss", ours, theirs, seed=0)
    known = stats.ttest_1samp([0.4, -0.1, 0.2], 0)
    assert found.p_value == pytest.approx(known.pvalue, rel=0.02)
    assert not found.better
    assert found.by_seed == pytest.approx((0.4005, -0.0995, 0.2005), rel=1e-3)


def test_seeds_that_agree_do_not_make_up_for_few_examples() -> None:
    """The same twenty-odd examples ten times over are no two hundred examples."""
    generator = np.random.default_rng(3)
    base, gain = generator.exponential(size=40), generator.normal(0.25, 1, size=40)
    one = compare(METRICS, "loss", [of_losses(base - gain)], [of_losses(base)], seed=0)
    noise = generator.normal(size=(10, 40)) * 1e-3
    many = compare(METRICS, "loss", [of_losses(base - gain + n) for n in noise], [of_losses(base)] * 10, seed=0)
    assert one.interval is not None
    assert many.interval is not None
    width = one.interval.high - one.interval.low
    assert many.interval.high - many.interval.low == pytest.approx(width, rel=0.05)


def test_weights_of_examples_count_as_in_the_loss() -> None:
    generator = np.random.default_rng(0)
    ours, theirs = generator.exponential(size=(2, 60))
    weights = np.where(np.arange(60) < 45, 1.0, 0.0)
    found = compare(METRICS, "loss", [of_losses(ours, weights)], [of_losses(theirs, weights)], seed=0)
    assert found.ours == pytest.approx(ours[:45].mean())
    assert found.value == pytest.approx(theirs[:45].mean() - ours[:45].mean())
    known = stats.ttest_rel(theirs[:45], ours[:45])
    assert found.p_value == pytest.approx(known.pvalue, rel=0.1)


@pytest.mark.parametrize("name", ["f1", "accuracy"])
def test_sums_of_states_and_computing_again_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [of_classes(90, 0.8, 1)], [of_classes(90, 0.7, 2)]
    fast = compare(METRICS, name, *sides, seed=0)
    monkeypatch.setattr(leaving_out.States, "add_up", staticmethod(lambda metric: False))
    again = compare(METRICS, name, *sides, seed=0)
    assert fast.interval is not None
    assert again.interval is not None
    assert fast.value == pytest.approx(again.value)
    assert fast.interval.low == pytest.approx(again.interval.low, abs=1e-5)
    assert fast.p_value == pytest.approx(again.p_value, rel=1e-3)


def test_the_difference_of_two_areas_under_the_curve_has_the_error_of_delong() -> None:
    """DeLong, DeLong, Clarke-Pearson, Comparing the areas under two or more correlated ROC curves, 1988: the structural
    components are those of the jackknife, up to n / (n - 1)."""
    generator = np.random.default_rng(0)
    target = np.arange(160) % 2
    shared = generator.normal(size=160)
    first, second = (target * shift + shared + generator.normal(size=160) for shift in (1.5, 1.0))
    pools = [Pool(torch.from_numpy(1 / (1 + np.exp(-one))), torch.from_numpy(target)) for one in (first, second)]
    found = compare(METRICS, "auroc", [Examples(160, pools[0])], [Examples(160, pools[1])], seed=0)
    wins = [(one[target == 1][:, None] > one[target == 0][None]).astype(float) for one in (first, second)]
    difference = wins[0] - wins[1]
    error = math.sqrt(difference.mean(1).var(ddof=1) / 80 + difference.mean(0).var(ddof=1) / 80)
    assert found.value == pytest.approx(difference.mean(), abs=1e-6)
    assert found.interval is not None
    assert (found.interval.high - found.interval.low) / 2 == pytest.approx(1.975 * error, rel=0.03)


def test_a_function_of_predictions_and_targets_is_compared_too() -> None:
    found = compare(METRICS, "r2", [of_values(120, 0.3, 1)], [of_values(120, 0.6, 2)], seed=0)
    assert found.better
    squared = compare(METRICS, "error", [of_values(120, 0.3, 1)], [of_values(120, 0.6, 2)], seed=0)
    spread = float(np.random.default_rng(0).normal(size=120).var())
    assert found.value == pytest.approx(squared.value / spread, rel=1e-3)


def test_one_number_of_a_metric_with_several_is_named() -> None:
    sides = [of_classes(90, 0.9, 1)], [of_classes(90, 0.5, 2)]
    assert compare(METRICS, "each.1", *sides, seed=0).better
    assert "several numbers (0, 1, 2); name one" in compare(METRICS, "each", *sides, seed=0).note


def test_positions_of_a_sequence_are_left_out_together() -> None:
    """Forty sequences whose ten positions are alike are forty examples, not four hundred."""
    ours, theirs = of_classes(40, 0.8, 1), of_classes(40, 0.6, 2)
    owner = torch.arange(40).repeat_interleave(10)

    def long(examples: Examples) -> Examples:
        pool = examples.pool
        assert pool is not None
        return Examples(40, Pool(pool.predictions[owner], pool.targets[owner], owner))

    short = compare(METRICS, "accuracy", [ours], [theirs], seed=0)
    repeated = compare(METRICS, "accuracy", [long(ours)], [long(theirs)], seed=0)
    assert repeated.value == pytest.approx(short.value)
    assert repeated.p_value == pytest.approx(short.p_value, rel=1e-3)


def test_many_examples_are_left_out_in_blocks_that_follow_from_the_seed() -> None:
    generator = np.random.default_rng(0)
    ours, theirs = generator.exponential(size=(2, 20_000))
    sides = [of_losses(ours)], [of_losses(theirs)]
    first, same, other = (compare(METRICS, "loss", *sides, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first != other
    known = stats.ttest_rel(theirs, ours).confidence_interval()
    for found in (first, other):
        assert found.interval is not None
        assert found.interval.high - found.interval.low == pytest.approx(known.high - known.low, rel=0.15)


def test_what_cannot_be_compared_is_refused() -> None:
    few, many = of_losses(np.ones(40)), of_losses(np.ones(41))
    with pytest.raises(UsageError, match="40 and on 41 examples, and can be compared on the same ones only"):
        compare(METRICS, "loss", [few], [many], seed=0)
    with pytest.raises(UsageError, match="2 seeds of one cannot be paired with 1 of another"):
        compare(METRICS, "loss", [few, few], [few], seed=0)
    with pytest.raises(UsageError, match="evaluated on other targets"):
        compare(METRICS, "f1", [of_classes(40, 0.9, 1)], [of_classes(40, 0.9, 1, targets=5)], seed=0)
    with pytest.raises(UnknownMetric, match="no metric 'g1' in this project; it has: accuracy, f1"):
        compare(METRICS, "validation/g1", [few], [few], seed=0)
    with pytest.raises(CheckError, match="which way metric 'undirected' is better; set its attribute higher_is_better"):
        compare(METRICS, "undirected", [few], [few], seed=0)


def test_what_has_no_interval_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def note(name: str, ours: Examples, theirs: Examples) -> str:
        found = compare(METRICS, name, [ours], [theirs], seed=0)
        assert found.interval is None
        assert not found.better
        return found.note

    assert "20 examples are fewer than 30" in note("loss", of_losses(np.arange(20)), of_losses(np.arange(20) ** 2))
    alike = of_losses(np.arange(40))
    assert note("loss", alike, alike) == "no interval: the two are the same on every example"
    assert compare(METRICS, "loss", [alike], [alike], seed=0).p_value == 1.0
    assert "not a finite number" in note("loss", of_losses([math.nan] * 40), alike)
    assert "no values of single examples" in note("loss", Examples(40), Examples(40))
    assert "were not found, or are too many" in note("f1", Examples(40), Examples(40))
    assert "f1 raised" in note("f1", of_values(40, 1, 0), of_values(40, 1, 1))
    monkeypatch.setattr(comparison, "SECONDS", 0.05)
    assert "took all of the time" in note("slow", of_values(40, 1, 0), of_values(40, 1, 1))


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_adjusts_upwards_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    ranked = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in ranked] == sorted(adjusted)
    if p_values:
        assert min(adjusted) == pytest.approx(min(1.0, len(p_values) * min(p_values)))


def test_holm_agrees_with_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    with pytest.raises(UsageError, match=r"not all in 0\.\.1"):
        holm([math.nan])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(30, 60))
def test_exchanging_the_two_sides_turns_the_answer_round(seed: int, seeds: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    ours = [of_losses(row) for row in generator.exponential(size=(seeds, count))]
    theirs = [of_losses(row) for row in generator.exponential(size=(seeds, count))]
    there = compare(METRICS, "loss", ours, theirs, seed=0)
    back = compare(METRICS, "loss", theirs, ours, seed=0)
    assert there.interval is not None
    assert back.interval is not None
    assert (there.value, there.interval.low) == pytest.approx((-back.value, -back.interval.high))
    assert there.p_value == pytest.approx(back.p_value)
    assert (there.p_value or 0) < 0.05 or there.interval.low <= 0 <= there.interval.high
