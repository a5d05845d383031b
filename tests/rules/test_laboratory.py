"""Readings are measured once, and experiments end where their time does."""

import time

import pytest
import torch
from torch import nn

from art_training.engines.lightning.random_states import seeded
from art_training.probes import Plan, Specimen
from art_training.rules import Laboratory, NotMeasured


def specimen(seconds=0.0):
    """One whose step keeps the processor busy for so long."""

    def step(batch, index):
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass
        return batch.sum()

    return Specimen(nn.Linear(2, 1), step, (torch.ones(4, 2),), (), (), True, Plan(), seeded)


def losses(count):
    """A probe that makes so many steps."""

    def probe(one):
        return [float(one.loss(one.batches[0])) for _ in range(count)]

    return probe


def opened(**options):
    laboratory = Laboratory()
    laboratory.lay_open(specimen(options.pop("step", 0.0)), **options)
    return laboratory


def test_a_probe_is_made_once():
    laboratory, made = opened(), []

    def probe(one):
        made.append(one)
        return 3

    assert laboratory.ask(probe) == laboratory.ask(probe) == 3
    assert len(made) == 1


def test_without_a_budget_an_experiment_takes_as_long_as_it_takes():
    assert opened(step=0.02).ask(losses(5)) == [8.0] * 5


def test_an_experiment_that_takes_more_than_half_of_what_is_left_could_not_measure_and_leaves_the_rest_to_others():
    laboratory = opened(step=0.05, seconds=0.4)
    with pytest.raises(NotMeasured, match="takes longer than the budget leaves"):
        laboratory.ask(losses(100))
    assert laboratory.ask(losses(1)) == [8.0]


def test_what_needs_no_step_is_measured_though_the_time_is_over():
    assert opened(seconds=0.0).ask(lambda one: len(one.batches)) == 1
