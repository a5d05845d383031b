"""Names of curves of layers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.records import LayerCurve


@given(
    training=st.sampled_from(["", "trial 3", "wider, seed 1", "a/b"]),
    statistic=st.sampled_from(["grad_norm", "update_ratio"]),
    layer=st.sampled_from(["head", "body.0", "layers", "layers.1.layers"]),
)
def test_a_name_is_read_as_it_was_written(training, statistic, layer):
    curve = LayerCurve(training, statistic, layer)
    assert LayerCurve.parse(str(curve)) == curve


@pytest.mark.parametrize("name", ["train/loss", "logged/layers/grad_norm/head", "lr/0", "layers", "players/a/b", ""])
def test_other_curves_are_of_no_layer(name):
    assert LayerCurve.parse(name) is None
