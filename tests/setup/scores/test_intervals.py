"""Intervals cover what they should, and say so where they cannot be had."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torchmetrics import MeanMetric
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassF1Score,
)

from art_training.setup.scores import intervals
from art_training.setup.scores.intervals import CUT, of_mean, of_resamples, of_share, of_values, wilson
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metric_intervals import of_metric


def test_wilson_agrees_with_published_values() -> None:
    """Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I: 81 of 263, 0 of 20."""
    interval = wilson(81 / 263, 263)
    assert (interval.low, interval.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    interval = wilson(0.0, 20)
    assert (interval.low, interval.high) == (0.0, pytest.approx(0.1611, abs=5e-5))
    assert wilson(1.0, 29).low == pytest.approx(1 - 0.1170, abs=5e-5)


def test_the_interval_of_a_mean_agrees_with_scipy() -> None:
    from scipy.stats import bootstrap

    values = np.random.default_rng(0).exponential(size=300)
    mine = of_mean(values, None, seed=0).interval
    theirs = bootstrap((values,), np.mean, n_resamples=2000, method="BCa", rng=0).confidence_interval
    assert mine is not None
    width = theirs.high - theirs.low
    assert mine.low == pytest.approx(theirs.low, abs=0.1 * width)
    assert mine.high == pytest.approx(theirs.high, abs=0.1 * width)


def test_blocks_give_the_interval_of_single_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).exponential(size=4000)
    blocks = of_mean(values, None, seed=0).interval
    monkeypatch.setattr(intervals, "BLOCKS", 4000)
    monkeypatch.setattr(intervals.random_blocks, "__defaults__", (4000,))
    single = of_mean(values, None, seed=0).interval
    assert blocks is not None
    assert single is not None
    width = single.high - single.low
    assert blocks.high - blocks.low == pytest.approx(width, rel=0.15)
    assert blocks.low == pytest.approx(single.low, abs=0.15 * width)


def test_few_examples_have_no_interval_and_say_so() -> None:
    assert of_mean(np.ones(3), None, seed=0) == (None, "no interval: 3 examples are fewer than 16")
    assert "fewer than 16" in of_resamples(lambda rows: 1.0, 1.0, 4, seed=0).note


def test_a_constant_has_no_interval_and_says_so() -> None:
    assert "same value" in of_mean(np.ones(30), None, seed=0).note
    assert "same value" in of_resamples(lambda rows: 1.0, 1.0, 30, seed=0).note


def test_nan_has_no_interval_and_says_so() -> None:
    assert "not finite" in of_mean(np.array([math.nan] * 20), None, seed=0).note
    assert "not defined" in of_resamples(lambda rows: math.nan, 1.0, 30, seed=0).note


def test_a_slow_statistic_gets_what_the_time_allows() -> None:
    draws = np.random.default_rng(0).normal(size=10_000)

    def slow(count: int, pause: float) -> Callable[[], object]:
        import time

        def values() -> object:
            for value in draws[:count]:
                until = time.thread_time() + pause
                while time.thread_time() < until:
                    pass
                yield float(value)

        return values

    some = of_values(slow(2000, 1e-2)(), 0.0, 100, seconds=1.0)  # type: ignore[arg-type]
    assert some.interval is not None
    assert some.interval.method.startswith("bootstrap standard error")
    none = of_values(slow(2000, 0.02)(), 0.0, 100, seconds=0.02)  # type: ignore[arg-type]
    assert none.interval is None
    assert "fewer than 50" in none.note


def test_a_perfect_share_has_wilsons_interval_where_a_bootstrap_has_no_width() -> None:
    target = torch.arange(40) % 2
    pool = Pool(target, target)
    for metric in (BinaryAccuracy(), MulticlassAccuracy(num_classes=2), MulticlassAccuracy(2, average="micro")):
        interval = of_metric(metric, 1.0, pool, seed=0).interval
        assert interval is not None
        assert (interval.low, interval.high) == (pytest.approx(wilson(1.0, 40).low), 1.0)
    assert of_metric(MulticlassF1Score(2), 1.0, pool, seed=0).interval is None


def test_a_perfect_share_of_positions_counts_examples() -> None:
    target = torch.arange(400) % 2
    pool = Pool(target, target, torch.arange(40).repeat_interleave(10))
    interval = of_metric(BinaryAccuracy(), 1.0, pool, seed=0).interval
    assert interval is not None
    assert interval.low == pytest.approx(wilson(1.0, 40).low)


def test_sums_of_states_and_computing_again_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    from art_training.setup.scores import metric_intervals

    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 3, (150,), generator=generator)
    guess = torch.where(torch.rand(150, generator=generator) < 0.7, target, (target + 1) % 3)
    metric = MulticlassF1Score(num_classes=3)
    value = float(metric(guess, target))
    quick = of_metric(metric, value, Pool(guess, target), seed=0).interval
    monkeypatch.setattr(metric_intervals, "_of_sums", lambda *_: None)
    monkeypatch.setattr(intervals.of_values, "__kwdefaults__", {"bounds": intervals.UNBOUNDED, "seconds": 10.0})
    slow = of_metric(metric, value, Pool(guess, target), seed=0).interval
    assert quick is not None
    assert slow is not None
    assert quick.low == pytest.approx(slow.low, abs=0.01)
    assert quick.high == pytest.approx(slow.high, abs=0.01)


def test_states_that_are_sums_but_do_not_reproduce_the_value_are_not_believed() -> None:
    class Squared(MeanMetric):
        def update(self, preds: torch.Tensor, target: torch.Tensor) -> None:
            # Depends on the whole batch: sums over parts of it are something else.
            super().update((preds - preds.mean()) ** 2)

    pool = Pool(torch.randn(50), torch.zeros(50))
    metric = Squared()
    metric.update(pool.predictions, pool.targets)
    estimated = of_metric(metric, float(metric.compute()), pool, seed=0)
    assert estimated.interval is not None
    assert "1000 resamples" not in estimated.interval.method


def coverage(draw: Callable[[int], tuple[float, bool | None]], trials: int) -> float:
    hits = [hit for _, hit in (draw(seed) for seed in range(trials)) if hit is not None]
    assert len(hits) > 0.95 * trials
    return sum(hits) / len(hits)


@pytest.mark.slow
def test_the_interval_of_a_mean_loss_covers_the_truth() -> None:
    def draw(seed: int) -> tuple[float, bool | None]:
        values = np.random.default_rng(seed).exponential(size=150)
        interval = of_mean(values, None, seed=seed).interval
        return 1.0, None if interval is None else interval.low <= 1.0 <= interval.high

    assert 0.91 <= coverage(draw, 400) <= 0.98


@pytest.mark.slow
def test_the_interval_of_a_mean_over_tokens_covers_the_truth() -> None:
    """Sequences of different lengths whose tokens depend on each other; the truth is Σ totals / Σ weights."""

    def draw(seed: int) -> tuple[float, bool | None]:
        generator = np.random.default_rng(seed)
        lengths = generator.integers(1, 30, 200).astype(float)
        level = generator.exponential(size=200)
        interval = of_mean(level * lengths, lengths, seed=seed).interval
        return 1.0, None if interval is None else interval.low <= 1.0 <= interval.high

    assert 0.90 <= coverage(draw, 400) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("share", "n"), [(0.5, 50), (0.9, 50), (0.98, 100)])
def test_the_interval_of_an_accuracy_covers_the_truth(share: float, n: int) -> None:
    def draw(seed: int) -> tuple[float, bool | None]:
        correct = np.random.default_rng(seed).random(n) < share
        pool = Pool(torch.from_numpy(correct).long(), torch.ones(n).long())
        interval = of_metric(BinaryAccuracy(), float(correct.mean()), pool, seed=seed).interval
        assert interval is not None
        return share, interval.low <= share <= interval.high

    assert 0.92 <= coverage(draw, 300) <= 0.995


@pytest.mark.slow
def test_the_interval_of_f1_covers_the_truth() -> None:
    """F1 of a classifier that is right in 80 % of positives and in 90 % of negatives, at a rate of 40 %."""
    precision = 0.4 * 0.8 / (0.4 * 0.8 + 0.6 * 0.1)
    truth = 2 * precision * 0.8 / (precision + 0.8)

    def draw(seed: int) -> tuple[float, bool | None]:
        generator = torch.Generator().manual_seed(seed)
        target = (torch.rand(200, generator=generator) < 0.4).long()
        right = torch.rand(200, generator=generator) < torch.where(target == 1, 0.8, 0.9)
        guess = torch.where(right, target, 1 - target)
        metric = BinaryF1Score()
        interval = of_metric(metric, float(metric(guess, target)), Pool(guess, target), seed=seed).interval
        return truth, None if interval is None else interval.low <= truth <= interval.high

    assert 0.89 <= coverage(draw, 80) <= 1.0


@pytest.mark.slow
def test_random_groups_of_many_examples_cover_the_truth() -> None:
    """The standard deviation, which is no sum, of 5,000 numbers: 1."""

    def draw(seed: int) -> tuple[float, bool | None]:
        values = np.random.default_rng(seed).normal(size=5_000)
        estimated = of_resamples(
            lambda rows: float(values[rows].std(ddof=1)), float(values.std(ddof=1)), 5_000, seed=seed
        )
        assert estimated.interval is not None
        assert "random groups" in estimated.interval.method
        return 1.0, estimated.interval.low <= 1.0 <= estimated.interval.high

    assert 0.92 <= coverage(draw, 300) <= 0.98


@pytest.mark.slow
def test_the_interval_of_auroc_covers_the_truth() -> None:
    """Scores N(1, 1) of positives and N(0, 1) of negatives: AUROC = Φ(1/√2) = 0.7602."""
    truth = 0.5 * (1 + math.erf(0.5))

    def draw(seed: int) -> tuple[float, bool | None]:
        generator = torch.Generator().manual_seed(seed)
        target = (torch.rand(150, generator=generator) < 0.5).long()
        score = (torch.randn(150, generator=generator) + target).sigmoid()
        metric = BinaryAUROC()
        interval = of_metric(metric, float(metric(score, target)), Pool(score, target), seed=seed).interval
        return truth, None if interval is None else interval.low <= truth <= interval.high

    assert 0.87 <= coverage(draw, 60) <= 1.0


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_of_a_few_skewed_losses_does_not_end_below_what_a_loss_can_be(seed):
    losses = np.random.default_rng(seed).lognormal(0, 2.5, 20)
    free, kept = (of_mean(losses, None, seed=0, floor=floor).interval for floor in (-np.inf, 0.0))
    assert kept.low >= 0
    assert kept.high == free.high
    assert (kept.low, kept.method) == ((free.low, free.method) if free.low >= 0 else (0.0, free.method + CUT))


@pytest.mark.parametrize("share", [0.9, 0.97, 0.99, 0.998])
def test_a_share_of_the_positions_of_sequences_is_held_by_its_interval_near_one_too(share: float) -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        rows = generator.integers(20, 60, 40)
        hits = generator.binomial(rows, share)
        interval = of_share(hits.astype(float), rows.astype(float)).interval
        assert interval is not None
        assert 0 <= interval.low <= hits.sum() / rows.sum() <= interval.high <= 1
        held += interval.low <= share <= interval.high
    assert held / 300 >= 0.917  # the simulation's own 99 % band around 0.95


@pytest.mark.parametrize(("share", "sequences"), [(0.97, 16), (0.97, 40), (0.99, 40), (0.99, 200)])
def test_a_share_is_held_where_its_misses_come_together_in_few_sequences(share: float, sequences: int) -> None:
    generator = np.random.default_rng(1)
    several = 1 / 0.3 - 1  # two positions of one sequence are correlated by 0.3
    held = 0
    for _ in range(300):
        rows = generator.integers(20, 60, sequences)
        hits = generator.binomial(rows, generator.beta(share * several, (1 - share) * several, sequences))
        interval = of_share(hits.astype(float), rows.astype(float)).interval
        held += interval is not None and interval.low <= share <= interval.high
    assert held / 300 >= 0.917  # the simulation's own 99 % band around 0.95


def test_a_perfect_share_of_positions_has_an_interval_of_its_examples() -> None:
    interval = of_share(np.full(40, 25.0), np.full(40, 25.0)).interval
    assert interval is not None
    assert (interval.low, interval.high) == (wilson(1.0, 40).low, 1.0)
    assert of_share(np.array([3.0, 0.0]), np.array([3.0, 0.0])).interval is None
