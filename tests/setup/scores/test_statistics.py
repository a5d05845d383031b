"""Intervals hold the truth as often as they say, and a difference that is none is claimed no more often than allowed.

A short form of `python -m benchmarks.statistics`, whose report stands beside it.
"""

from pathlib import Path

import pytest

from art_training.setup.scores import comparison

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "seeds", "shift", "repeats"),
    [(100, 1, 0.0, 1000), (100, 3, 0.15, 1000), (360, 3, 0.5, 1000), (100, 5, 0.5, 1000)],
)
def test_differences_of_the_loss_are_as_sure_as_they_say(count: int, seeds: int, shift: float, repeats: int) -> None:
    from benchmarks.statistics.simulation import comparisons
    from benchmarks.statistics.world import World

    found = comparisons("loss", count, seeds, repeats, world=World(seeds=shift))
    assert found.at_least, found
    assert found.missing == 0


@pytest.mark.slow
@pytest.mark.parametrize(("gains", "count", "seeds", "shift"), [
    ((0.0,) * 4, 100, 3, 0.15), ((0.0,) * 6, 360, 5, 0.03), ((0.3,) * 6, 360, 5, 0.15),
])  # fmt: skip
def test_of_several_candidates_none_is_claimed_more_often_than_a_single_one_may_be(
    gains: tuple[float, ...], count: int, seeds: int, shift: float
) -> None:
    from benchmarks.statistics.simulation import families
    from benchmarks.statistics.world import World

    found = families(count, seeds, gains, 300, world=World(seeds=shift))
    assert found.at_least, found


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.0, 0.3])
def test_believing_the_interval_of_the_best_candidate_as_if_it_were_the_only_one_would_be_seen(
    gain: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.statistics.simulation import families
    from benchmarks.statistics.world import World

    monkeypatch.setattr(comparison.Comparison, "of_best", lambda self, **_: self)
    found = families(360, 5, (gain,) * 6, 300, world=World(seeds=0.15))
    assert not found.at_least
    assert found.covered < found.band[0]


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "top", "shift"), [(3, 3, 0.15), (5, 3, 0.03), (5, 5, 0.03)])
def test_the_winner_of_a_search_among_equals_is_not_claimed_to_be_better(seeds: int, top: int, shift: float) -> None:
    from benchmarks.statistics.simulation import searches
    from benchmarks.statistics.world import World

    found = searches(360, seeds, 30, top, 300, world=World(seeds=shift))
    assert found.at_least, found


@pytest.mark.slow
def test_believing_the_best_of_a_search_as_if_it_had_not_been_chosen_would_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from benchmarks.statistics.simulation import searches
    from benchmarks.statistics.world import World

    whole = comparison.Comparison.of_best
    world = World(seeds=0.03)
    monkeypatch.setattr(comparison.Comparison, "of_best", lambda self, **_: self)
    assert not searches(360, 5, 30, 3, 300, world=world).at_least
    # The few that were trained again are not all that the examples have chosen from.
    monkeypatch.setattr(
        comparison.Comparison, "of_best", lambda self, *, trained, seen: whole(self, trained=trained, seen=trained)
    )
    assert not searches(360, 5, 30, 3, 300, world=world).at_least


@pytest.mark.slow
def test_leaving_the_seeds_out_of_account_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval of the examples alone, however many seeds agree with it, claims far too much."""
    from benchmarks.statistics.simulation import comparisons
    from benchmarks.statistics.world import World

    whole = comparison.errors_of
    monkeypatch.setattr(comparison, "errors_of", lambda pseudo: whole(pseudo)[1:2])
    found = comparisons("loss", 360, 3, 300, world=World(seeds=0.5))
    assert not found.at_least
    assert found.covered < 0.5


@pytest.mark.slow
def test_believing_few_seeds_blindly_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With few seeds the analysis of variance alone is too sure of itself, which is why it is not alone."""
    from benchmarks.statistics.simulation import comparisons
    from benchmarks.statistics.world import World

    whole = comparison.errors_of
    monkeypatch.setattr(comparison, "errors_of", lambda pseudo: whole(pseudo)[-1:])
    assert not comparisons("loss", 360, 2, 1000, world=World(seeds=0.15)).at_least
    monkeypatch.undo()


@pytest.mark.slow
def test_the_interval_of_a_mean_loss_holds_the_truth() -> None:
    from benchmarks.statistics.simulation import scores

    found = scores("loss", 100, 800)
    assert found.at_least, found
