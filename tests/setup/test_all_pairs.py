"""Tables of every prediction against every target are refused, and nothing else is."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from art_training.errors import Unpaired
from art_training.setup.all_pairs import allowing_tables, refuse_broadcast, refusing_tables

X, Y = torch.linspace(-1, 1, 24).reshape(8, 3), torch.linspace(0, 2, 8)


def compared(compare, target=Y, module=None, *, grad=True):
    module = module or nn.Linear(3, 1)
    batch = (X.clone(), target.clone())
    with torch.set_grad_enabled(grad), refusing_tables(batch):
        return compare(module(batch[0]), batch[1])


def scaled(p, y):
    return ((p - (y - y.mean()) / y.std()) ** 2).mean()


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize(
    "compare",
    [
        F.mse_loss,
        nn.HuberLoss(),
        lambda p, y: F.l1_loss(target=y, input=p),
        lambda p, y: ((p - y) ** 2).mean(),
        lambda p, y: (y.float() - p.relu()).abs().mean(),
        lambda p, y: -torch.distributions.Normal(p, 1.0).log_prob(y).mean(),
        scaled,
    ],
)
def test_a_column_of_predictions_is_not_compared_with_a_row_of_targets(compare, grad):
    with pytest.raises(Unpaired, match=r"prediction has shape \(8, 1\) and the target \(8,\)"):
        compared(compare, grad=grad)


def test_nor_a_row_of_predictions_with_a_column_of_targets():
    with pytest.raises(Unpaired, match=r"prediction has shape \(8,\) and the target \(8, 1\)"):
        compared(F.mse_loss, Y[:, None], nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)))


@pytest.mark.parametrize(
    "compare",
    [
        lambda p, y: F.mse_loss(p.squeeze(1), y),
        lambda p, y: (p - p.squeeze(1)).abs().mean(),  # of the model alone
        lambda p, y: (
            (p.squeeze(1)[:, None] - y) ** 2
        ).mean(),  # a table that is asked for, as for a distance of samples
        lambda p, y: (p * (y[:, None] <= y)).mean(),  # who is still at risk
        lambda p, y: (p - torch.linspace(0, 1, 8)).abs().min(1).values.mean(),  # as many centres as examples
        lambda p, y: F.mse_loss(p, (0.9 * p.detach() + 0.1 * y[:, None]).squeeze(1)[:, None]),
    ],
)
def test_what_may_be_meant_is_left_alone(compare):
    assert compared(compare).isfinite()


def test_centres_that_are_learned_are_no_predictions():
    centres = nn.Parameter(torch.linspace(0, 1, 8))
    assert compared(lambda p, y: (y[:, None] - centres).square().mean() + p.sum() * 0).isfinite()


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_what_is_allowed_is_not_refused():
    with allowing_tables():
        assert compared(F.mse_loss).isfinite()
        refuse_broadcast(torch.zeros(5, 1), torch.zeros(5))


@pytest.mark.parametrize(("ours", "theirs"), [((5, 1), (5,)), ((5,), (5, 1)), ((5, 3, 1), (5, 3))])
def test_shapes_that_would_broadcast_silently_are_refused(ours, theirs):
    with pytest.raises(Unpaired, match="broadcast"):
        refuse_broadcast(torch.zeros(ours), torch.zeros(theirs))


@pytest.mark.parametrize(
    ("ours", "theirs", "dtype"),
    [
        ((5, 1), (5, 1), torch.float32),
        ((5,), (5,), torch.float32),
        ((5, 3), (5,), torch.int64),
        ((5, 2), (5,), torch.float32),  # mean and variance of one value
        ((1, 1), (1,), torch.float32),  # one example: nothing to confuse
    ],
)
def test_shapes_that_may_be_meant_are_left_alone(ours, theirs, dtype):
    refuse_broadcast(torch.zeros(ours), torch.zeros(theirs, dtype=dtype))
