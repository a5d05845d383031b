"""What a project's page shows, from its store alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from art_training.records import (
    Action,
    Candidate,
    Change,
    Finding,
    Interval,
    Plan,
    PlannedStep,
    RunStatus,
    Score,
    Severity,
    StepProgress,
    StepState,
)
from art_training.stores.memory import MemoryStore
from art_training.stores.planned import keep_plan
from art_training.stores.progress import keep_progress
from art_training.testing.history import BEGINNING, keep_run, keep_toy_project, verdict
from art_training.views.deciding import Deciding
from art_training.views.status import StepStatus
from art_training.views.timeline import timeline_of

LATER = BEGINNING + timedelta(minutes=30)
BASELINES = [
    Candidate(name, {"validation/accuracy": Score(value, direction="maximize")})
    for name, value in (("dummy", 0.1), ("linear", 0.9))
]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def planned(step: str, action: Action = Action.RECALL, reason: str = "", **more) -> PlannedStep:
    return PlannedStep(step, step, action, reason, **more)


def test_a_project_without_a_plan_shows_what_ran(store):
    keep_toy_project(store)
    found = timeline_of(store, "toy")
    assert [one.status.step for one in found.steps] == ["ExploreData", "EvaluateBaseline", "CheckLossOnInit", "Overfit"]
    assert (found.passed, found.planned, found.left_out, found.running, found.notes) == (4, None, {}, "", ())
    assert found.next.startswith("Next: every step passed")
    assert found.steps[-1].score == Deciding(
        "validation/accuracy",
        0.9806,
        0.9606,
        pytest.approx(0.9916),
        "maximize",
        0.9639,
        "linear",
        pytest.approx(0.0167),
        "better",
    )
    assert [one.score for one in found.steps[:3]] == [None, None, None]


def test_a_project_that_never_ran_shows_its_plan_and_nothing_else(store):
    assert timeline_of(store, "toy").steps == ()
    keep_plan(
        store, Plan("toy", (planned("A", Action.RUN, "new"), planned("B", Action.RUN, "new")), {"Tune": "a space"})
    )
    found = timeline_of(store, "toy")
    assert [(one.status.step, one.status.state.value, one.expected_seconds) for one in found.steps] == [
        ("A", "not run", None),
        ("B", "not run", None),
    ]
    assert found.left_out == {"Tune": "a space"}
    assert found.next == "Next: type `art run`; it begins with A (new)."


def test_one_glance_tells_what_passed_what_failed_why_and_what_to_do(store):
    keep_run(store, "A", verdicts=[verdict("a")], seconds=4.0)
    broken = replace(
        verdict("train/loss < 0.05", "failed", "train/loss is 0.31, not < 0.05"),
        numbers={"value": 0.31},
        configuration={"check": "Below", "metric": "train/loss", "limit": 0.05},
    )
    findings = [
        Finding("ART501", "loss", severity, "m") for severity in (Severity.WARNING, Severity.ERROR, Severity.ERROR)
    ]
    keep_run(store, "B", minute=1, verdicts=[broken], findings=findings, summary="stuck")
    steps = [
        planned("A", seconds=4.0),
        planned("B"),
        planned("C", Action.WAIT, "waits for B, which failed", seconds=60.0),
    ]
    keep_plan(store, Plan("toy", tuple(steps)), at=LATER)
    found = timeline_of(store, "toy")
    assert [one.status.state.value for one in found.steps] == ["passed", "failed", "not run"]
    (check,) = found.steps[1].status.checks
    assert (check.limit.value, check.limit.above, check.limit.below) == (0.31, None, 0.05)
    assert (found.steps[1].status.findings, found.steps[1].status.severities) == (3, {"error": 2, "warning": 1})
    assert found.steps[2].status.waits_for == "B"
    assert [one.expected_seconds for one in found.steps] == [None, None, None]
    assert (
        found.next
        == "Next: B failed `train/loss < 0.05`; nothing that it depends on has changed since, so change the setup "
        "or the check and type `art run` again."
    )
    assert (found.passed, found.planned) == (1, LATER)


def test_a_stale_step_says_why_and_how_long_it_will_take(store):
    keep_run(store, "A", verdicts=[verdict("a")], seconds=4.0)
    stale = planned("A", Action.RUN, "hparams.lr: 0.1 -> 0.2", changes=(Change("hparams.lr", 0.1, 0.2),), seconds=4.0)
    keep_plan(store, Plan("toy", (stale,)), at=LATER)
    (step,) = timeline_of(store, "toy").steps
    assert (step.status.state, step.status.stale, step.status.reason) == (
        StepState.PASSED,
        True,
        "hparams.lr: 0.1 -> 0.2",
    )
    assert step.expected_seconds == 4.0
    assert timeline_of(store, "toy").passed == 0


def test_a_running_step_shows_how_far_it_is(store):
    keep_run(store, "A", verdicts=[verdict("a")], seconds=40.0)
    keep_plan(
        store, Plan("toy", (planned("A", Action.RUN, "forced", seconds=40.0),)), at=BEGINNING + timedelta(minutes=9)
    )
    now = BEGINNING + timedelta(minutes=10, seconds=10)
    run = keep_run(store, "A", minute=10, status=RunStatus.RUNNING, heartbeat=now)
    keep_progress(store, "toy", run.id, StepProgress("A", "fit", 3, 10, fraction=0.3), now)
    found = timeline_of(store, "toy", now)
    (step,) = found.steps
    assert (found.running, step.status.state, step.status.run) == ("A", StepState.RUNNING, run.id)
    assert (step.progress.phase, step.progress.fraction, step.progress.seconds_left) == ("fit", 0.3, 30.0)
    dead = timeline_of(store, "toy", now + timedelta(hours=1))
    assert (dead.steps[0].status.state, dead.steps[0].progress, dead.running) == (StepState.INTERRUPTED, None, "")


def test_a_damaged_plan_and_a_store_with_notes_are_told(store):
    keep_run(store, "A", verdicts=[verdict("a")])
    store.remember("plan:toy", {"at": "never"})
    store.notes = ("it lies on a network file system",)
    found = timeline_of(store, "toy")
    assert found.notes[0] == "it lies on a network file system"
    assert found.notes[1].startswith("the last plan of project 'toy' cannot be read")
    assert [one.status.state.value for one in found.steps] == ["passed"]


def of(kind: str = "Overfit", checks: list[str] | None = None, **scores: Score) -> Deciding | None:
    store = MemoryStore()
    keep_run(store, "EvaluateBaseline", candidates=BASELINES, verdicts=[verdict("a")])
    named = {name.replace("__", "/").replace("_dot_", "."): score for name, score in scores.items()}
    keep_run(store, "S", kind=kind, minute=1, scores=named, verdicts=[verdict(one) for one in checks or ["x"]])
    return timeline_of(store, "toy").steps[-1].score


def up(value: float, **more) -> Score:
    return Score(value, direction="maximize", **more)


def test_the_deciding_score_is_what_a_check_compares_else_of_validation_and_no_loss():
    down = Score(0.2, direction="minimize")
    assert of(validation__loss=down, validation__accuracy=up(0.8)).metric == "validation/accuracy"
    assert of(validation__f1=up(0.7), validation__accuracy=up(0.8)).metric == "validation/f1"
    beats = "validation/accuracy beats the best baseline"
    assert of(checks=[beats], validation__f1=up(0.7), validation__accuracy=up(0.8)).metric == "validation/accuracy"
    assert of(train__accuracy=up(1.0), validation__loss=down).metric == "validation/loss"
    assert of(train__accuracy=up(1.0)).metric == "train/accuracy"
    assert of(validation__accuracy_dot_cat=up(0.7)) is None
    assert of("OverfitOneBatch", train__loss=down) is None
    assert of(odd__name__twice=up(0.7)) is None


@pytest.mark.parametrize(("value", "compared"), [(0.95, "better"), (0.9, "equal"), (0.5, "worse"), (float("nan"), "")])
def test_a_score_says_how_it_compares_with_the_best_baseline(value, compared):
    found = of(validation__accuracy=up(value))
    assert (found.baseline, found.baseline_name, found.compared) == (0.9, "linear", compared)


def test_a_final_test_is_compared_on_the_test_split():
    found = of(
        "FinalTest",
        validation__accuracy=up(0.99),
        test__accuracy=up(0.8, interval=Interval(0.7, 0.9)),
        test__baseline_dot_accuracy=up(0.6, source="baseline linear"),
    )
    assert (found.metric, found.value, found.low, found.baseline, found.baseline_name) == (
        "test/accuracy",
        0.8,
        0.7,
        0.6,
        "linear",
    )
    assert of("FinalTest", validation__accuracy=up(0.99)) is None


def test_a_step_that_waits_has_no_score_to_show():
    assert Deciding.of(StepStatus("A", "Overfit", StepState.NOT_RUN, waits_for="B")) is None


def test_no_step_before_the_last_success_looks_passed_that_did_not_pass(store):
    keep_run(store, "B", minute=1, verdicts=[verdict("b", "failed")])
    keep_run(store, "D", minute=0, verdicts=[verdict("d")])
    steps = [planned("A", Action.RUN, "new"), planned("B"), planned("C", Action.RUN, "new"), planned("D")]
    keep_plan(store, Plan("toy", tuple(steps)), at=LATER)
    found = timeline_of(store, "toy")
    assert [one.status.state.value for one in found.steps] == ["not run", "failed", "not run", "not run"]
    assert [one.status.waits_for for one in found.steps] == ["", "", "B", "B"]
    assert found.passed == 0


def test_a_difference_within_overlapping_intervals_is_maybe_chance(store):
    def scored(value: float, low: float, high: float) -> Score:
        return Score(value, Interval(low, high), rows=100, direction="maximize")

    for minute, baseline, apart in ((0, scored(0.98, 0.94, 0.99), False), (10, scored(0.90, 0.85, 0.94), True)):
        linear = Candidate("linear", {"validation/accuracy": baseline})
        keep_run(store, "EvaluateBaseline", minute=minute, candidates=[linear], verdicts=[verdict("a")])
        own = {"validation/accuracy": scored(0.99, 0.95, 0.998)}
        keep_run(store, "Overfit", minute=minute + 1, scores=own, verdicts=[verdict("a")])
        score = timeline_of(store, "toy").steps[-1].score
        assert (score.compared, score.apart) == ("better", apart)


def test_a_name_that_the_store_does_not_have_is_told_beside_those_that_it_has(store):
    keep_run(store, "A")
    found = timeline_of(store, "nope")
    assert found.next == f"project 'nope' has no runs in {store.location}; it holds: toy"
