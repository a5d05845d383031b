"""What is said of steps that do not run: behind one that did not pass, or because nobody asked for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import Above, Below, Check, Exists
from art_training.errors import ProjectError
from art_training.records import Action, Finding, Outcome, Score, Severity, StepState
from art_training.runner.result import ProjectResult
from art_training.setup.setup import Setup
from art_training.steps import CheckLossOnInit, Overfit
from art_training.steps.bench import Bench
from art_training.steps.step import Step, only
from art_training.stores.memory import MemoryStore

FEATURES, LABELS = torch.eye(4), torch.arange(4)
SETUP = Setup(
    art.from_torch(lambda: nn.Linear(4, 4), loss=nn.CrossEntropyLoss, lr=0.1),
    art.data(train=(FEATURES, LABELS), validation=(FEATURES, LABELS)),
)


@dataclass(frozen=True)
class Constant(Step):
    loss: float = 0.5
    findings: tuple[Finding, ...] = ()
    uses: ClassVar[frozenset[str]] = frozenset({"model"})

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"train/loss": Score(self.loss, direction="minimize")}, findings=self.findings)

    def default_checks(self, task: object, metrics: Sequence[str]) -> Sequence[Check]:
        return (Exists("train/loss"),)


FAILS = Constant(name="b", checks=[Below("train/loss", 0.1)])


@pytest.fixture
def project() -> art.ArtProject:
    return art.ArtProject("p", SETUP, steps=[Constant(name="a"), FAILS, Constant(name="c")], store=MemoryStore())


def test_a_plan_says_what_a_step_behind_a_failed_one_waits_for(project) -> None:
    assert [step.action for step in project.plan().steps] == [Action.RUN] * 3
    project.run()
    *before, last = project.plan().steps
    assert [step.action for step in before] == [Action.RECALL] * 2
    assert (last.action, last.reason) == (Action.WAIT, "waits for b, which failed")
    assert project.run()["c"].state is StepState.NOT_RUN


def test_nothing_waits_for_a_failed_step_that_lets_the_project_go_on(project) -> None:
    project.replace_step(replace(FAILS, continue_on_failure=True))
    project.run()
    assert project.plan().steps[-1].action is Action.RECALL


def test_a_failed_step_that_runs_anew_bars_nothing_yet(project) -> None:
    project.run()
    assert [step.action for step in project.plan(force=["b"]).steps][1:] == [Action.RUN] * 2


def test_a_step_that_was_not_asked_for_is_said_to_be_just_that(project) -> None:
    project.replace_step(Constant(name="b"))
    project.run(until="b")
    result = project.run(only=["c"])
    assert [(step.name, step.note) for step in result.steps] == [
        ("a", "not asked for (passed before)"),
        ("b", "not asked for (passed before)"),
        ("c", ""),
    ]
    assert result.passed
    assert "not asked for (passed before)" in str(result)
    assert result.next == "Next: c passed; type `art run` for the others too; `art plan` says what it would do."
    project.replace_step(Constant(name="a", loss=0.4))
    assert project.run(until="a")["c"].note == "not asked for (passed before)"


MISSING = Finding(
    "ART703", "metrics", Severity.ERROR, "validation/f1 could not be computed: it raised", {"metric": "validation/f1"},
    remedy="choose another",
)  # fmt: skip


def test_a_check_without_its_score_says_why_there_is_none_and_others_note_it() -> None:
    steps = [
        Constant(name="quiet", findings=(MISSING,)),
        Constant(name="asked", findings=(MISSING,), checks=[Above("validation/f1", 0.5)]),
    ]
    result = art.ArtProject("p", SETUP, steps=steps, store=MemoryStore()).run()
    assert result["quiet"].note == "validation/f1 could not be computed; `art show quiet` says why"
    assert result["asked"].note == ""
    judgement = result["asked"].judgement
    assert judgement is not None
    assert judgement.verdicts[-1].reason == "validation/f1 could not be computed: it raised; choose another"
    assert ": validation/f1 could not be computed; mend it" in result.next


def test_what_is_missing_is_noted_once_however_often_it_was_found() -> None:
    step = Constant(name="quiet", findings=(MISSING, replace(MISSING, where="again")))
    result = art.ArtProject("p", SETUP, steps=[step], store=MemoryStore()).run()
    assert result["quiet"].note == "validation/f1 could not be computed; `art show quiet` says why"


def test_a_step_whose_metric_cannot_be_computed_does_not_pass_and_one_without_it_does() -> None:
    """Classes are counted of the values of a regression."""
    setup = Setup(
        art.from_torch(lambda: nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), loss=nn.MSELoss, lr=0.1),
        art.data(train=(FEATURES, LABELS.float()), validation=(FEATURES, LABELS.float())),
        trainer={"max_epochs": 2, "accelerator": "cpu"},
    )

    def ran(step: Step) -> ProjectResult:
        metrics = {"acc": MulticlassAccuracy(num_classes=10)}
        return art.ArtProject("p", setup, metrics=metrics, steps=[step], store=MemoryStore()).run()

    result = ran(CheckLossOnInit())
    assert result["CheckLossOnInit"].state is StepState.FAILED
    judgement = result["CheckLossOnInit"].judgement
    assert judgement is not None
    (said,) = [one.reason for one in judgement.verdicts if "acc" in one.reason]
    assert "acc could not be computed: metric 'acc' raised ValueError on predictions (rows) of float32" in said
    assert (said.count("could not be computed"), said.count("skip_metrics")) == (1, 1)
    assert "could not be computed" not in result["CheckLossOnInit"].note
    assert "every step passed" not in result.next
    with pytest.raises(ProjectError, match="nothing has been trained: this is a regression"):
        ran(Overfit())
    assert ran(Overfit(skip_metrics=["acc"])).passed


def test_the_remedy_of_a_metric_that_cannot_be_computed_is_told_once() -> None:
    step = CheckLossOnInit(checks=only(Exists("train/accuracy")))
    metrics = {"accuracy": MulticlassAccuracy(num_classes=3)}
    outcome = art.ArtProject("p", SETUP, metrics=metrics, steps=[step], store=MemoryStore()).run()[step.name].outcome
    assert outcome is not None
    found = [one for one in outcome.findings if one.code == "ART703"]
    assert found
    for one in found:
        assert f"{one.message}; {one.remedy}".count("Setup(outputs=") == 1
