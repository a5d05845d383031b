"""Setups that steps hand on: who gets them, what becomes stale, what does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

import art_training as art
from art_training.project import ArtProject
from art_training.records import Action, Outcome, Score
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.step import Fetch, Step
from art_training.stores.memory import MemoryStore

MODEL = art.from_torch(lambda hidden=2: nn.Linear(2, hidden), loss=nn.CrossEntropyLoss, lr=0.1)
DATA = art.data(train=(torch.eye(2), torch.tensor([0, 1])))


@dataclass(frozen=True)
class Chooses(Step):
    """Hands on what it says it chose."""

    chosen: Mapping[str, Any] = field(default_factory=dict)

    def run(self, bench: Bench) -> Outcome:
        return Outcome(parameters={"chosen": dict(self.chosen)}, scores={"train/loss": Score(1.0)})

    def carry(self, setup: Setup, outcome: Outcome) -> Setup:
        return setup.but(hparams=outcome.parameters["chosen"])


@dataclass(frozen=True)
class Sees(Step):
    """Leaves the hyper-parameters that it is given."""

    def run(self, bench: Bench) -> Outcome:
        return Outcome(parameters=dict(bench.setup.hparams))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def project(store: MemoryStore, *steps: Step) -> ArtProject:
    return ArtProject("p", Setup(MODEL, DATA, hparams={"hidden": 2}), steps=steps, store=store)


def seen(project: ArtProject, name: str = "Sees") -> object:
    outcome = project.run()[name].outcome
    assert outcome is not None
    return outcome.parameters["hidden"]


def test_later_steps_begin_with_what_a_step_hands_on(store: MemoryStore) -> None:
    before = Sees(name="before", continue_on_failure=True)
    steps = (before, Chooses(chosen={"hidden": 3}, continue_on_failure=True), Sees())
    assert seen(project(store, *steps)) == 3
    assert seen(project(store, *steps), "before") == 2


def test_a_step_with_a_setup_of_its_own_is_not_concerned(store: MemoryStore) -> None:
    own = Sees(setup=Setup(MODEL, DATA, hparams={"hidden": 7}))
    assert seen(project(store, Chooses(chosen={"hidden": 3}, continue_on_failure=True), own)) == 7


def test_a_steps_own_hparams_are_laid_over_what_is_handed_on(store: MemoryStore) -> None:
    assert (
        seen(project(store, Chooses(chosen={"hidden": 3}, continue_on_failure=True), Sees(hparams={"hidden": 5}))) == 5
    )


def test_what_is_chosen_for_another_setup_is_not_handed_on(store: MemoryStore) -> None:
    other = Setup(MODEL, DATA, hparams={"hidden": 9})
    assert seen(project(store, Chooses(setup=other, chosen={"hidden": 3}, continue_on_failure=True), Sees())) == 2


def test_two_choices_are_handed_on_one_after_the_other(store: MemoryStore) -> None:
    first = Chooses(name="first", chosen={"hidden": 3}, continue_on_failure=True)
    second = Chooses(name="second", chosen={"hidden": 4}, continue_on_failure=True)
    assert seen(project(store, first, second, Sees())) == 4


def test_another_choice_makes_later_steps_stale_and_the_same_choice_does_not(store: MemoryStore) -> None:
    def plan(chosen: int) -> dict[str, Any]:
        made = project(store, Chooses(chosen={"hidden": chosen}, continue_on_failure=True), Sees())
        made.run()
        return {step.step: step for step in made.plan().steps}

    assert plan(3)["Sees"].action is Action.RECALL
    other = project(store, Chooses(chosen={"hidden": 4}, continue_on_failure=True), Sees())
    other.run(until="Chooses")
    planned = {step.step: step for step in other.plan().steps}["Sees"]
    assert planned.action is Action.RUN
    assert "hparams.hidden: 3 -> 4" in planned.reason
    assert plan(3)["Sees"].action is Action.RECALL


@dataclass(frozen=True)
class Leaves(Chooses):
    """Leaves a file that what it hands on needs."""

    def run(self, bench: Bench) -> Outcome:
        path = bench.folder / "width.txt"
        path.write_text("6")
        return Outcome(scores={"train/loss": Score(1.0)}, artifacts=(bench.keep(path, name="width"),))

    def carry(self, setup: Setup, outcome: Outcome) -> Setup:
        raise AssertionError("the runner asks carry_with")

    def carry_with(self, setup: Setup, outcome: Outcome, fetch: Fetch) -> Setup:
        return setup.but(hparams={"hidden": int(fetch(outcome.artifacts[0].digest).read_text())})


def test_a_step_that_hands_on_a_file_is_given_what_fetches_it(store: MemoryStore) -> None:
    declared = project(store, Leaves(continue_on_failure=True), Sees())
    assert seen(declared) == 6
    assert declared.plan().steps[1].action is Action.RECALL
