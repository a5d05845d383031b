"""Larger models must fit their training data at least as well; how much of a rise counts is stated."""

import itertools

import pytest

from art_training.checks import CapacityHelps, Evidence, judge
from art_training.errors import CheckError
from art_training.records import Candidate, Interval, Outcome, Score, VerdictState


def swept(*found: tuple[int, float, float], start: float | None = 2.0) -> Evidence:
    """Candidates of (parameters, loss, half the width of its interval; none where it is negative)."""
    candidates = [
        Candidate(
            f"{size}",
            {"train/loss": Score(loss, Interval(loss - half, loss + half) if half >= 0 else None)},
            {"parameters": size} | ({} if start is None else {"loss at start": start}),
        )
        for size, loss, half in found
    ]
    return Evidence("Overfit", Outcome(candidates=tuple(candidates)))


def test_the_order_is_that_of_the_sizes_not_of_the_list() -> None:
    verdict = judge(CapacityHelps(), swept((100, 0.1, 0.01), (10, 0.9, 0.01)))
    assert verdict.state is VerdictState.PASSED
    assert verdict.reason.startswith("train/loss does not rise with capacity: 10 0.9 [0.89, 0.91], 100 0.1")


def test_a_rise_over_several_sizes_counts_as_a_whole() -> None:
    creeping = [(size, 0.5 + 0.015 * size, 0.01) for size in range(1, 6)]
    assert all(
        judge(CapacityHelps(), swept(a, b)).state is VerdictState.PASSED for a, b in itertools.pairwise(creeping)
    )
    verdict = judge(CapacityHelps(), swept(*creeping))
    assert verdict.state is VerdictState.FAILED
    assert "rises from 0.515 [0.505, 0.525] with 1 (1 parameters) to 0.575" in verdict.reason


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (swept((1, 0.5, -1), (2, 0.51, -1)), VerdictState.PASSED),  # no intervals: a hundredth of the start is allowed
        (swept((1, 0.5, -1), (2, 0.53, -1)), VerdictState.FAILED),
        (swept((1, 0.5, -1), (2, 0.51, -1), start=None), VerdictState.FAILED),
        (swept((1, 0.5, 0.2), (2, 0.8, 0.2)), VerdictState.PASSED),  # the intervals overlap
    ],
)
def test_what_counts_as_a_rise(evidence: Evidence, state: VerdictState) -> None:
    assert judge(CapacityHelps(), evidence).state is state


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(CheckError, match="tolerance=-1"):
        CapacityHelps(tolerance=-1)
