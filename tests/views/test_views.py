import os
import socket
import subprocess
import sys
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from art_training.errors import ProjectError
from art_training.records import (
    Action,
    Candidate,
    Change,
    Interval,
    Judgement,
    Plan,
    PlannedStep,
    ProcessId,
    RunStatus,
    Score,
    StepState,
    plain,
)
from art_training.stores import Point, RunQuery, Store
from art_training.stores.memory import MemoryStore
from art_training.stores.sql import SqlStore
from art_training.testing.history import BEGINNING, keep_run, keep_toy_project, verdict
from art_training.views import (
    best_first,
    difference,
    find_run,
    known_projects,
    log_of,
    run_before,
    runs_of,
    standing,
    status_of,
    view_of,
)
from art_training.views.history import LogTail, tail_of
from art_training.views.rows import CurveRow


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def states(status) -> dict[str, str]:
    return {row.step: row.state.value for row in status.steps}


def recall(step: str, run: str = "") -> PlannedStep:
    return PlannedStep(step, step, Action.RECALL, "nothing changed", run=run or None)


# Where a project stands


def test_a_failed_step_before_the_last_success_never_looks_passed(store):
    keep_run(store, "A", minute=0, verdicts=[verdict("a")])
    keep_run(store, "B", minute=1, verdicts=[verdict("b", "failed")])
    keep_run(store, "C", minute=2, verdicts=[verdict("c")])
    assert states(status_of(store, "toy")) == {"A": "passed", "B": "failed", "C": "passed"}


def test_a_step_that_never_ran_before_the_last_success_is_not_run(store):
    keep_run(store, "C", minute=2, verdicts=[verdict("c")])
    plan = Plan("toy", (PlannedStep("A", "A", Action.RUN, "new"), recall("C")))
    assert states(status_of(store, "toy", plan, ())) == {"A": "not run", "C": "passed"}


def test_steps_behind_one_that_failed_do_not_look_done(store):
    keep_run(store, "A", minute=0, verdicts=[verdict("a")])
    keep_run(store, "B", minute=1, verdicts=[verdict("b")])
    keep_run(store, "A", minute=5, verdicts=[verdict("a", "failed")])
    for plan, continuing in ((None, None), (Plan("toy", (recall("A"), recall("B"))), ())):
        status = status_of(store, "toy", plan, continuing)
        assert states(status) == {"A": "failed", "B": "not run"}
        assert status.steps[1].waits_for == "A"
        assert status.steps[1].waiting == "waits for A, which failed; its own last run passed"


def test_a_step_that_is_judged_again_and_fails_bars_the_way_for_what_ran_before(store):
    from art_training.records import Judgement, StepState

    first = keep_run(store, "A", minute=0, verdicts=[verdict("a")])
    keep_run(store, "B", minute=1, verdicts=[verdict("b")])
    later = Judgement((verdict("a", "failed"),), BEGINNING + timedelta(minutes=9), StepState.FAILED)
    store.judge(first.id, later)
    assert states(status_of(store, "toy")) == {"A": "failed", "B": "not run"}


def test_the_project_goes_on_behind_a_failed_step_that_says_so(store):
    keep_run(store, "A", minute=5, verdicts=[verdict("a", "failed")])
    keep_run(store, "B", minute=1, verdicts=[verdict("b")])
    plan = Plan("toy", (recall("A"), recall("B")))
    assert states(status_of(store, "toy", plan, {"A"})) == {"A": "failed", "B": "passed"}


@pytest.mark.parametrize("kept", ["failed", "errored", "not judged", "unchecked"])
def test_no_state_but_passed_lets_later_steps_look_done(store, kept):
    keep_run(store, "B", minute=0, verdicts=[verdict("b")])
    keep_run(store, "A", minute=1, verdicts=[] if kept == "unchecked" else [verdict("a", kept)])
    plan = Plan("toy", (recall("A"), recall("B")))
    assert states(status_of(store, "toy", plan, ())) == {"A": kept, "B": "not run"}


def test_a_stale_step_says_what_changed(store):
    run = keep_run(store, "A", verdicts=[verdict("a")])
    changes = (Change("hparams.lr", 0.1, 0.01),)
    plan = Plan("toy", (PlannedStep("A", "A", Action.RUN, "hparams.lr: 0.1 -> 0.01", changes),))
    row = status_of(store, "toy", plan, ()).steps[0]
    assert (row.state, row.stale, row.reason, row.run) == (StepState.PASSED, True, "hparams.lr: 0.1 -> 0.01", run.id)


def test_the_run_that_the_plan_recalls_counts_and_not_the_newest(store):
    good = keep_run(store, "A", minute=0, verdicts=[verdict("a")])
    keep_run(store, "A", minute=1, verdicts=[verdict("a", "failed")])
    assert states(status_of(store, "toy", Plan("toy", (recall("A", good.id),)), ())) == {"A": "passed"}
    assert states(status_of(store, "toy")) == {"A": "failed"}


def test_answers_of_checks_that_changed_since_do_not_count(store):
    run = keep_run(store, "A", verdicts=[verdict("a")])
    keep_run(store, "B", minute=1, verdicts=[verdict("b")])
    steps = [PlannedStep("A", "A", Action.RECALL, "nothing changed", run=run.id, judge_again=True)]
    status = status_of(store, "toy", Plan("toy", (*steps, PlannedStep("B", "B", Action.RECALL, ""))))
    assert states(status) == {"A": "not judged", "B": "passed"}
    assert (status.steps[0].checks, status.steps[0].reason) == ((), "its checks changed; `art run` judges it again")
    assert status.next == "Next: type `art run`; the checks of A changed, and it judges them on what the step left."


def test_the_best_comes_first_in_the_direction_that_the_scores_have(store):
    for minute, error in enumerate([3.0, 1.0, 2.0]):
        scores = {"mae": Score(error, direction="minimize"), "accuracy": Score(error, direction="maximize"), "x": error}
        keep_run(store, "A", minute=minute, scores=scores)
    keep_run(store, "B", minute=9, scores={"mae": 5.0})
    for name, values in {"mae": [1, 2, 3, 5], "accuracy": [3, 2, 1], "x": [3, 2, 1]}.items():
        found = runs_of(store, best_first(store, RunQuery(order_by=name, limit=len(values))))
        assert [row.scores[name] for row in found] == values


def test_scores_stand_beside_the_best_baseline_of_an_earlier_step_and_a_human_is_none(store):
    def scored(value: float) -> dict[str, Score]:
        return {"validation/accuracy": Score(value, direction="maximize")}

    human = Candidate("human", scored(0.99), {"kind": "human"})
    candidates = [Candidate("dummy", scored(0.1)), Candidate("linear", scored(0.9)), human]
    keep_run(store, "EvaluateBaseline", candidates=candidates, verdicts=[verdict("a")])
    tried = [Candidate("ensemble", scored(0.97))]  # what other steps compare is no baseline
    keep_run(store, "Squeeze", minute=1, candidates=tried, verdicts=[verdict("a")])
    keep_run(store, "Overfit", minute=2, scores={**scored(0.95), "x": 1.0}, verdicts=[verdict("b")])
    accuracy, other = status_of(store, "toy").steps[2].scores
    assert (accuracy.value, accuracy.baseline, accuracy.baseline_name) == (0.95, 0.9, "linear")
    assert other.baseline is None


def test_a_step_with_other_rows_does_not_stand_beside_a_baseline_of_these(store):
    def scored(value: float, rows: int | None) -> dict[str, Score]:
        return {"validation/accuracy": Score(value, direction="maximize", rows=rows)}

    linear = Candidate("linear", scored(0.9, 359))
    keep_run(store, "EvaluateBaseline", candidates=[linear], verdicts=[verdict("a")])
    for minute, rows in enumerate((359, 179, None), 1):
        keep_run(store, f"Fit{rows}", minute=minute, scores=scored(0.95, rows), verdicts=[verdict("b")])
    beside = {step.step: step.scores[0].baseline for step in status_of(store, "toy").steps[1:]}
    assert beside == {"Fit359": 0.9, "Fit179": None, "FitNone": 0.9}


def test_uses_of_the_test_split_are_runs_that_left_a_score_on_it_removed_ones_among_them(store):
    assert status_of(store, "toy").test_uses == 0
    keep_run(store, "FinalTest", minute=0, scores={"test/loss": 0.4, "test_uses": 1.0})
    keep_run(store, "FinalTest", minute=1, scores={"test/loss": 0.3, "test_uses": 2.0})
    keep_run(store, "FinalTest", minute=2, status=RunStatus.ERRORED, error="ValueError: shapes")
    keep_run(store, "FinalTest", minute=3, project="other", scores={"test/loss": 0.7})
    assert status_of(store, "toy").test_uses == 2
    for run in store.runs():
        store.delete(run.id)
    assert status_of(store, "toy").test_uses == 2


def test_a_project_without_runs_says_what_to_type(store):
    status = status_of(store, "toy")
    assert status.steps == ()
    assert status.next == "Next: project 'toy' has no runs yet; type `art run`."


def test_two_projects_of_one_store_do_not_share_results(store):
    keep_run(store, "A", verdicts=[verdict("a")])
    keep_run(store, "A", minute=1, project="other", verdicts=[verdict("a", "failed")])
    assert states(status_of(store, "toy")) == {"A": "passed"}
    assert states(status_of(store, "other")) == {"A": "failed"}
    assert [(row.project, row.runs) for row in known_projects(store)] == [("other", 1), ("toy", 1)]


class Frugal(SqlStore):
    """Refuses to read all runs: a project may have thousands."""

    def runs(self, query: RunQuery = RunQuery()):  # noqa: B008  frozen
        assert query.limit is not None
        return super().runs(query)


def test_no_view_of_a_project_or_a_run_reads_every_run(tmp_path):
    with closing(Frugal(tmp_path / "art.db")) as store:
        keep_toy_project(store)
        newest = find_run(store, "toy", "Overfit")
        for text in ("Overfit~1", "overfit", newest.id, newest.id[-6:]):
            assert find_run(store, "toy", text).project == "toy"
        with pytest.raises(ProjectError, match="no run or step"):
            find_run(store, "toy", "nothing")
        steps = ("ExploreData", "EvaluateBaseline", "CheckLossOnInit", "Overfit")
        assert tuple(states(status_of(store, "toy"))) == known_projects(store)[0].steps == steps


# Runs whose process died


def dead_process() -> str:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return str(ProcessId(socket.gethostname(), child.pid))


def test_a_run_whose_process_is_gone_is_shown_as_interrupted(store):
    record = keep_run(store, "A", status=RunStatus.RUNNING, process=dead_process(), heartbeat=datetime.now(UTC))
    assert standing(record) is StepState.INTERRUPTED
    assert states(status_of(store, "toy")) == {"A": "interrupted"}
    assert runs_of(store, RunQuery())[0].state is StepState.INTERRUPTED
    assert view_of(store, record).run.state is StepState.INTERRUPTED


def test_a_run_of_a_living_process_is_running_however_old_its_heartbeat(store):
    record = keep_run(store, "A", status=RunStatus.RUNNING, process=str(ProcessId.current()))
    assert standing(record) is StepState.RUNNING


def test_a_process_number_that_was_given_to_another_process_is_told_apart(store):
    if not ProcessId.current().start:
        pytest.skip("this system does not tell when a process started")
    process = str(ProcessId(socket.gethostname(), os.getpid(), "1"))
    record = keep_run(store, "A", status=RunStatus.RUNNING, process=process, heartbeat=datetime.now(UTC))
    assert standing(record) is StepState.INTERRUPTED


@pytest.mark.parametrize(("silent", "state"), [(59, "running"), (61, "interrupted")])
def test_a_run_on_another_machine_is_dead_once_its_heart_is_silent_for_a_minute(store, silent, state):
    record = keep_run(store, "A", status=RunStatus.RUNNING, process="another|1|1", heartbeat=BEGINNING)
    assert standing(record, BEGINNING + timedelta(seconds=silent)).value == state


def test_a_completed_run_that_nobody_judged_is_not_judged(store):
    keep_run(store, "A", verdicts=None)
    assert states(status_of(store, "toy")) == {"A": "not judged"}


@pytest.fixture
def living():
    """Another process, which lives for as long as the test."""
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield str(ProcessId(socket.gethostname(), child.pid))
    child.communicate()


@pytest.mark.parametrize(("later", "state"), [(1, "running"), (3600, "not judged")])
def test_a_run_that_has_just_ended_is_about_to_be_judged_by_its_process(store, living, later, state):
    record = keep_run(store, "A", verdicts=None, process=living)
    found = status_of(store, "toy", now=record.ended + timedelta(seconds=later))
    assert states(found) == {"A": state}
    assert ("A is running" if later == 1 else "nothing has judged it yet") in found.next


@pytest.mark.parametrize(("later", "running"), [(1, True), (3600, False)])
def test_between_two_steps_of_a_living_process_nobody_is_told_to_start_it(store, living, later, running):
    record = keep_run(store, "A", verdicts=[verdict("a")], process=living)
    plan = Plan(
        "toy", (PlannedStep("A", "A", Action.RECALL, "", run=record.id), PlannedStep("B", "B", Action.RUN, "new"))
    )
    found = status_of(store, "toy", plan, now=record.ended + timedelta(seconds=later))
    assert ("toy is running; A has passed" in found.next) is running
    assert ("type `art run`" in found.next) is not running


# Finding a run


def test_a_run_is_named_by_its_step_its_id_or_a_part_of_it(store):
    keep_toy_project(store)
    older, newer = [run.id for run in store.runs(RunQuery(step="Overfit", descending=False))]
    for text in (newer, "Overfit", "overfit", "Overfit~0", newer[-6:], newer[:15]):
        assert find_run(store, "toy", text).id == newer
    assert find_run(store, "toy", "Overfit~1").id == older


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Overfitt", "(did you mean 'Overfit'?); steps with runs are: CheckLossOnInit, EvaluateBaseline, ExploreData,"),
        ("Overfit~2", "step 'Overfit' has 2 runs, so that Overfit~2 does not exist"),
        ("Overfit~x", "write e.g. Overfit~1"),
        ("2026", "'2026' may mean 5 runs: "),
    ],
)
def test_a_run_that_cannot_be_found_gives_one_sentence(store, text, sentence):
    keep_toy_project(store)
    with pytest.raises(ProjectError) as raised:
        find_run(store, "toy", text)
    assert sentence in str(raised.value)


def test_the_runs_of_another_project_are_not_found(store):
    record = keep_run(store, "A", project="other")
    with pytest.raises(ProjectError):
        find_run(store, "toy", record.id)


def test_the_run_before_is_the_newest_completed_one_of_its_step(store):
    first = keep_run(store, "A", verdicts=[verdict("a")])
    for minute in range(1, 12):
        keep_run(store, "A", minute=minute, status=RunStatus.INTERRUPTED)
    resumed = keep_run(store, "A", minute=12, verdicts=[verdict("a")])
    keep_run(store, "A", minute=13, verdicts=[verdict("a")])
    assert run_before(store, resumed).id == first.id
    with pytest.raises(
        ProjectError, match=f"step 'A' has no completed run before {first.id}, so that there is nothing"
    ):
        run_before(store, first)


# One run, two runs


def test_scores_that_are_called_as_no_metric_is_are_compared_all_the_same(store):
    first, second = (keep_run(store, "A", minute=n, scores={"recall/class 7": 0.5 + n / 10}) for n in (0, 1))
    (change,) = difference(store, first, second).scores
    assert (change.metric, change.difference, change.unlike) == ("recall/class 7", pytest.approx(0.1), "")


def test_a_run_is_shown_with_everything(store):
    keep_toy_project(store)
    view = view_of(store, find_run(store, "toy", "Overfit"))
    assert [row.check for row in view.checks] == ["train/loss < 0.05", "no NaN or infinity"]
    assert view.scores[1].low == pytest.approx(0.9606)
    curve = view.curves[0]
    assert (curve.points, curve.first, curve.highest) == (3, 2.3, 2.3)
    assert curve.last == curve.lowest == pytest.approx(0.0194)
    assert view.lines == 3
    assert isinstance(plain(view), dict)
    assert log_of(store, view.record).lines == ("epoch 0", "epoch 1", "epoch 2")


def test_the_end_of_a_log_is_told_and_goes_on_from_where_it_was_read(store):
    run = keep_run(store, "A", lines=[str(n) for n in range(10)]).id
    tail = tail_of(store, run, 4)
    assert tail == LogTail(6, ("6", "7", "8", "9"))
    assert tail_of(store, run, 4, tail) is tail
    store.append(run, lines=["10"])
    assert tail_of(store, run, 4, tail) == tail_of(store, run, 4) == LogTail(7, ("7", "8", "9", "10"))
    store.append(run, lines=[str(n) for n in range(11, 30)])
    assert tail_of(store, run, 4, tail) == LogTail(26, ("26", "27", "28", "29"))
    other = keep_run(store, "B", minute=1, lines=["a"]).id
    assert tail_of(store, other, 4, tail) == LogTail(0, ("a",))
    assert tail_of(store, "none", 4) == LogTail(0, ())


def test_a_run_that_has_ended_is_shown_as_before_until_it_is_judged_again(store):
    record = keep_run(store, "A", verdicts=[verdict("a")])
    view = view_of(store, record)
    assert view_of(store, record, view) is view
    store.judge(record.id, Judgement((verdict("b"),), view.judgements[0].at, view.judgements[0].state))
    assert [row.check for row in view_of(store, record, view).checks] == ["b"]
    running = keep_run(store, "B", minute=1, status=RunStatus.RUNNING)
    assert view_of(store, running, view_of(store, running)) == view_of(store, running)
    assert view_of(store, running, view).record == running


def test_nan_does_not_hide_the_lowest_value_of_a_curve(store):
    record = keep_run(store, "A", curves={"loss": [2.0, float("nan"), 1.0], "all": [float("nan")]})
    curves = {row.name: row for row in view_of(store, record).curves}
    assert (curves["loss"].lowest, curves["loss"].highest) == (1.0, 2.0)
    assert curves["all"].lowest is None


def test_two_runs_differ_in_hparams_code_versions_scores_and_checks(store):
    keep_toy_project(store)
    found = difference(store, find_run(store, "toy", "Overfit~1"), find_run(store, "toy", "Overfit"))
    assert [str(change) for change in found.fingerprint] == ["hparams.lr: 0.1 -> 0.001", "model: Net.forward changed"]
    assert found.parameters == ()
    assert [str(change) for change in found.versions] == ["numpy: '2.3.0' -> '2.9.0'"]
    assert found.machine == ()
    assert (found.code_before.dirty, found.code_after.dirty, found.files) == (False, True, ("toy/net.py",))
    accuracy = next(row for row in found.scores if row.metric == "validation/accuracy")
    assert accuracy.difference == pytest.approx(0.6706)
    assert (accuracy.better, accuracy.apart) == (True, True)
    loss = next(row for row in found.scores if row.metric == "train/loss")
    assert (loss.better, loss.apart) == (True, None)
    states = [(row.before.state.value, row.after.state.value) for row in found.checks if row.before and row.after]
    assert states == [("failed", "passed"), ("passed", "passed")]


def test_overlapping_intervals_are_told_and_a_missing_score_has_no_difference(store):
    def score(value: float) -> Score:
        return Score(value, Interval(value - 0.1, value + 0.1))

    a = keep_run(store, "A", scores={"x": score(0.5), "old": 1.0})
    b = keep_run(store, "A", minute=1, scores={"x": score(0.6), "new": 1.0})
    found = {row.metric: row for row in difference(store, a, b).scores}
    assert (found["x"].apart, found["x"].better) == (False, None)
    assert (found["old"].after, found["new"].before, found["new"].difference) == (None, None, None)


def test_a_run_does_not_differ_from_itself(store):
    keep_toy_project(store)
    run = find_run(store, "toy", "Overfit")
    found = difference(store, run, run)
    assert (found.fingerprint, found.parameters, found.versions, found.machine, found.files) == ((), (), (), (), ())
    assert all(row.difference == 0 and row.better is None for row in found.scores)


@pytest.mark.parametrize(
    ("component", "metric", "unlike"),
    [
        ("data digest", "validation/accuracy", "on other data"),
        ("data version", "validation/loss", "on other data"),
        ("model: loss", "validation/loss", "of another loss"),
        ("model: loss", "validation/accuracy", ""),
        ("metrics.accuracy", "validation/accuracy", "of another metric"),
        ("hparams.lr", "validation/loss", ""),
    ],
)
def test_scores_that_cannot_be_compared_are_neither_better_nor_worse(store, component, metric, unlike):
    runs = [
        keep_run(store, "A", minute=n, components={component: n}, scores={metric: Score(n / 4, direction="minimize")})
        for n in (1, 2)
    ]
    (row,) = difference(store, *runs).scores
    assert row.difference == 0.25
    assert (row.unlike, row.better) == (unlike, None if unlike else False)


def test_the_loss_of_another_call_is_another_loss(store):
    runs = [
        keep_run(store, "A", minute=minute, scores={"train/loss": Score(0.5, direction="minimize", source=source)})
        for minute, source in enumerate(("cross_entropy call", "mse_loss call"))
    ]
    assert difference(store, *runs).scores[0].unlike == "of another loss"


def test_what_the_fingerprint_says_is_not_said_again(store):
    runs = [
        keep_run(
            store,
            "A",
            minute=n,
            components={"model: optimizer_arguments.lr": n},
            parameters={"model.optimizer_arguments.lr": n, "declarations.note": n},
        )
        for n in (1, 2)
    ]
    found = difference(store, *runs)
    assert [change.component for change in found.parameters] == ["declarations.note"]


def test_a_run_with_very_many_points_is_shown_without_loading_them(tmp_path):
    store = SqlStore(tmp_path / "art.db")
    run = keep_run(store, "Overfit", minute=0, verdicts=[verdict("a")])
    for start in range(0, 100_000, 10_000):
        store.append(run.id, points=[Point("train/loss", step, 0, step % 7) for step in range(start, start + 10_000)])
    tracemalloc.start()
    view = view_of(store, run)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert view.curves == (CurveRow("train/loss", 100_000, 0.0, 99_999 % 7, 0.0, 6.0),)
    assert peak < 1_000_000  # bytes; the points themselves are ten times as many
    store.close()


def test_a_step_whose_setup_is_broken_is_marked_and_keeps_what_is_known_of_it(store):
    keep_run(store, "A", minute=0, verdicts=[verdict("a")])
    broken = PlannedStep("A", "A", Action.RUN, "its setup is broken: no", broken="no")
    never = PlannedStep("B", "B", Action.RUN, "its setup is broken: no", broken="no")
    status = status_of(store, "toy", Plan("toy", (broken, never)), ())
    assert [(row.state.value, row.stale, row.broken) for row in status.steps] == [
        ("passed", False, "no"),
        ("not run", False, "no"),
    ]
    assert status.next == "Next: mend the setup of A and type `art run`."
