"""Gradients, updates and activations in lines."""

import pytest
from torch import nn

from art_training.probes.attached import Activations, Gradients, Updates
from art_training.setup.called import Called


@pytest.mark.parametrize(
    ("probe", "title", "layers"),
    [
        (Gradients(every=1), "gradient norms", {"body.0", "head"}),
        (Updates(every=1), "updates by weights", {"body.0", "head"}),
        (Activations(every=1), "RMS of outputs", {"body.0", "body.1", "head"}),
    ],
)
def test_each_layer_has_its_number(net, train, hooks, *, probe, title, layers):
    model, told = net(), []
    watch = probe.watch(told.append, Called())
    train(model, watch, 3)
    assert hooks(model) == 0
    assert sum(title in line for line in told) == 3
    assert all(layer in told[0] for layer in layers)
    (left,) = watch.left()
    assert {row["layer"] for row in left.rows} == layers


def test_of_many_layers_the_smallest_the_middle_and_the_largest_are_told(train):
    model, told = nn.Sequential(*(nn.Linear(4, 4) for _ in range(9)), nn.Linear(4, 1)), []
    train(model, Gradients().watch(told.append, Called()), 1)
    assert "of 10 layers, largest" in told[0]
