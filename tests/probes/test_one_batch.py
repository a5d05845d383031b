"""Courses of one batch beside one another."""

import pytest

from art_training.probes.one_batch import OneBatch


@pytest.mark.parametrize(
    ("course", "other", "halves"),
    [
        ((2.0, 1.0, 0.1), (2.0, 1.5, 1.0), True),
        ((2.0, 1.5, 0.9), (2.0, 1.5, 1.0), False),
        ((0.43, 0.1, 2e-5), (0.54, 0.1, 8e-5), False),  # both have learned it
        ((0.7, 0.0, -0.2), (0.7, 0.0, -0.2), False),  # a policy gradient, or a likelihood of densities
        ((0.7, -2.0, -9.0), (0.7, 0.0, -0.2), True),
        ((-5.0, -5.5, -6.0), (-5.0, -5.2, -5.4), False),
        ((-5.0, -6.5, -8.0), (-5.0, -5.0, -5.0), True),
        ((-5.0, -5.1, -5.1), (-5.0, -5.0, -5.0), False),
    ],
)
def test_half_of_a_loss_is_told_where_it_may_be_negative(course, other, halves):
    assert OneBatch(course).halves(OneBatch(other)) is halves
