"""Dropout that is written by hand, told from masks of positions, samples of a policy and gates that are computed."""

import pytest
import torch
from torch import nn

from art_training.probes.masks import Masks

ROWS = torch.randn(16, 12, generator=torch.Generator().manual_seed(0))
LAYER, TOKENS = nn.Linear(12, 12), nn.Linear(12, 12)


def of_bernoulli(x):
    h = LAYER(x)
    return h * torch.bernoulli(torch.full_like(h, 0.8)) / 0.8


def of_uniform(x):
    h = LAYER(x)
    return (torch.rand_like(h) > 0.3).float().div(0.7) * h


def of_whole_examples(x):
    h = TOKENS(x[:, None].expand(-1, 5, -1))
    return h * torch.floor(0.8 + torch.rand(len(h), 1, 1))


def of_positions(x):
    h = TOKENS(x[:, None].expand(-1, 5, -1))
    return h * (torch.rand(len(h), 5) > 0.5).unsqueeze(-1)


def of_a_policy(x):
    chances = LAYER(x).sigmoid()
    return chances.log() * torch.bernoulli(chances.detach())


def of_inputs(x):
    return LAYER(x * (torch.rand_like(x) > 0.3))


def of_values(x):
    h = LAYER(x)
    return h * (h > 0)


def noise(x):
    h = LAYER(x)
    return h + torch.randn_like(h) * h.exp()


@pytest.mark.parametrize("forward", [of_bernoulli, of_uniform, of_whole_examples])
def test_a_mask_of_units_is_seen_where_it_is_written(forward):
    with Masks() as masks:
        forward(ROWS)
    ((name, place),) = masks.calls
    assert name == forward.__name__
    assert "test_masks.py:" in place
    with Masks(off=masks.calls):
        assert torch.allclose(first := forward(ROWS), forward(ROWS), rtol=0.3, atol=0.3)
    assert not torch.equal(first, forward(ROWS))


@pytest.mark.parametrize("forward", [of_positions, of_a_policy, of_inputs, of_values, noise])
def test_what_is_meant_to_be_random_is_no_dropout(forward):
    with Masks() as masks:
        forward(ROWS)
    assert not masks.calls
