from dataclasses import replace
from datetime import timedelta

import pytest

from art_training.errors import UsageError
from art_training.records import Candidate, Provenance, Score, Severity, Use
from art_training.standards import (
    BetterThanBaseline,
    CodeCommitted,
    FindingRecord,
    FindingsSettled,
    Finite,
    Met,
    NothingUnknown,
    SlicesScored,
    TestUsedAtMost,
    YoungerThan,
)
from art_training.testing.standards import MADE, made_up_record, made_up_step

COMMIT = "1f3a" * 10


def found(severity: str = "warning", state: str = "open", code: str = "ART804") -> FindingRecord:
    return FindingRecord(code, Severity(severity), "FinalTest", "the gain is -0.02", state, reason="no batch")


@pytest.mark.parametrize(
    ("provenance", "told"),
    [
        (Provenance(), "no git repository"),
        (Provenance(git_commit=COMMIT, git_dirty=True), "tracked files differed from 1f3a1f3a1f3a"),
        (Provenance(git_commit=COMMIT, git_diff="untracked files:\n  net.py\n  .art/\n"), "not in git: net.py"),
    ],
)
def test_code_that_is_in_no_commit_is_not_committed(provenance: Provenance, told: str) -> None:
    answer = CodeCommitted().judge(made_up_record(made_up_step("A"), made_up_step("B", provenance=provenance)))
    assert answer.state is Met.NOT_MET
    assert "B: " in answer.reason
    assert told in answer.reason


def test_files_that_are_no_code_may_lie_beside_the_commit() -> None:
    clean = Provenance(git_commit=COMMIT, git_diff="untracked files:\n  .art/\n  notes.txt\n")
    assert CodeCommitted().judge(made_up_record(made_up_step("A", provenance=clean))).state is Met.MET


def test_uses_of_the_test_split_are_counted() -> None:
    uses = (Use("1", "m"), Use("2", "m"))
    answer = TestUsedAtMost(1).judge(made_up_record(made_up_step("FinalTest"), uses=uses))
    assert (answer.state, answer.reason) == (
        Met.NOT_MET,
        "the test split was used 2 times, for 1 model, not 1 or fewer",
    )
    assert TestUsedAtMost(2).judge(made_up_record(uses=uses)).state is Met.MET
    assert TestUsedAtMost(0).judge(made_up_record()).state is Met.MET


def test_what_is_not_known_is_told() -> None:
    step = replace(made_up_step("A"), unknown=("data: no digest",))
    answer = NothingUnknown().judge(made_up_record(step))
    assert (answer.state, answer.reason) == (Met.NOT_MET, "not known: data: no digest")
    assert NothingUnknown().judge(made_up_record(made_up_step("A"))).state is Met.MET


def test_the_oldest_run_says_how_old_a_record_is() -> None:
    record = made_up_record(made_up_step("A"), at=MADE + timedelta(days=30, seconds=1))
    assert YoungerThan(31).judge(record).state is Met.MET
    assert YoungerThan(30).judge(record).state is Met.NOT_MET


@pytest.mark.parametrize(
    ("asked", "severity", "state", "met"),
    [
        ("warning", "warning", "open", Met.NOT_MET),
        ("warning", "error", "open", Met.NOT_MET),
        ("warning", "info", "open", Met.MET),
        ("error", "warning", "open", Met.MET),
        ("info", "info", "open", Met.NOT_MET),
        ("warning", "warning", "settled", Met.MET),
        ("warning", "warning", "not judged", Met.NOT_MET),
    ],
)
def test_findings_down_to_a_severity_must_be_settled(asked: str, severity: str, state: str, met: Met) -> None:
    record = made_up_record(made_up_step("FinalTest"), findings=(found(severity, state),))
    answer = FindingsSettled(asked).judge(record)
    assert answer.state is met
    assert [part.key for part in answer.parts] == (["FinalTest: ART804"] if met is Met.NOT_MET else [])


def test_reasons_to_ignore_are_counted() -> None:
    record = made_up_record(made_up_step("Diagnose"), ignored={"Diagnose": {"ART101": "on purpose"}})
    assert "1 ignored with a reason" in FindingsSettled().judge(record).reason


def test_a_number_that_is_none_is_found_wherever_it_is() -> None:
    right, wrong = made_up_step("A", scores={"x": 1.0}), made_up_step("B", scores={"x": float("inf")})
    assert Finite().judge(made_up_record(right)).state is Met.MET
    assert "B: x is inf" in Finite().judge(made_up_record(right, wrong)).reason


def baselines(reached: float) -> object:
    score = {"validation/accuracy": Score(reached, direction="maximize")}
    named = {"by": "validation/accuracy"}
    step = made_up_step("EvaluateBaseline", candidates=(Candidate("linear", score),))
    return replace(step, outcome=replace(step.outcome, parameters=named))


@pytest.mark.parametrize(("reached", "met"), [(0.9, Met.MET), (0.95, Met.NOT_MET), (0.97, Met.NOT_MET)])
def test_the_last_model_is_compared_with_the_best_baseline(reached: float, met: Met) -> None:
    model = made_up_step("Overfit", scores={"validation/accuracy": Score(0.95, direction="maximize")})
    later = made_up_step("FinalTest", scores={"test/accuracy": 0.5})
    assert BetterThanBaseline().judge(made_up_record(baselines(reached), model, later)).state is met


def test_without_a_baseline_nothing_is_better_than_one() -> None:
    model = made_up_step("Overfit", scores={"validation/accuracy": 0.95})
    assert BetterThanBaseline().judge(made_up_record(model)).state is Met.NOT_MET
    assert BetterThanBaseline().judge(made_up_record(baselines(0.1))).state is Met.NOT_JUDGED


def test_slices_are_found_by_their_scores() -> None:
    scores = {"test:dark/accuracy": 0.9, "test:dark/loss": 0.1, "test:far/accuracy": 0.8, "test/accuracy": 0.9}
    answer = SlicesScored().judge(made_up_record(made_up_step("FinalTest", scores=scores)))
    assert (answer.state, answer.reason) == (Met.MET, "2 slices of the test split scored: dark, far")
    assert SlicesScored().judge(made_up_record(made_up_step("FinalTest"))).state is Met.NOT_MET


@pytest.mark.parametrize(
    "requirement", [CodeCommitted(), NothingUnknown(), YoungerThan(1), FindingsSettled(), Finite()]
)
def test_where_nothing_ran_there_is_nothing_to_judge(requirement: object) -> None:
    assert requirement.judge(made_up_record()).state is Met.NOT_JUDGED


@pytest.mark.parametrize(
    "wrong", [lambda: FindingsSettled("bad"), lambda: TestUsedAtMost(-1), lambda: YoungerThan(0.5)]
)
def test_what_cannot_be_asked_is_refused_when_it_is_declared(wrong: object) -> None:
    with pytest.raises(UsageError, match=r"; give "):
        wrong()
