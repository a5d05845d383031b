"""What is laid open is afterwards as it was, in every style of module."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import art_training as art
from art_training.engines import ExperimentJob
from art_training.engines.lightning.engine import LightningEngine
from art_training.probes.passes import passed

X = torch.arange(160.0).reshape(40, 4) / 160
Y = (X.sum(1) > 1.0).long()


class Automatic(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))

    def training_step(self, batch, index):
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.log("loss", loss, on_step=True)
        return {"loss": loss}

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


class Manual(Automatic):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(F.cross_entropy(self.net(batch[0]), batch[1]))
        optimizer.step()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Named(Automatic):
    def training_step(self, batch):
        features, target = batch.pop("x"), batch.pop("y")  # takes the batch apart
        return F.cross_entropy(self.net(features), target)


def laid_open(model, tmp_path, run, data=(X, Y)):
    setup = art.Setup(model, art.data(data, batch_size=8), trainer={"max_epochs": 3, "accelerator": "cpu"})
    LightningEngine().experiment(ExperimentJob(setup, 0, tmp_path), run)


@pytest.mark.parametrize(("model", "data"), [(Automatic, (X, Y)), (Manual, (X, Y)), (Named, {"x": X, "y": Y})])
def test_experiments_leave_the_specimen_as_it_was(model, data, tmp_path):
    seen = []

    def run(specimen):
        def state():
            tensors = [one.clone() for one in specimen.module.state_dict().values()]
            return tensors, [one.training for one in specimen.module.modules()]

        before, modes = state()
        with specimen.kept():
            once = [specimen.observe(batch).losses[0].value for batch in specimen.batches]
        with specimen.kept():
            again = [specimen.observe(batch).losses[0].value for batch in specimen.batches]
            specimen.gradients(specimen.batches[0])
            for optimizer in specimen.optimizers:
                optimizer.step()
        after, modes_after = state()
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert modes == modes_after
        assert all(one.grad is None for one in specimen.module.parameters())
        assert once == again
        seen.append(specimen)

    laid_open(model, tmp_path, run, data)
    (specimen,) = seen
    assert len(specimen.batches) == 4
    assert specimen.automatic is (model is not Manual)
    assert specimen.plan.epochs == 3
    assert specimen.plan.batches == 5
    assert specimen.plan.steps == 15
    assert len(specimen.schedules) == (0 if model is Manual else 1)


def test_an_epoch_of_few_batches_gives_those(tmp_path):
    seen = []
    laid_open(Automatic, tmp_path, lambda specimen: seen.append(len(specimen.batches)), (X[:16], Y[:16]))
    assert seen == [2]


def test_what_an_experiment_raises_is_raised(tmp_path):
    def run(specimen):
        raise RuntimeError("from the experiment")

    with pytest.raises(RuntimeError, match="from the experiment"):
        laid_open(Automatic, tmp_path, run)


class Auxiliary(Automatic):
    """Gives a second output in training only, as networks with auxiliary classifiers do."""

    def __init__(self):
        super().__init__()
        self.second = nn.Linear(4, 2)

    def forward(self, x):
        return (self.net(x), self.second(x)) if self.training else self.net(x)

    def training_step(self, batch, index):
        first, second = self(batch[0])
        return F.cross_entropy(first, batch[1]) + 0.4 * F.cross_entropy(second, batch[1])


def test_a_step_that_needs_training_mode_is_evaluated_with_what_dropout_and_statistics_are_of(tmp_path):
    seen = []

    def run(specimen):
        with specimen.kept():
            seen.append([specimen.observe(specimen.batches[0]).losses[0].value for _ in range(2)])
            seen.append([specimen.observe(specimen.batches[0], mode="train").losses[0].value for _ in range(2)])
        with specimen.in_mode("evaluate"):
            seen.append({type(one).__name__: one.training for one in specimen.module.modules()})

    laid_open(Auxiliary, tmp_path, run)
    assert torch.equal(*seen[0])
    assert not torch.equal(*seen[1])
    assert seen[2] == {"Auxiliary": True, **dict.fromkeys(("Sequential", "Linear", "BatchNorm1d", "Dropout"), False)}


class Sloped(Automatic):
    """Penalises how steep it is, as equations of physics do."""

    def training_step(self, batch, index):
        x = batch[0].detach().requires_grad_()
        outputs = self.net(x)
        (slope,) = torch.autograd.grad(outputs.sum(), x, create_graph=True)
        return F.cross_entropy(outputs, batch[1]) + slope.square().mean()


class Broken(Automatic):
    def training_step(self, batch, index):
        raise ValueError("in any case")


@pytest.mark.parametrize(("model", "graph"), [(Automatic, False), (Manual, True), (Sloped, True), (Broken, False)])
def test_a_step_is_given_a_graph_where_it_needs_one_to_come_to_its_end(model, graph, tmp_path):
    def run(specimen):
        with specimen.graph():
            assert torch.is_grad_enabled() is graph
        if model is not Broken:
            with specimen.kept():
                assert specimen.observe(specimen.batches[0]).weight == 8
                assert not passed(specimen, specimen.batches[0]).calls[0].output.requires_grad or graph

    laid_open(model, tmp_path, run)
