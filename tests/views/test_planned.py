"""What the last plan said, as far as it still holds: with projects that ran, and with made-up history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest
import torch
from torch import nn

import art_training as art
from art_training.checks import Below, Check, Exists
from art_training.project import ArtProject
from art_training.records import Action, Change, Outcome, Plan, PlannedStep, RunStatus, Score
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.stores.memory import MemoryStore
from art_training.stores.planned import keep_plan
from art_training.stores.sql import SqlStore
from art_training.testing.history import BEGINNING, keep_run, verdict
from art_training.views import plan_trouble, planned_of, status_of
from art_training.views.overall import overall_of
from art_training.views.timeline import timeline_of

MODEL = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1)
DATA = art.data(train=(torch.eye(2), torch.tensor([0, 1])))


@dataclass(frozen=True)
class Constant(Step):
    loss: float = 0.5

    def run(self, bench: Bench) -> Outcome:
        if self.loss < 0:
            raise ValueError("below zero")
        return Outcome(scores={"train/loss": Score(self.loss, direction="minimize")})

    def default_checks(self, task: object, metrics: Sequence[str]) -> Sequence[Check]:
        return (Exists("train/loss"),)


@dataclass(frozen=True)
class Uses(Constant):
    """Its work depends on what the step before left."""

    needs: ClassVar[tuple[str, ...]] = ("Constant",)


@dataclass(frozen=True)
class Stopped(Constant):
    """The user stops it."""

    def run(self, bench: Bench) -> Outcome:
        raise KeyboardInterrupt


@dataclass(frozen=True)
class Unknowable(Constant):
    """Nobody can tell what it would work on."""

    def resolve(self, setup: Setup) -> Setup:
        raise RuntimeError("it does not build")


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else SqlStore(tmp_path / "art.db")
    yield store
    store.close()


def stands(store, project: str = "toy") -> dict[str, tuple[str, bool]]:
    status = status_of(store, project, planned_of(store, project))
    return {row.step: (row.state.value, row.stale) for row in status.steps}


def test_a_store_alone_knows_what_is_stale_and_why_as_the_project_does(store):
    def declared(lr: float, *steps: Step) -> ArtProject:
        return ArtProject("toy", Setup(MODEL, DATA, hparams={"lr": lr}), steps=steps, store=store)

    before = declared(0.1, Constant(name="a"), Constant(name="b"))
    before.run()
    assert stands(store) == {"a": ("passed", False), "b": ("passed", False)}
    changed = declared(0.2, Constant(name="a"), Constant(name="b"), Constant(name="c"))
    plan = changed.plan()
    assert planned_of(store, "toy").steps == plan.steps
    told, known = status_of(store, "toy", planned_of(store, "toy")), status_of(store, "toy", plan, ())
    assert told == known
    assert [row.stale for row in told.steps] == [True, True, False]
    assert "lr" in told.steps[0].reason
    assert told.steps[2].state.value == "not run"
    changed.run(until="a")
    assert stands(store) == {"a": ("passed", False), "b": ("passed", True), "c": ("not run", False)}
    changed.run()
    assert stands(store) == dict.fromkeys("abc", ("passed", False))


def test_what_would_be_done_on_a_wish_is_not_where_the_project_stands(store):
    project = ArtProject("toy", Setup(MODEL, DATA), steps=[Constant(name="a")], store=store)
    project.run()
    before = planned_of(store, "toy")
    assert project.plan(force=True).steps[0].reason == "forced"
    assert planned_of(store, "toy") == before


def test_judging_again_ends_the_need_to(store):
    setup = Setup(MODEL, DATA)
    ArtProject("toy", setup, steps=[Constant(name="a", checks=[Below("train/loss", 0.9)])], store=store).run()
    project = ArtProject("toy", setup, steps=[Constant(name="a", checks=[Below("train/loss", 0.1)])], store=store)
    project.plan()
    assert stands(store) == {"a": ("not judged", False)}
    project.run()
    assert stands(store) == {"a": ("failed", False)}
    assert not planned_of(store, "toy").steps[0].judge_again


def test_a_step_that_raised_since_says_so_and_bars_the_way(store):
    steps = [Constant(name="a", loss=-1.0), Constant(name="b")]
    with pytest.raises(ValueError, match="below zero"):
        ArtProject("toy", Setup(MODEL, DATA), steps=steps, store=store).run()
    status = status_of(store, "toy", planned_of(store, "toy"))
    assert [(row.state.value, row.waits_for) for row in status.steps] == [("errored", ""), ("not run", "a")]
    assert planned_of(store, "toy").steps[0].reason == "it raised an error before"


def test_behind_a_step_that_may_fail_the_project_goes_on(store):
    steps = [Constant(name="a", checks=[Below("train/loss", 0.1)], continue_on_failure=True), Constant(name="b")]
    ArtProject("toy", Setup(MODEL, DATA), steps=steps, store=store).run()
    assert stands(store) == {"a": ("failed", False), "b": ("passed", False)}


def test_a_step_that_was_not_asked_for_is_not_run_yet(store):
    steps = [Constant(name="a"), Constant(name="b")]
    ArtProject("toy", Setup(MODEL, DATA), steps=steps, store=store).run(only=["b"])
    status = status_of(store, "toy", planned_of(store, "toy"))
    assert [(row.state.value, row.reason) for row in status.steps] == [
        ("not run", "new"),
        ("passed", "nothing changed"),
    ]
    assert status.next == "Next: type `art run`; it begins with a (new)."


@pytest.mark.parametrize("wish", [{"only": ["a"]}, {"until": "a"}])
def test_a_run_of_some_steps_leaves_the_others_as_stale_as_they_are(store, wish):
    def declared(lr: float) -> ArtProject:
        steps = [Constant(name="a"), Constant(name="b"), Constant(name="c")]
        return ArtProject("toy", Setup(MODEL, DATA, hparams={"lr": lr}), steps=steps, store=store)

    declared(0.1).run()
    declared(0.2).run(**wish)
    assert stands(store) == {"a": ("passed", False), "b": ("passed", True), "c": ("passed", True)}
    status = status_of(store, "toy", planned_of(store, "toy"))
    assert status.next == "Next: type `art run`; it begins with b (hparams.lr: 0.1 -> 0.2)."
    assert overall_of(status).sentence.startswith("1 of 3 steps passed: b passed, but is stale")
    found = timeline_of(store, "toy")
    assert (found.passed, found.next) == (1, status.next)


def test_what_uses_the_outcome_of_a_step_that_ran_alone_is_stale(store):
    def declared(loss: float) -> ArtProject:
        return ArtProject("toy", Setup(MODEL, DATA), steps=[Constant(name="a", loss=loss), Uses(name="b")], store=store)

    declared(0.5).run()
    declared(0.4).run(only=["a"])
    assert stands(store) == {"a": ("passed", False), "b": ("passed", True)}


def test_while_a_step_runs_alone_the_others_are_as_stale_as_they_are(store):
    setup = Setup(MODEL, DATA)
    ArtProject("toy", setup, steps=[Constant(name="a"), Constant(name="b")], store=store).run()
    seen: list[dict[str, tuple[str, bool]]] = []
    steps = [Constant(name="a", loss=0.4), Constant(name="b", loss=0.4)]
    changed = ArtProject("toy", setup, steps=steps, store=store)
    changed.run(only=["a"], listen=lambda event: seen.append(stands(store)))
    assert all(stale for one in seen for step, (_, stale) in one.items() if step == "b")


def test_a_step_that_cannot_be_looked_at_does_not_stop_the_run_of_another(store):
    """As with a model that does not build yet, where only the data are explored."""
    steps = [Constant(name="a"), Unknowable(name="b")]
    assert ArtProject("toy", Setup(MODEL, DATA), steps=steps, store=store).run(only=["a"]).passed
    row = status_of(store, "toy", planned_of(store, "toy")).steps[1]
    assert (row.state.value, row.broken) == ("not run", "RuntimeError: it does not build")


def test_what_a_forced_run_did_not_come_to_is_not_forced_any_more(store):
    setup = Setup(MODEL, DATA)
    ArtProject("toy", setup, steps=[Constant(name="a"), Constant(name="b")], store=store).run()
    seen: list[str] = []
    again = ArtProject("toy", setup, steps=[Constant(name="a"), Constant(name="b")], store=store)
    again.run(force=["b"], listen=lambda event: seen.append(planned_of(store, "toy").steps[1].reason))
    assert "forced" not in seen


def test_steps_behind_one_that_was_interrupted_say_that_they_wait_and_why_they_are_stale(store):
    def declared(lr: float, first: Step) -> ArtProject:
        setup = Setup(MODEL, DATA, hparams={"lr": lr})
        return ArtProject("toy", setup, steps=[first, Constant(name="b"), Constant(name="c")], store=store)

    declared(0.1, Constant(name="a")).run()
    with pytest.raises(KeyboardInterrupt):
        declared(0.2, Stopped(name="a")).run()
    first, *behind = status_of(store, "toy", planned_of(store, "toy")).steps
    assert (first.state.value, first.stale, first.reasons) == ("interrupted", False, ())
    for row in behind:
        assert (row.state.value, row.stale, row.waits_for) == ("not run", True, "a")
        waits = "waits for a, which was interrupted; its own last run passed"
        assert (row.waiting, row.reason) == (waits, "hparams.lr: 0.1 -> 0.2")
        assert row.reasons == (waits, "stale: hparams.lr: 0.1 -> 0.2")


# Made-up history


def plan(*steps: PlannedStep) -> Plan:
    return Plan("toy", steps, {"Tune": "a space"})


STALE = PlannedStep("A", "A", Action.RUN, "lr changed", changes=(Change("hparams.lr", 0.1, 0.2),), seconds=7.0)


def test_a_step_that_runs_since_is_running_and_no_more_stale(store):
    keep_run(store, "A", verdicts=[verdict("a")])
    keep_plan(store, plan(STALE), at=BEGINNING + timedelta(minutes=5))
    assert stands(store) == {"A": ("passed", True)}
    beat = BEGINNING + timedelta(minutes=11)
    run = keep_run(store, "A", minute=10, status=RunStatus.RUNNING, heartbeat=beat)
    (step,) = planned_of(store, "toy", now=beat).steps
    assert (step.action, step.reason, step.run, step.seconds) == (Action.RESUME, "it is running now", run.id, 7.0)
    (step,) = planned_of(store, "toy", now=beat + timedelta(hours=1)).steps
    assert (step.action, step.reason) == (Action.RESUME, "the run before was interrupted")


def test_a_run_that_began_before_the_plan_and_ended_after_it_counts(store):
    keep_plan(store, plan(STALE), at=BEGINNING + timedelta(seconds=5))
    run = keep_run(store, "A", seconds=12.0, verdicts=[verdict("a")])
    (step,) = planned_of(store, "toy").steps
    assert (step.action, step.run, step.changes) == (Action.RECALL, run.id, ())


def test_what_waited_waits_no_more_once_the_way_is_free(store):
    keep_run(store, "A", verdicts=[verdict("a", "failed")])
    waits = PlannedStep("B", "B", Action.WAIT, "waits for A, which failed")
    keep_plan(store, plan(STALE, waits), at=BEGINNING + timedelta(minutes=5))
    assert status_of(store, "toy", planned_of(store, "toy")).steps[1].reasons == ("waits for A, which failed",)
    keep_run(store, "A", minute=10, verdicts=[verdict("a")])
    status = status_of(store, "toy", planned_of(store, "toy"))
    assert [(row.state.value, row.waits_for, row.reason) for row in status.steps] == [
        ("passed", "", ""),
        ("not run", "", ""),
    ]
    assert status.next == "Next: type `art run`; it begins with B (not run yet)."


def test_a_store_of_before_has_no_plan_and_a_damaged_one_is_told(store):
    keep_run(store, "A", verdicts=[verdict("a")])
    assert (planned_of(store, "toy"), plan_trouble(store, "toy")) == (None, "")
    assert stands(store) == {"A": ("passed", False)}
    store.remember("plan:toy", {"at": 7, "steps": []})
    assert planned_of(store, "toy") is None
    assert stands(store) == {"A": ("passed", False)}
    assert plan_trouble(store, "toy").startswith("the last plan of project 'toy' cannot be read: at is '7'")


def test_what_is_left_out_is_remembered_and_the_time_with_it(store):
    keep_plan(store, plan(STALE), at=BEGINNING)
    found = planned_of(store, "toy")
    assert (found.left_out, found.at) == ({"Tune": "a space"}, BEGINNING)


def test_a_recalled_run_that_was_removed_since_is_not_there_any_more(store):
    run = keep_run(store, "A", verdicts=[verdict("a")])
    keep_plan(
        store, plan(PlannedStep("A", "A", Action.RECALL, "nothing changed", run=run.id)), at=BEGINNING + timedelta(1)
    )
    assert stands(store) == {"A": ("passed", False)}
    store.delete(run.id)
    status = status_of(store, "toy", planned_of(store, "toy"))
    assert [(row.state.value, row.reason) for row in status.steps] == [("not run", "its run was removed")]
