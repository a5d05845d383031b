"""The test split is used behind steps that passed, also where its step alone is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

import art_training as art
from art_training.checks import Above, Below, Check, Exists
from art_training.errors import ProjectError
from art_training.records import Action, Outcome, Score, StepState
from art_training.setup.setup import Setup
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
    uses: ClassVar[frozenset[str]] = frozenset({"model"})

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"train/loss": Score(self.loss, direction="minimize")})

    def default_checks(self, task: object, metrics: Sequence[str]) -> Sequence[Check]:
        return (Exists("train/loss"),)


@dataclass(frozen=True)
class Final(Constant):
    """Stands for whatever may use the test split."""

    may_test: ClassVar[bool] = True


@dataclass(frozen=True)
class Raises(Constant):
    def run(self, bench: Bench) -> Outcome:
        raise RuntimeError("no")


FAILS = Constant(name="b", checks=[Below("train/loss", 0.1)])


def made(*steps: Step) -> art.ArtProject:
    return art.ArtProject("p", SETUP, steps=[*steps, Constant(name="d"), Final()], store=MemoryStore())


def refused(project: art.ArtProject, *names: str) -> str:
    """What is said, before a step has run and in a plan alike."""
    with pytest.raises(ProjectError) as planned:
        project.plan(only=["Final", *names])
    runs = len(list(project.store.runs()))
    with pytest.raises(ProjectError) as run:
        project.run(only=["Final", *names])
    assert len(list(project.store.runs())) == runs
    assert str(planned.value) == str(run.value)
    return str(run.value)


def test_the_test_split_is_not_used_behind_a_failed_step_and_the_way_to_insist_is_told() -> None:
    project = made(Constant(name="a"), FAILS)
    project.run()
    project.run(only=["d"])  # what can be run again runs alone, on whatever lies there
    assert refused(project) == (
        "step 'Final' would use the test split, which cannot be taken back, and b failed; `art run` comes to Final once every "
        "step before it has passed; to go on behind b all the same, declare it so: Constant(continue_on_failure=True)"
    )
    project.replace_step(replace(FAILS, continue_on_failure=True))
    assert project.run(only=["Final"]).passed


def test_nothing_is_trained_for_a_test_that_will_be_refused() -> None:
    project = made(Constant(name="a"), FAILS)
    project.run()
    assert "b failed" in refused(project, "d")


def test_a_step_that_has_not_run_was_not_judged_either() -> None:
    project = made(Constant(name="a"))
    assert "and a has not run;" in refused(project)
    project.run(until="a")
    assert "and d has not run;" in refused(project)
    assert project.run(only=["d", "Final"]).passed


def test_a_step_whose_run_raised_after_one_that_passed_did_not_pass() -> None:
    project = made(Constant(name="a"))
    project.run(until="d")
    project.replace_step(Raises(name="a"))
    with pytest.raises(RuntimeError):
        project.run(until="a")
    assert "and a errored;" in refused(project)


def test_a_step_without_checks_was_not_judged() -> None:
    project = made(Constant(name="a", checks=only()))
    project.run()
    project.run(only=["d"])
    assert "and a ran unchecked;" in refused(project)


def test_what_passed_is_asked_what_is_asked_of_it_now() -> None:
    project = made(Constant(name="a"))
    project.run(until="d")
    project.replace_step(Constant(name="a", checks=[Above("train/loss", 0.9)]))
    assert "and a failed;" in refused(project)
    project.replace_step(Constant(name="a"))
    assert project.run(only=["Final"]).passed


def test_a_test_that_is_recalled_is_no_use_and_a_look_at_the_project_refuses_nothing() -> None:
    project = made(Constant(name="a"))
    assert project.run().passed
    project.replace_step(Constant(name="a", checks=[Above("train/loss", 0.9)]))
    assert project.run(only=["Final"])["Final"].recalled
    assert [step.action for step in project.plan(lenient=True).steps] == [Action.RECALL, Action.WAIT, Action.WAIT]
    assert project.run()["Final"].state is StepState.NOT_RUN
