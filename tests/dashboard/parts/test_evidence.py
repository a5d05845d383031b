"""A number beside its limit: on a scale with zero, so that lengths can be compared."""

import pytest

from art_training.dashboard.parts.evidence import scale


@pytest.mark.parametrize(
    ("numbers", "ends"),
    [
        ((0.009, 0.3056), (0.0, 0.4)),
        ((0.0078, 0.05), (0.0, 0.06)),
        ((1.0, 4.0), (0.0, 5.0)),
        ((0.96, 0.98, 0.91, 0.99), (0.0, 1.0)),
        ((1.0, 0.98), (0.0, 1.0)),
        ((0.0, 0.01), (0.0, 0.015)),
        ((-0.018, 0.0), (-0.02, 0.0)),
        ((-3.0, 5.0), (-4.0, 6.0)),
        ((0.0, 0.0), (0.0, 1.0)),
        ((9.5e9, 1.0), (0.0, 1.5e10)),
        ((1e-310, 5e-311), (0.0, 1.5e-310)),
    ],
)
def test_a_scale_has_zero_and_ends_at_a_round_number(numbers: tuple[float, ...], ends: tuple[float, float]) -> None:
    assert scale(numbers) == pytest.approx(ends)
    assert str(scale(numbers)[0]) != "-0.0"
