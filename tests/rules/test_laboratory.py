"""Readings are measured once, and experiments end where their time does."""

import time

import pytest
import torch
from torch import nn

from art_training.engines.lightning.random_states import seeded
from art_training.probes import Plan, Specimen
from art_training.records import Severity
from art_training.rules import Laboratory, NotMeasured, Stage
from art_training.rules.rule import Found, rule
from art_training.setup.called import Called


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


def test_declarations_name_parts_of_the_model_as_its_user_calls_them():
    laboratory = Laboratory({"frozen": ["enc"], "unused": ("aux.*",), "pretrained": "ImageNet"}, Called("model."))
    assert laboratory.declared("frozen", "unused", "pretrained") == ("enc", "aux.*")
    assert laboratory.names("model.enc.weight", "frozen")
    assert laboratory.names("model.aux.0", "frozen", "unused")
    assert not laboratory.names("model.aux.0", "frozen")
    assert not laboratory.names("model.model.enc", "frozen")


def test_what_a_rule_finds_names_parts_as_the_user_calls_them():
    def judge(laboratory):
        return Found("of model.enc", {"model.enc": 2.0}, "thaw model.enc", "model.enc", "model.enc moved")

    texts = dict.fromkeys(("category", "finds", "why", "wrong", "right", "source"), "")
    named = rule("ART899", "a name", severity=Severity.INFO, stage=Stage.PROBE, **texts)(judge)
    (told,) = named.findings(Laboratory(called=Called("model.")))
    assert (told.message, told.where, told.remedy, told.confirmed_by) == ("of enc", "enc", "thaw enc", "enc moved")
    assert told.evidence == {"enc": 2.0}
