"""Baselines of the user's own: what joins, what is refused, and what a failure costs."""

import re

import numpy as np
import pytest
import torch
from tests.steps.baselines.tasks import ACCURACY, CLASSES, Nearest, digits, evaluate, value

import art_training as art
from art_training.errors import ProjectError
from art_training.steps.evaluate_baseline import EvaluateBaseline


class Untrained(art.ArtModule):
    pass


def test_an_artmodule_joins_as_a_baseline():
    outcome = evaluate(digits(900), CLASSES, ACCURACY, baselines=[Nearest])
    assert value(outcome, "Nearest") > 0.75
    assert value(outcome, "Nearest", "validation/loss") < np.log(10)


class Rule:
    def predict(self, batch):
        return 0.6 * batch[0][:, 2]


class Duck:
    """No ArtModule, and all that is asked of one."""

    def baseline_train(self, batches):
        self.counts = torch.bincount(torch.cat([target for _, target in batches]), minlength=10)

    def parse_data(self, batch):
        return batch

    def predict(self, parsed):
        return {"prediction": (self.counts / self.counts.sum()).expand(len(parsed[0]), 10)}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (Rule, "the class Rule, which has no baseline_train and no parse_data; subclass ArtModule and write"),
        (Rule, "predictions={'Rule': function of a batch}"),
        (Untrained, "the class Untrained, which has no baseline_train; subclass ArtModule"),
    ],
)
def test_a_class_that_cannot_learn_is_refused_where_it_is_declared(given, sentence):
    with pytest.raises(ProjectError, match=re.escape(sentence)):
        EvaluateBaseline(baselines=[given])


def test_a_class_that_has_all_that_a_baseline_needs_joins_without_being_an_artmodule():
    outcome = evaluate(digits(900), CLASSES, ACCURACY, baselines=[Duck])
    assert 0 < value(outcome, "Duck") < 0.3
    assert outcome.score("unscored").value == 0


class Unteachable(Nearest):
    def baseline_train(self, batches):
        raise IndexError("no such column")


class Speechless(Nearest):
    def predict(self, parsed):
        return {"prediction": parsed["nothing"]}


class Unmade(Nearest):
    def __init__(self):
        raise RuntimeError("no licence")


def ruled():
    return Rule()


def test_a_baseline_that_fails_is_told_by_name_and_costs_none_of_the_others():
    baselines = [Unteachable, Nearest, Speechless, Unmade, ruled]
    outcome = evaluate(digits(900), CLASSES, ACCURACY, baselines=baselines)
    assert value(outcome, "Nearest") > 0.6
    assert outcome.score("unscored").value == 4
    told = {one.evidence["baseline"]: one.message for one in outcome.findings if one.code == "ART704"}
    assert "baseline 'Unteachable' could not learn: IndexError: no such column" in told["Unteachable"]
    assert "test_contenders.py" in told["Unteachable"]
    assert "baseline 'Speechless' could not predict: KeyError" in told["Speechless"]
    assert "baseline 'Unmade' could not learn: RuntimeError: no licence" in told["Unmade"]
    assert (
        "'ruled' could not learn: it is of class Rule, which has no baseline_train and no parse_data" in told["ruled"]
    )
    assert outcome.candidate("Unteachable").note == told["Unteachable"]
