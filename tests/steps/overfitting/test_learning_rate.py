"""What the losses of a range test say, on curves whose answer is known."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from art_training.steps.overfitting.learning_rate import HIGHEST, LOWEST, STEPS, judged, rate_at


def descent(curvature: float, *, noise: float = 0.0, start: float = 1.0, floor: float = 0.0) -> dict[int, float]:
    """Gradient descent on curvature/2 x², whose steps diverge for rates above 2 / curvature; losses by step from 1."""
    draws = random.Random(0)
    x, losses = 1.0, {}
    for step in range(1, STEPS + 1):
        loss = floor + start * x * x
        losses[step] = loss + noise * draws.gauss(0, 1)
        x -= rate_at(step - 1) * curvature * x
        if not math.isfinite(x) or abs(x) > 1e100:
            break
    return losses


def test_rates_go_from_the_lowest_to_the_highest_by_equal_factors() -> None:
    assert rate_at(0) == LOWEST
    assert rate_at(STEPS - 1) == pytest.approx(HIGHEST)
    assert rate_at(STEPS + 5) == rate_at(STEPS - 1)
    assert rate_at(11) / rate_at(10) == pytest.approx(rate_at(51) / rate_at(50))


@settings(max_examples=60, deadline=None)
@given(curvature=st.floats(1.0, 1e4), noise=st.floats(0, 0.03), floor=st.floats(0, 10))
def test_the_suggestion_is_stable_and_no_crawl_whatever_the_problem_is(
    curvature: float, noise: float, floor: float
) -> None:
    found = judged(descent(curvature, noise=noise, floor=floor))
    assert found.suggestion is not None
    assert found.suggestion < 2 / curvature  # beyond, it diverges
    assert found.suggestion > 2 / curvature / 200
    assert found.rates == tuple(sorted(found.rates))
    assert len(found.rates) == len(found.losses) == len(found.smoothed)


@settings(max_examples=30, deadline=None)
@given(curvature=st.floats(1.0, 1e3), factor=st.floats(1e-3, 1e3))
def test_the_units_of_the_loss_do_not_matter(curvature: float, factor: float) -> None:
    assert judged(descent(curvature, start=factor)).suggestion == judged(descent(curvature)).suggestion


@pytest.mark.parametrize("noise", [0.001, 0.05, 0.5])
def test_a_loss_that_is_noise_alone_gives_no_suggestion(noise: float) -> None:
    for seed in range(200):
        draws = random.Random(seed)
        found = judged({step: 2.3 + noise * draws.gauss(0, 1) for step in range(1, STEPS + 1)})
        assert found.suggestion is None, seed
    assert "the loss fell at no rate from 1e-06" in found.note


@pytest.mark.parametrize("seed", range(8))
def test_an_explosion_at_the_end_hides_no_valley_before_it(seed: int) -> None:
    """Noisy batches of a small regression: from 1 down to 0.5 about 1e-2, then up in leaps to what ends the test."""
    draws = random.Random(seed)
    losses: dict[int, float] = {}
    for step in range(1, STEPS + 1):
        rate = rate_at(step - 1)
        mean = 1.0 - 0.5 / (1 + (2e-3 / rate) ** 2) + 2.0 * max(0.0, math.log10(rate / 0.05))
        losses[step] = mean + draws.gauss(0, 0.18 if rate < 0.05 else 0.9)
    found = judged(losses)
    assert found.suggestion is not None
    assert 2e-4 <= found.suggestion <= 1e-2


def test_a_loss_that_only_rises_gives_no_suggestion() -> None:
    found = judged({step: 1.0 + step for step in range(1, STEPS + 1)})
    assert found.suggestion is None


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_what_is_not_finite_ends_the_curve_and_spoils_nothing_before_it(lost: float) -> None:
    clean = descent(1e3)
    broken = {step: (loss if step < max(clean) - 2 else lost) for step, loss in clean.items()}
    found = judged(broken)
    assert found.suggestion == judged(clean).suggestion
    assert all(map(math.isfinite, found.losses))


def test_too_few_losses_or_none_that_is_finite_give_no_suggestion() -> None:
    assert "saw 3 losses" in judged({1: 1.0, 2: 0.9, 3: 0.8}).note
    assert "saw 0 losses" in judged({}).note
    assert "not finite" in judged(dict.fromkeys(range(1, 50), math.nan)).note


def test_a_negative_loss_may_fall_too() -> None:
    losses = {step: loss - 5.0 for step, loss in descent(100.0).items()}
    assert judged(losses).suggestion == pytest.approx(judged(descent(100.0)).suggestion, rel=0.5)
