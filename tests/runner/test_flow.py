"""The flow of a project, with steps that need no engine: what runs, what is recalled, what is kept."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import art_training as art
from art_training.checks import Below, Check, Equals, Exists, check, failed
from art_training.errors import Interrupted, ProjectError, ProjectLocked, StoreError, UnknownMetric
from art_training.project import ArtProject
from art_training.records import (
    Action,
    CheckJudged,
    Outcome,
    ProjectEnded,
    ProjectStarted,
    RunStatus,
    Score,
    Split,
    StepEnded,
    StepStarted,
    StepState,
)
from art_training.runner.redefined import redefined
from art_training.setup.importing import importing
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.step import Step, only
from art_training.stores import RunQuery
from art_training.stores.memory import MemoryStore
from art_training.views.status import status_of


class Watched(ArtProject):
    """Notes which steps are executed."""

    executed: list[str]

    def run(self, **wishes):
        def listen(event: object) -> None:
            if isinstance(event, StepStarted):
                self.executed.append(event.planned.step)

        return super().run(**{"listen": listen, **wishes})


MODEL = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1)
DATA = art.data(train=(torch.eye(2), torch.tensor([0, 1])))


@dataclass(frozen=True)
class Constant(Step):
    """Leaves one score."""

    loss: float = 0.5
    uses: ClassVar[frozenset[str]] = frozenset({"model", "hparams", "trainer", "metrics", "outputs"})

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"train/loss": Score(self.loss, direction="minimize")})

    def default_checks(self, task: object, metrics: Sequence[str]) -> Sequence[Check]:
        return (Exists("train/loss"),)


@dataclass(frozen=True)
class Raises(Step):
    """Raises what it is told to."""

    error: type[BaseException] = RuntimeError

    def run(self, bench: Bench) -> Outcome:
        raise self.error("the user's code broke")


@dataclass(frozen=True)
class Leaves(Step):
    """Leaves the outcome that it is given."""

    outcome: Outcome = field(default_factory=Outcome)

    def run(self, bench: Bench) -> Outcome:
        return self.outcome


@dataclass(frozen=True)
class Follows(Constant):
    """Its work uses the outcome of a Constant."""

    needs: ClassVar[tuple[str, ...]] = ("Constant",)


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def make(store: MemoryStore, calls: list[str]) -> Callable[..., ArtProject]:
    def make(*steps: Step, name: str = "p", **setup: object) -> ArtProject:
        declared = Setup(MODEL, DATA, **setup)  # type: ignore[arg-type]
        project = Watched(name, declared, steps=steps, store=store)
        project.executed = calls
        return project

    return make


def test_a_project_runs_its_steps_in_order_and_recalls_them_afterwards(make, calls) -> None:
    project = make(Constant(name="a"), Constant(name="b"))
    first, second = project.run(), project.run()
    assert calls == ["a", "b"]
    assert first.passed
    assert second.passed
    assert [step.recalled for step in second.steps] == [True, True]


def test_a_run_stops_at_the_first_step_that_does_not_pass(make, calls) -> None:
    result = make(Constant(name="a", checks=[Below("train/loss", 0.1)]), Constant(name="b")).run()
    assert calls == ["a"]
    assert [step.state for step in result.steps] == [StepState.FAILED, StepState.NOT_RUN]
    assert not result.passed
    assert "a failed" in result.next


def test_a_step_may_let_the_project_go_on_though_it_failed(make, calls) -> None:
    first = Constant(name="a", checks=[Below("train/loss", 0.1)], continue_on_failure=True)
    result = make(first, Constant(name="b")).run()
    assert calls == ["a", "b"]
    assert [step.state for step in result.steps] == [StepState.FAILED, StepState.PASSED]


def test_a_changed_threshold_is_judged_again_without_running_and_appended_to_the_same_run(make, store, calls) -> None:
    failed = make(Constant(name="a", checks=[Below("train/loss", 0.1)])).run()
    passed = make(Constant(name="a", checks=[Below("train/loss", 0.9)])).run()
    assert calls == ["a"]
    assert failed["a"].run.id == passed["a"].run.id
    assert [judgement.state for judgement in store.judgements(passed["a"].run.id)] == ["failed", "passed"]


@dataclass(frozen=True)
class Counts(Step):
    """Scores a whole number."""

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"errors": Score(0), "seen": Score(np.int64(3))})


def test_a_count_is_judged_once_and_stays_what_it_was(tmp_path) -> None:
    steps = [Counts(name="a", checks=[Exists("seen"), Equals("errors", 0)])]
    project = ArtProject("p", Setup(MODEL, DATA), steps=steps, store=tmp_path / "art.db")
    first = project.run()["a"]
    assert not project.plan().steps[0].judge_again
    assert project.store.outcome(first.run.id).digest == first.outcome.digest


def test_a_plan_says_that_changed_checks_will_be_judged_again(make) -> None:
    make(Constant(name="a", checks=[Below("train/loss", 0.9)])).run()
    stricter = make(Constant(name="a", checks=[Below("train/loss", 0.1)]))
    planned = stricter.plan().steps[0]
    assert planned.action is Action.RECALL
    assert planned.judge_again
    assert "how it is judged" in str(stricter.plan())
    result = stricter.run()
    assert result["a"].judged_again
    assert "has changed since" not in result.next
    assert not stricter.plan().steps[0].judge_again
    assert "has changed since" in stricter.run().next


def test_judging_again_with_the_same_answer_appends_nothing(make, store) -> None:
    for _ in range(3):
        result = make(Constant(name="a")).run()
    assert len(store.judgements(result["a"].run.id)) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), (1, 2.5), Action.RUN])
def test_judging_again_appends_nothing_though_a_number_is_no_ordinary_one(make, store, value) -> None:
    @check
    def tells(evidence: object):
        return failed("it is odd", number=value)

    for _ in range(2):
        result = make(Constant(name="a", checks=[tells])).run()
    assert result["a"].state is StepState.FAILED
    assert len(store.judgements(result["a"].run.id)) == 1


def test_a_step_without_any_check_is_unchecked_which_is_not_passed(make) -> None:
    result = make(Constant(name="a", checks=only())).run()
    assert result["a"].state is StepState.UNCHECKED
    assert not result.passed


def test_a_typo_in_a_metric_name_loses_nothing_of_the_training(make, store, calls) -> None:
    result = make(Constant(name="a", checks=[Below("train/los", 0.1)])).run()
    assert result["a"].state is StepState.ERRORED
    assert "train/loss" in str(result)
    assert store.outcome(result["a"].run.id).score("train/loss").value == 0.5
    assert make(Constant(name="a", checks=[Below("train/loss", 0.9)])).run().passed
    assert calls == ["a"]


def test_all_checks_are_asked_though_the_first_fails_or_raises(make, store) -> None:
    @check
    def breaks(evidence: object) -> bool:
        raise ZeroDivisionError("by the user")

    checks = [Below("train/loss", 0.1), breaks, Below("train/loss", 0.9)]
    result = make(Constant(name="a", checks=checks)).run()
    states = [verdict.state for verdict in store.judgements(result["a"].run.id)[-1].verdicts]
    assert states == ["passed", "failed", "errored", "passed"]


def test_a_changed_hyper_parameter_makes_a_step_stale_and_says_what_changed(make, calls) -> None:
    make(Constant(name="a"), hparams={"lr": 0.001}).run()
    changed = make(Constant(name="a"), hparams={"lr": 0.01})
    planned = changed.plan().steps[0]
    assert planned.action is Action.RUN
    assert planned.reason == "hparams.lr: 0.001 -> 0.01"
    changed.run()
    assert calls == ["a", "a"]


def test_a_changed_trainer_setting_is_another_attempt(make, calls) -> None:
    make(Constant(name="a"), trainer={"max_epochs": 1}).run()
    make(Constant(name="a"), trainer={"max_epochs": 50}).run()
    assert calls == ["a", "a"]


def test_a_setting_that_does_not_reach_a_step_leaves_it_fresh(make, calls) -> None:
    @dataclass(frozen=True)
    class Counts(Constant):
        unused_settings: ClassVar[frozenset[str]] = frozenset({"max_epochs"})

    make(Counts(name="a"), trainer={"max_epochs": 1, "precision": "32-true"}).run()
    make(Counts(name="a"), trainer={"max_epochs": 2, "precision": "32-true"}).run()
    make(Counts(name="a"), trainer={"max_epochs": 2, "precision": "bf16-mixed"}).run()
    assert calls == ["a", "a"]


def test_a_class_that_was_defined_again_is_pointed_out(make, monkeypatch) -> None:
    import __main__

    class Net:
        __module__ = "__main__"
        __qualname__ = "Net"

    project = make(Constant(name="a"))
    project.setup = Setup(Net, DATA, task=project.setup.task)
    monkeypatch.setattr(__main__, "Net", type("Net", (), {}), raising=False)
    assert "Net was defined again" in redefined(project.setup, ())[0]
    assert "but(model=Net)" in redefined(project.setup, ())[0]
    monkeypatch.setattr(__main__, "Net", Net)
    assert redefined(project.setup, project.steps) == ()


def test_a_misspelled_step_is_recognised(make) -> None:
    with pytest.raises(ProjectError, match="did you mean 'overfit'"):
        make(Constant(name="overfit")).run(until="Overfitt")


def test_going_back_to_an_earlier_configuration_recalls_it(make, calls) -> None:
    for rate in (0.1, 0.2, 0.1):
        result = make(Constant(name="a"), hparams={"lr": rate}).run()
    assert calls == ["a", "a"]
    assert result["a"].recalled


def test_a_stale_step_can_be_kept_and_is_marked(make, calls) -> None:
    make(Constant(name="a"), hparams={"lr": 0.1}).run()
    result = make(Constant(name="a"), hparams={"lr": 0.2}).run(stale="keep")
    assert calls == ["a"]
    assert result["a"].stale
    assert "stale" in str(result)


def test_the_step_configuration_is_part_of_what_a_result_depends_on(make, calls) -> None:
    make(Constant(name="a", loss=0.5)).run()
    assert make(Constant(name="a", loss=0.4)).plan().steps[0].reason == "step.loss: 0.5 -> 0.4"


def test_steps_see_their_own_settings_and_the_record_shows_them(make, store) -> None:
    result = make(Constant(name="a", trainer={"max_epochs": 7}), trainer={"max_epochs": 50}).run()
    assert store.run(result["a"].run.id).parameters["trainer.max_epochs"] == 7


def test_two_steps_of_one_class_are_two_steps(make, calls) -> None:
    make(Constant(name="a"), Constant(name="b")).run()
    assert calls == ["a", "b"]


def test_two_projects_in_one_store_do_not_share_results(make, calls) -> None:
    make(Constant(name="a"), name="one").run()
    make(Constant(name="a"), name="two").run()
    assert calls == ["a", "a"]


def test_force_runs_again_all_or_the_named_steps(make, calls) -> None:
    project = make(Constant(name="a"), Constant(name="b"))
    project.run()
    project.run(force=["b"])
    project.run(force=True)
    assert calls == ["a", "b", "b", "a", "b"]


def test_until_and_only_choose_steps(make, calls) -> None:
    project = make(Constant(name="a"), Constant(name="b"), Constant(name="c"))
    assert project.run(until="b").passed
    project.run(only=["c"])
    assert calls == ["a", "b", "c"]


def test_a_step_that_is_added_later_is_all_that_runs(make, calls) -> None:
    project = make(Constant(name="a"))
    project.run()
    project.add_step(Constant(name="b")).run()
    project.replace_step(Constant(name="b", loss=0.3)).run()
    assert calls == ["a", "b", "b"]


def test_a_step_that_uses_an_outcome_is_stale_when_that_outcome_changed(make, calls) -> None:
    make(Constant(name="a"), Follows(name="b")).run()
    make(Constant(name="a", loss=0.4), Follows(name="b")).run()
    assert calls == ["a", "b", "a", "b"]


def test_the_record_names_the_runs_whose_outcomes_were_used_though_they_were_not_asked_for(make) -> None:
    used = make(Constant(name="a"), Follows(name="b")).run(until="a")["a"].run
    result = make(Constant(name="a"), Follows(name="b")).run(only=["b"])
    assert result["b"].run.consumes == {"a": used.id}


def test_an_outcome_that_cannot_be_kept_leaves_an_errored_run_that_says_why(make, store) -> None:
    with pytest.raises(StoreError, match="the outcome of step 'a' cannot be kept"):
        make(Leaves(name="a", outcome=Outcome(scores={"train/loss": 0.5}))).run()
    (summary,) = store.runs()
    record = store.run(summary.id)
    assert (record.status, record.state) == (RunStatus.ERRORED, StepState.ERRORED)
    assert "cannot be kept" in record.error


def test_an_outcome_that_came_out_the_same_leaves_who_uses_it_fresh(make, calls) -> None:
    project = make(Constant(name="a"), Follows(name="b"))
    project.run()
    project.run(force=["a"])
    assert calls == ["a", "b", "a"]


def test_a_step_that_raises_is_recorded_and_raised_again_with_the_users_frames_only(make, store) -> None:
    with pytest.raises(RuntimeError, match="the user's code broke") as caught:
        make(Constant(name="a"), Raises(name="b")).run()
    (summary,) = store.runs(RunQuery(step="b"))
    record = store.run(summary.id)
    assert record.status is RunStatus.ERRORED
    assert record.state is StepState.ERRORED
    assert "the user's code broke" in record.error
    assert "raise self.error" in record.traceback
    files = [entry.path for entry in caught.traceback]
    assert str(files[-1]) == __file__


def test_the_users_own_error_is_seen_though_the_store_fails_too(make, store, monkeypatch) -> None:
    write = store.write

    def full(run, outcome=None) -> None:
        if run.status is not RunStatus.RUNNING:
            raise StoreError("no space is left")
        write(run, outcome)

    monkeypatch.setattr(store, "write", full)
    with pytest.raises(RuntimeError, match="the user's code broke") as caught:
        make(Raises(name="a")).run()
    assert "no space is left" in caught.value.__notes__[0]


def test_a_step_may_have_any_name(make, calls) -> None:
    assert make(Constant(name="../a b/ü")).run().passed


def test_a_step_that_raised_runs_again(make, calls) -> None:
    project = make(Raises(name="a"))
    for _ in range(2):
        with pytest.raises(RuntimeError):
            project.run()
    assert calls == ["a", "a"]


def test_ctrl_c_leaves_a_clean_record_and_the_steps_before_are_kept(make, store) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(Constant(name="a"), Raises(name="b", error=KeyboardInterrupt)).run()
    (summary,) = store.runs(RunQuery(step="b"))
    assert (summary.status, summary.state) == (RunStatus.INTERRUPTED, StepState.INTERRUPTED)
    assert store.runs(RunQuery(step="a"))[0].state is StepState.PASSED


@dataclass(frozen=True)
class BreaksOff(Step):
    """Takes a while; is interrupted as long as there is a file."""

    file: str = "go on.txt"

    def run(self, bench: Bench) -> Outcome:
        time.sleep(0.2)
        if Path(self.file).exists():
            raise KeyboardInterrupt
        return Outcome()


def test_a_step_that_was_gone_on_with_took_what_its_runs_took_together(make, store) -> None:
    project = make(BreaksOff())
    Path("go on.txt").touch()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            project.run()
    Path("go on.txt").unlink()
    time.sleep(0.5)  # the time between the runs is nobody's
    result = project.run()["BreaksOff"]
    last, second, first = (store.run(run.id) for run in store.runs(RunQuery(step="BreaksOff")))
    assert (last.resumed, second.resumed, first.resumed) == (second.id, first.id, "")
    own = [(one.ended - one.started).total_seconds() for one in (first, second, last)]
    assert [first.seconds, second.seconds] == pytest.approx([own[0], own[0] + own[1]])
    assert result.seconds == pytest.approx(sum(own))
    (row,) = status_of(store, "p", project.plan()).steps
    assert row.seconds == pytest.approx(sum(own))
    assert project.plan(force=True).seconds == pytest.approx(sum(own))  # what the whole work will take


def test_ctrl_c_that_the_engine_caught_is_ctrl_c_to_whoever_started_the_run(make, store) -> None:
    with pytest.raises(KeyboardInterrupt, match="broke"):
        make(Raises(name="a", error=Interrupted)).run()
    assert store.runs()[0].status is RunStatus.INTERRUPTED


def test_a_step_that_forgets_to_return_its_outcome_is_told(make) -> None:
    @dataclass(frozen=True)
    class Forgets(Step):
        def run(self, bench: Bench) -> Outcome:
            return None

    with pytest.raises(ProjectError, match="must return an Outcome"):
        make(Forgets()).run()


def test_a_run_whose_process_died_is_recognised_at_the_next_run(make, store) -> None:
    project = make(Constant(name="a"))
    result = project.run()
    dead = replace(result["a"].run, id="0-dead", status=RunStatus.RUNNING, ended=None, started=datetime.now(UTC))
    store.write(dead)
    project.run()
    assert store.run("0-dead").status is RunStatus.KILLED


def test_a_second_run_of_the_same_project_at_the_same_time_is_refused(make, store) -> None:
    project = make(Constant(name="a"))
    with store.lock("p"), pytest.raises(ProjectLocked, match="'p'"):
        project.run()


def test_events_tell_the_whole_story_in_order(make) -> None:
    events: list[object] = []
    make(Constant(name="a")).run(listen=events.append)
    kinds = [type(event) for event in events]
    assert kinds == [ProjectStarted, StepStarted, CheckJudged, StepEnded, ProjectEnded]


def test_a_tracker_that_fails_does_not_hurt_the_run(make, store) -> None:
    def broken(event: object) -> None:
        raise OSError("the service is down")

    project = make(Constant(name="a"))
    project.trackers = (broken,)
    with pytest.warns(UserWarning, match="the service is down"):
        assert project.run().passed


def test_importing_a_file_that_runs_its_project_is_refused(make) -> None:
    with importing(), pytest.raises(ProjectError, match="__main__"):
        make(Constant(name="a")).run()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda make: make(Constant(name="a"), Constant(name="a")), "two steps .* named 'a'"),
        (lambda make: make(Constant), r"give an instance, Constant\(\)"),
        (lambda make: make(Constant(name="a")).run(until="z"), "has no step 'z'; it has: a"),
        (lambda make: make(Constant(name="a")).run(only=["z"]), "has no step 'z'"),
        (lambda make: make(Constant(name="a")).run(force=["z"]), "has no step 'z'"),
        (lambda make: make(Constant(name="a")).run(stale="maybe"), "neither 'rerun' nor 'keep'"),
        (lambda make: make(Constant(name="a")).replace_step(Constant(name="b")), "has no step 'b'"),
        (lambda make: make(name=""), "name must be"),
        (lambda _: ArtProject("p", Setup(MODEL, DATA), steps=Constant()), r"write a list of steps: steps=\[Constant"),
    ],
)
def test_wrong_use_of_a_project_gets_one_sentence(make, wrong, says) -> None:
    with pytest.raises(ProjectError, match=says) as caught:
        wrong(make)
    assert "\n" not in str(caught.value)


def test_a_metric_that_a_step_skips_must_exist(make) -> None:
    with pytest.raises(UnknownMetric, match="accuracy"):
        make(Constant(name="a", skip_metrics=["accuracy"]))


def test_a_list_that_its_owner_appends_to_does_not_reach_into_a_step() -> None:
    mine: list[Check] = [Exists("train/loss")]
    step = Constant(name="a", checks=mine)
    mine.append(Below("train/loss", 0.0))
    assert len(step.checks) == 1


def test_declaring_a_project_writes_nothing(own_folder, make) -> None:
    before = sorted(own_folder.rglob("*"))
    ArtProject("p", Setup(MODEL, DATA), steps=[Constant(name="a")])
    assert sorted(own_folder.rglob("*")) == before


@dataclass(frozen=True)
class Remembers(Step):
    """Says what it found as evidence of the steps before."""

    seen: list[str] = field(default_factory=list, compare=False)

    def run(self, bench: Bench) -> Outcome:
        self.seen.extend(bench.outcomes)
        return Outcome(scores={"train/loss": Score(1.0)})


def test_a_step_sees_the_outcomes_of_the_steps_before_it(make) -> None:
    last = Remembers(name="b")
    make(Constant(name="a"), last).run()
    assert last.seen == ["a"]


def test_what_the_data_draws_is_the_same_in_every_step(store: MemoryStore) -> None:
    """A split that is drawn without a seed of its own must not let one step train on what another one validates on."""
    rows: dict[str, dict[Split, list[float]]] = {}

    @dataclass(frozen=True)
    class Reads(Step):
        def run(self, bench: Bench) -> Outcome:
            found = rows[self.name] = {split: [] for split in bench.splits}
            bench.read(*bench.splits, see=lambda split, _, batch: found[split].extend(batch[0][:, 0].tolist()))
            return Outcome(scores={"train/loss": Score(0.1)})

    class Splits(L.LightningDataModule):
        def setup(self, stage: str) -> None:
            whole = TensorDataset(torch.arange(40.0)[:, None], torch.arange(40) % 2)
            self.parts = random_split(whole, [30, 10])

        def train_dataloader(self) -> DataLoader:
            return DataLoader(self.parts[0], batch_size=8)

        def val_dataloader(self) -> DataLoader:
            return DataLoader(self.parts[1], batch_size=8)

    steps = [Reads(name=name, checks=[Exists("train/loss")]) for name in ("first", "second")]
    model = art.from_torch(lambda: nn.Linear(1, 2), loss=nn.CrossEntropyLoss, lr=0.1)
    for seed in (0, 1):
        ArtProject("p", Setup(model, Splits), steps=steps, store=store, seed=seed).run(force=True)
        assert rows["first"] == rows["second"]
        rows[f"seed {seed}"] = dict(rows["first"])
    assert rows["seed 0"] != rows["seed 1"], "the project's seed decides"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"checks": Below("train/loss", 1)}, "is no list; write checks=["),
        ({"skip_metrics": "mse"}, "skip_metrics='mse' of step 'Constant' is no list"),
        ({"hparams": None}, "is no mapping; write hparams="),
        ({"trainer": [1]}, "is no mapping; write trainer="),
        ({"setup": 3}, "is no Setup"),
        ({"name": 3}, "is no text"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused_when_the_step_is_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ProjectError, match=re.escape(told)):
        Constant(**wrong)


def test_a_seed_that_is_no_number_is_refused_before_a_record_holds_it(store: MemoryStore) -> None:
    with pytest.raises(ProjectError, match="seed='1' is no whole number"):
        ArtProject("p", Setup(MODEL, DATA), store=store, seed="1")  # type: ignore[arg-type]


def test_a_stale_step_that_was_kept_is_not_said_to_be_unchanged(make: Callable[..., ArtProject]) -> None:
    check = Below("train/loss", 0.1)
    make(Constant(checks=[check])).run()
    kept = make(Constant(loss=0.4, checks=[check])).run(stale="keep")
    assert "nothing that it depends on has changed" not in kept.next
    assert "stale" in kept.next


@dataclass(frozen=True)
class Data(Constant):
    """Uses the data and what the task is, and no model."""

    uses: ClassVar[frozenset[str]] = frozenset({"metrics"})


@pytest.mark.parametrize("change", [{"label_smoothing": 0.4}, {"weight": torch.tensor([1.0, 5.0])}])
def test_a_step_without_a_model_is_stale_when_the_loss_is_another(store: MemoryStore, change: dict[str, Any]) -> None:
    def project(**options: Any) -> ArtProject:
        model = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss(**options), lr=0.1)
        return ArtProject("p", Setup(model, DATA), steps=[Data()], store=store)

    project().run()
    assert project().plan().steps[0].action is Action.RECALL
    assert project(**change).plan().steps[0].action is Action.RUN
