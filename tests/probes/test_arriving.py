"""One recorded step answers what several probes ask, and is told of only as long as nothing was changed."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from art_training.engines.lightning.random_states import seeded
from art_training.probes.arriving import arriving
from art_training.probes.cost import cost
from art_training.probes.depth import depth
from art_training.probes.entrance import Entrance
from art_training.probes.finiteness import origin
from art_training.probes.glimpse import glimpse
from art_training.probes.heard import heard, layers
from art_training.probes.leaves import leaves
from art_training.probes.memory import memory
from art_training.probes.reach import reach
from art_training.probes.specimen import Plan, Specimen


class Net(nn.Module):
    """Two layers and an embedding; what it is told may break one of them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(5, 4, sparse=True)
        self.first, self.second, self.spare = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(2, 2)
        self.rows = []  # a list, which no experiment puts back
        self.outside = []

    def training_step(self, batch, index):
        x, tokens, y = batch
        self.rows.append(len(x))
        h = torch.relu(self.first(x + self.table(tokens)))
        for one in self.outside:
            h = h * one
        return F.cross_entropy(self.second(h), y)


def specimen(net, *, spoiled=False):
    generator = torch.Generator().manual_seed(1)
    batches = tuple(
        (
            torch.randn(12, 4, generator=generator),
            torch.randint(5, (12,), generator=generator),
            torch.arange(12) % 3,
        )
        for _ in range(3)
    )
    if spoiled:
        batches[0][0][5, 2] = math.nan
    return Specimen(
        net, net.training_step, batches, (torch.optim.SGD(net.parameters(), 0.1),), (), True, Plan(), seeded
    )


def test_norms_are_those_of_the_gradients_of_the_first_rows():
    made = specimen(Net())
    found = arriving(made, rows=4)
    with made.kept():
        gradients = made.gradients(tuple(one[:4] for one in made.batches[0]))
    assert found.norms.keys() == gradients.keys()
    for name, gradient in gradients.items():
        if gradient is None:
            assert found.norms[name] is None
        else:
            assert found.norms[name] == pytest.approx(float(gradient.to_dense().norm()), rel=1e-5)
    assert found.norms["spare.weight"] is None
    assert found.sparse == {"table.weight"}
    assert not found.foreign


def test_who_asks_for_as_many_rows_is_told_the_same_step():
    net = Net()
    made = specimen(net)
    first = arriving(made, rows=12)
    assert arriving(made, rows=100) is first
    assert net.rows == [12]
    arriving(made, rows=4)
    assert net.rows == [12, 4]
    assert all(one.grad is None for one in net.parameters())


def test_probes_of_gradients_share_a_step():
    net = Net()
    net.spare.requires_grad_(False)
    made = specimen(net)
    cost(made)  # which takes a step to count it
    net.rows.clear()
    assert reach(made).cuts == ()
    assert depth(made).gradients.keys() == {"first", "second"}
    assert leaves(made) == ()
    assert net.rows == [12, 8]  # 8 tell what enters
    assert origin(made) is None
    assert net.rows == [12, 8, 12, 12]  # the two other batches


def test_a_batch_that_is_no_number_is_found_in_the_recorded_step():
    found = origin(specimen(Net(), spoiled=True))
    assert (found.kind, found.name, found.batch, found.concerned, found.of) == ("input", "0", 0, 1, 3)


def test_a_parameter_that_the_model_does_not_own_is_told():
    net = Net()
    net.outside.append(nn.Parameter(torch.ones(8)))
    made = specimen(net)
    assert arriving(made, rows=12).foreign
    (found,) = leaves(made)
    assert found.place == "outside[0]"
    assert found.gradient > 0


def test_what_a_probe_measures_once_is_of_the_specimen_as_it_was_made():
    made = specimen(Net())

    def weight(one):
        before = float(one.module.first.weight.detach().sum())
        with torch.no_grad():
            one.module.first.weight.add_(1.0)
        return before

    first = made.once(weight)
    assert float(made.module.first.weight.detach().sum()) == first
    assert made.once(weight) == first


def test_layers_are_heard_in_the_order_of_their_calls_and_no_longer():
    net = Net()
    made, told = specimen(net), []
    with heard(net, lambda name, given: told.append((name, tuple(given.shape), given.requires_grad))):
        made.step(made.batches[0], 0)
    made.step(made.batches[0], 0)
    assert told == [("table", (12, 4), False), ("first", (12, 8), False), ("second", (12, 3), False)]


def test_what_a_parametrization_makes_of_a_weight_is_no_layers_output():
    net = nn.Sequential(spectral_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Sequential(weight_norm(nn.Linear(4, 2))))
    assert [name for name, _ in layers(net)] == ["0", "1", "2.0"]
    told = []
    with heard(net, lambda name, given: told.append((name, tuple(given.shape)))):
        net(torch.zeros(5, 3))
    assert told == [("0", (5, 4)), ("1", (5, 4)), ("2.0", (5, 2))]


def test_what_enters_a_network_with_spectral_norm_is_the_batch_and_no_weight():
    net = Net()
    net.first = spectral_norm(net.first)
    net.training_step = lambda batch, index: F.cross_entropy(net.second(net.first(batch[0])), batch[2])
    made = specimen(net)
    found = glimpse(made)
    assert found.layer == "first"
    assert torch.equal(found.entering, made.batches[0][0])
    entrance = Entrance()
    entrance.beginning(SimpleNamespace(module=net))
    made.step(made.batches[0], 0)
    assert entrance.layer == "first"
    assert torch.equal(entrance.training[0], made.batches[0][0])


def test_of_a_layer_that_serves_two_inputs_the_same_one_is_heard_in_training_and_in_validation():
    class Twice(Net):
        def training_step(self, batch, index):
            return self.second(self.first(batch[0])).sum() + self.second(self.first(batch[0] * 9 + 5)).sum()

    made = specimen(Twice())
    entrance = Entrance()
    entrance.beginning(SimpleNamespace(module=made.module))
    for happens in (entrance.entering, entrance.validating):
        happens(None)
        for _ in range(2):
            if happens == entrance.entering:
                entrance.entering(None)
            made.step(made.batches[0], 0)
    for given in (*entrance.training, *entrance.validation):
        assert torch.equal(given, made.batches[0][0])
    assert len(entrance.training) == len(entrance.validation) == 2


def test_a_step_with_a_gradient_of_a_gradient_is_counted():
    class Penalised(Net):
        def training_step(self, batch, index):
            x = batch[0].clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.second(self.first(x)).sum(), x, create_graph=True)
            return slope.square().sum()

    assert cost(specimen(Penalised())).fixed > 0


def test_a_state_that_is_kept_from_batch_to_batch_is_seen_in_seven_passes():
    class Carries(Net):
        def training_step(self, batch, index):
            x, tokens, y = batch
            before = getattr(self, "state", torch.zeros(12, 4))
            self.state = x.detach()
            return super().training_step((x + before, tokens, y), index)

    net = Carries()
    assert memory(specimen(net)).remembers
    forgetful = Net()
    assert not memory(specimen(forgetful)).remembers
    assert len(forgetful.rows) <= 9  # with those that tell whether it evaluates, and what a step costs
