"""What a step costs is counted, and an expensive model gets fewer rows and steps, always the same."""

import tempfile
from pathlib import Path

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.engines.engine import ExperimentJob
from art_training.engines.lightning.engine import LightningEngine
from art_training.probes.cost import affordable, cost, lighter
from art_training.probes.one_batch import FALLEN, course, stuck
from art_training.probes.smoothness import smoothness
from art_training.setup.setup import Setup


class Images(L.LightningModule):
    """A few convolutions; the wider, the dearer."""

    def __init__(self, width=8, rows=None):
        super().__init__()
        self.rows = rows
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Linear(width, 4)
        self.calls = []

    def forward(self, x):
        self.calls.append(len(x))
        h = torch.relu(self.second(torch.relu(self.first(x)))).mean((2, 3))
        return self.head(h)

    def training_step(self, batch, index):
        x, y = batch
        if self.rows is not None:
            x = x.reshape(self.rows, 3, 16, 16)  # as of a model that is written for one size of batches
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


DEAR = 512  # channels, of which a batch takes far more than an experiment may


def experimented(run, **hparams):
    """What `run` makes of a specimen of `Images`."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(64, 3, 16, 16, generator=generator), torch.arange(64) % 4
    loader = DataLoader(TensorDataset(x + y[:, None, None, None], y), batch_size=32)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(Images, art.data(train=loader), hparams=hparams, trainer={"accelerator": "cpu", "max_epochs": 1})
        LightningEngine().experiment(
            ExperimentJob(setup, 0, Path(folder), data_seed=0), lambda specimen: found.append(run(specimen))
        )
    return found[0]


def rows(specimen):
    return [len(one[0]) for one in specimen.batches]


def test_a_cheap_model_keeps_its_batches():
    assert experimented(lambda specimen: lighter(specimen) is specimen)


def test_an_expensive_one_gets_fewer_rows_and_steps_and_no_fewer_than_tell_something():
    def run(specimen):
        light = lighter(specimen)
        return rows(light), rows(lighter(light)), affordable(light, 80, seconds=4.0, least=8), cost(specimen).row

    few, again, steps, row = experimented(run, width=DEAR)
    assert few == again == [8, 8]
    assert 8 <= steps < 80
    flops = 3 * 2 * 16 * 16 * 9 * DEAR * (DEAR + 3)  # of an example, with its backward pass
    assert row == pytest.approx(flops / 1e11, rel=0.1)


def test_the_same_model_costs_the_same_each_time_and_is_counted_on_few_rows():
    def run(specimen):
        specimen.module.calls.clear()
        return cost(specimen), cost(lighter(specimen)), list(specimen.module.calls)

    (first, light, calls), (second, *_) = (experimented(run, width=DEAR) for _ in range(2))
    assert first == second == light
    assert calls == [8]


def test_no_row_is_left_out_where_the_step_takes_no_fewer():
    light, counted = experimented(lambda specimen: (rows(lighter(specimen)), cost(specimen)), width=DEAR, rows=32)
    assert light == [32, 32]
    assert counted.least is None
    assert counted.row > 0


def test_nothing_is_left_changed_by_counting():
    def run(specimen):
        before = {name: value.clone() for name, value in specimen.module.state_dict().items()}
        cost(specimen)
        after = specimen.module.state_dict()
        return all(torch.equal(before[name], after[name]) for name in before)

    assert experimented(run)


def test_a_batch_that_is_learned_ends_the_course_that_asks_only_whether_it_is():
    def run(specimen):
        with specimen.kept():
            short = stuck(specimen)
        with specimen.kept():
            return short, course(specimen)

    short, whole = experimented(run)
    assert len(short.losses) < len(whole.losses) == 80
    assert short.losses == whole.losses[: len(short.losses)]
    assert whole.floor <= FALLEN * whole.first
    assert short.floor <= FALLEN * short.first


def test_what_enters_the_first_layer_is_seen_without_the_rest():
    def run(specimen):
        passed = []
        specimen.module.second.register_forward_hook(lambda *_: passed.append(1))
        with specimen.kept():
            return smoothness(specimen), passed

    found, passed = experimented(run)
    assert found.layer == "first"
    assert not passed
