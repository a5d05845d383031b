"""Predictions and targets of any shape become rows with the classes last."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from art_training.setup.scores.alignment import Raw, aligned, is_probability, same_values


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5), st.integers(2, 4), st.lists(st.integers(1, 4), max_size=2), st.booleans(), st.integers(0, 2**16)
)
def test_classes_come_last_wherever_they_were(
    rows: int, classes: int, positions: Sequence[int], last: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, (rows, *positions), generator=generator)
    scores = torch.randn(rows, *positions, classes, generator=generator)
    given_scores = scores if last else scores.movedim(-1, 1)
    found = aligned(Raw(given_scores, target, "softmax", classes_last=last), rows)
    assert torch.allclose(found.predictions, scores.softmax(-1).reshape(-1, classes))
    assert torch.equal(found.targets, target.reshape(-1))
    per_example = target.numel() // rows
    if per_example == 1:
        assert found.example is None
    else:
        assert found.example is not None
        assert found.example.tolist() == [row for row in range(rows) for _ in range(per_example)]


@pytest.mark.parametrize(
    ("prediction", "target", "shape"),
    [
        (torch.rand(6, 1), torch.rand(6), (6,)),
        (torch.rand(6), torch.rand(6, 1), (6,)),
        (torch.rand(6, 1), torch.rand(6, 1), (6,)),
        (torch.rand(6, 2), torch.rand(6, 2), (6, 2)),
        (torch.rand(6, 1, 4), torch.rand(6, 4), (6, 4)),
        (torch.rand(1, 1), torch.rand(1), (1,)),
    ],
)
def test_columns_of_one_do_not_matter(prediction: Tensor, target: Tensor, shape: tuple[int, ...]) -> None:
    found = aligned(Raw(prediction, target, "none"), len(prediction))
    assert found.predictions.shape == found.targets.shape == shape


def test_class_numbers_in_a_column_are_class_numbers() -> None:
    found = aligned(Raw(torch.rand(6, 3), torch.randint(0, 3, (6, 1)), "softmax"), 6)
    assert found.predictions.shape == (6, 3)
    assert found.targets.shape == (6,)


def test_masks_of_images_are_decisions_of_positions() -> None:
    found = aligned(Raw(torch.randn(2, 1, 4, 4), torch.rand(2, 1, 4, 4).round(), "sigmoid"), 2)
    assert found.predictions.shape == found.targets.shape == (32,)
    assert found.example is not None
    assert found.example.tolist() == [0] * 16 + [1] * 16


def test_ignored_positions_are_left_out() -> None:
    target = torch.tensor([[1, 9], [9, 0]])
    found = aligned(Raw(torch.randn(2, 2, 3), target, "softmax", ignore_index=9), 2)
    assert found.targets.tolist() == [1, 0]
    assert found.example is not None
    assert found.example.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("prediction", "target"),
    [
        (torch.rand(6, 2), torch.rand(6)),
        (torch.rand(6, 3), torch.rand(5, 3)),
        (torch.rand(6, 3), torch.zeros(5).long()),
    ],
)
def test_what_does_not_belong_together_is_refused_with_both_shapes(prediction: Tensor, target: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(6, \d\) and targets of shape \(\d.*do not belong together"):
        aligned(Raw(prediction, target, "none"), 6)


def test_the_same_values_are_the_same_in_any_form() -> None:
    values = torch.arange(12)
    assert same_values(values, values.reshape(3, 4).float())
    assert same_values(values.reshape(3, 4)[:, 1:].reshape(-1), values.reshape(3, 4))
    assert not same_values(values, values + 1)
    assert not same_values(values, values[:5])
    large = torch.arange(5000)
    changed = large.clone()
    changed[-1] = 0
    assert same_values(large, large.clone())
    assert not same_values(large, changed)


def test_probabilities_are_recognised() -> None:
    assert is_probability(torch.randn(5, 3).softmax(1), "softmax")
    assert not is_probability(torch.rand(5, 3), "softmax")
    assert is_probability(torch.rand(5), "sigmoid")
    assert not is_probability(torch.tensor([0.5, 1.5]), "sigmoid")
