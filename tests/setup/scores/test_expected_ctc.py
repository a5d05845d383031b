"""What frames without any preference lose, against torch's own function and against counting every path."""

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from art_training.setup.observer import observe_calls
from art_training.setup.scores.expected_ctc import ctc, lengths_of
from art_training.setup.scores.expected_loss import expected_at_init
from art_training.setup.task import Task, TaskKind


def uniform(frames: list[int], labels: list[list[int]], *, classes: int = 4, **options: Any) -> tuple[Tensor, Tensor]:
    """The lengths that a call is seen with, and its value where every frame is uniform."""
    wide = max(1, *map(len, labels))
    targets = torch.tensor([[*row, *[1] * (wide - len(row))] for row in labels])
    scores = torch.full((max(frames), len(labels), classes), -math.log(classes))
    with observe_calls(nn.Linear(1, 1)) as calls:
        value = F.ctc_loss(scores, targets, torch.tensor(frames), torch.tensor(list(map(len, labels))), **options)
    return lengths_of(calls.losses[0]), value


def task(**options: Any) -> Task:
    return Task(TaskKind.OTHER, loss="ctc_loss", loss_options=options)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_uniform_frames_lose_what_torch_says(reduction: str) -> None:
    labels = [[1, 2, 3], [1, 1], [2], [3, 3, 3, 1]]
    lengths, value = uniform([9, 5, 12, 8], labels, reduction=reduction)
    own = value / 4 if reduction == "sum" else value.mean()
    found = expected_at_init(task(reduction=reduction), lengths)
    assert found.uniform == pytest.approx(float(own), rel=1e-5)
    assert found.prior is None


def test_labels_of_all_examples_may_follow_one_another() -> None:
    scores = torch.full((7, 2, 3), -math.log(3))
    with observe_calls(nn.Linear(1, 1)) as calls:
        value = F.ctc_loss(scores, torch.tensor([1, 1, 2, 2, 1]), (7, 6), (2, 3))
    assert expected_at_init(task(), lengths_of(calls.losses[0])).uniform == pytest.approx(float(value), rel=1e-5)


def test_the_paths_are_as_many_as_there_are() -> None:
    for frames, labels in itertools.product(range(1, 6), [(1,), (1, 2), (1, 1), (2, 1, 2), (1, 1, 1)]):
        paths = itertools.product(range(3), repeat=frames)
        count = sum(tuple(key for key, _ in itertools.groupby(path) if key) == labels for path in paths)
        repeats = sum(a == b for a, b in itertools.pairwise(labels))
        found = ctc(torch.tensor([[frames, len(labels), repeats, 3]]), task(reduction="none"))
        if count:
            assert found.uniform == pytest.approx(frames * math.log(3) - math.log(count), rel=1e-9)
        else:
            assert "fewer frames than their labels need" in found.reason_if_none


def test_what_cannot_be_aligned_is_told_or_left_out_as_the_loss_does() -> None:
    lengths, value = uniform([2, 6], [[1, 1], [1, 2]], zero_infinity=True)
    assert expected_at_init(task(zero_infinity=True), lengths).uniform == pytest.approx(float(value), rel=1e-5)
    assert "1 example(s)" in expected_at_init(task(), lengths).reason_if_none


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=5), min_size=1, max_size=4), st.integers(0, 6))
def test_uniform_frames_lose_what_torch_says_for_any_labels(labels: list[list[int]], more: int) -> None:
    frames = [2 * len(row) + more for row in labels]
    lengths, value = uniform(frames, labels, classes=5)
    assert expected_at_init(task(), lengths).uniform == pytest.approx(float(value), rel=1e-4)
