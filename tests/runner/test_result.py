"""What a result says, as text and as HTML."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from art_training.records import (
    Finding,
    Fingerprint,
    Judgement,
    Outcome,
    RunRecord,
    Severity,
    StepState,
    Verdict,
    VerdictState,
)
from art_training.runner.advice import next_sentence
from art_training.runner.result import ProjectResult, StepResult

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def step(name: str, *states: VerdictState, reason: str = "loss is <0.5>", recalled: bool = False) -> StepResult:
    verdicts = tuple(Verdict(f"check {index}", state, reason) for index, state in enumerate(states))
    run = RunRecord("1", "p", name, "Overfit", Fingerprint(), 0, NOW, ended=NOW + timedelta(seconds=2))
    worst = next((s for s in states if s is not VerdictState.PASSED), VerdictState.PASSED)
    return StepResult(
        name, "Overfit", StepState(worst.value), run, None, Judgement(verdicts, NOW, StepState.PASSED), recalled
    )


NOT_RUN = StepResult("later", "Overfit", StepState.NOT_RUN)


NOT_ASKED = StepResult("first", "ExploreData", StepState.NOT_RUN, note="not asked for", asked=False)


def result(*steps: StepResult) -> ProjectResult:
    return ProjectResult("p", steps, next_sentence("p", steps))


def test_every_check_is_in_the_table_with_its_numbers() -> None:
    text = str(result(step("a", VerdictState.PASSED, VerdictState.FAILED), NOT_RUN))
    assert text.count("loss is <0.5>") == 2  # the sentence about what to do names the check alone
    assert "✗ check 1: loss is <0.5>" in text
    assert "2.0 s" in text
    assert "not run" in text


def test_a_result_without_steps_has_not_passed() -> None:
    assert not result().passed
    assert result().state is StepState.UNCHECKED


def test_a_failed_step_never_looks_passed_nor_do_the_steps_after_it() -> None:
    told = result(step("a", VerdictState.FAILED), NOT_RUN)
    assert not told.passed
    assert told.state is StepState.FAILED
    assert "passed" not in str(told)


def test_html_shows_what_steps_say_as_text() -> None:
    assert "<0.5>" not in result(step("a", VerdictState.FAILED))._repr_html_()


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ((), "no steps yet"),
        ((step("a", VerdictState.PASSED),), "every step passed"),
        ((step("a", VerdictState.PASSED), NOT_RUN), "later has not run yet"),
        ((step("a", VerdictState.FAILED), NOT_RUN), "a failed `check 0`; change the setup"),
        ((step("a", VerdictState.FAILED, recalled=True),), "nothing that it depends on has changed"),
        ((step("a", VerdictState.ERRORED),), "could not be judged"),
        (
            (step("a", VerdictState.ERRORED, reason="f1 is odd: it; raised."),),
            "by `check 0`: f1 is odd; mend it",
        ),
        ((step("a", VerdictState.NOT_JUDGED),), "could not be judged"),
        ((NOT_ASKED, step("a", VerdictState.PASSED)), "a passed; type `art run` for the others too"),
        ((NOT_ASKED, step("a", VerdictState.FAILED)), "a failed"),
        ((StepResult("a", "Overfit", StepState.UNCHECKED),), "no check asked"),
        ((StepResult("a", "Overfit", StepState.INTERRUPTED),), "go on from what it saved last, as a training's last"),
        ((StepResult("a", "Diagnose", StepState.INTERRUPTED),), "a was interrupted; type `art run` to run it again."),
    ],
)
def test_the_next_thing_to_do_is_one_sentence(steps, says) -> None:
    sentence = next_sentence("p", steps)
    assert says in sentence
    assert "\n" not in sentence


def found(kind: str, state: VerdictState, *findings: Finding) -> StepResult:
    one = step(kind, state)
    return replace(one, kind=kind, outcome=Outcome(findings=findings))


REMARK = Finding("ART700", "metrics", Severity.INFO, "rows are few")
WARNING = Finding("ART804", "transfer", Severity.WARNING, "no better than linear", remedy="use linear")
ERROR = Finding("ART402", "loss", Severity.ERROR, "probabilities enter the loss", remedy="remove the softmax")


def test_what_a_look_at_data_or_setup_found_is_what_is_to_be_mended() -> None:
    sentence = next_sentence("p", [found("Diagnose", VerdictState.FAILED, REMARK, WARNING, ERROR)])
    assert sentence == (
        "Next: Diagnose found ART402: probabilities enter the loss (and 1 other finding; `art show Diagnose`); "
        "remove the softmax, and type `art run` again."
    )
    assert "failed `check 0`" in next_sentence("p", [found("Diagnose", VerdictState.FAILED, REMARK)])
    assert "failed `check 0`" in next_sentence("p", [found("Overfit", VerdictState.FAILED, ERROR)])


def test_a_project_that_passed_says_what_it_was_warned_of() -> None:
    sentence = next_sentence(
        "p", [found("Overfit", VerdictState.PASSED, REMARK), found("FinalTest", VerdictState.PASSED, WARNING)]
    )
    assert sentence == (
        "Next: every step passed, but FinalTest warns: no better than linear; look at the evidence with `art show FinalTest`; "
        "the recipe is complete."
    )


def test_an_unknown_step_names_those_there_are() -> None:
    with pytest.raises(KeyError, match="it has: a"):
        result(step("a", VerdictState.PASSED))["z"]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_result_fits_the_terminal_and_keeps_the_titles_of_its_checks(monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    told = result(step("a", VerdictState.FAILED, reason="words " * 40), NOT_RUN)
    assert max(map(len, str(told).splitlines())) <= columns
    assert "check 0:" in str(told)
