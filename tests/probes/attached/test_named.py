"""Probes by name."""

import pytest

from art_training.errors import UsageError
from art_training.probes.attached import NAMES, SINKS, Predictions, Statistics, probe_of


def test_every_name_is_a_probe_that_tells_everywhere():
    assert {probe_of(name).name for name in NAMES} == set(NAMES)
    assert all(probe_of(name).to == SINKS for name in NAMES)


def test_statistics_take_names():
    assert probe_of("statistics=encoder.0, head") == Statistics(of=("encoder.0", "head"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("batch", "no probe is called 'batch' .did you mean 'batches'"),
        ("gradients=3", "gradients takes nothing behind the sign"),
        ("statistics=", "names no module"),
        ("", "no probe is called ''"),
    ],
)
def test_what_is_none_is_told(text, said):
    with pytest.raises(UsageError, match=said):
        probe_of(text)


def test_predictions_are_looked_at_between_epochs():
    with pytest.raises(UsageError, match="every= is not asked of predictions"):
        Predictions(every=3)
    with pytest.raises(UsageError, match="share=0 of predictions"):
        Predictions(share=0)
