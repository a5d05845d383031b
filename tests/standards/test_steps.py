import pytest

from art_training.checks import Above, LossDecreases, NoNaN
from art_training.errors import UsageError
from art_training.records import Curve, Score, StepState, Verdict, VerdictState
from art_training.standards import (
    CheckAsked,
    CheckPasses,
    EveryStepPassed,
    Met,
    Repeatable,
    Requirement,
    Seeds,
    StepPassed,
)
from art_training.testing.standards import made_up_record, made_up_step

FAILED = Verdict("train/loss < 0.05", VerdictState.FAILED, "train/loss is 0.2, not < 0.05")
WORKED = Verdict("no NaN or infinity", VerdictState.PASSED, "all finite")


def state(requirement: Requirement, *steps: object) -> Met:
    return requirement.judge(made_up_record(*steps)).state


def test_a_step_is_known_by_its_class_and_every_one_of_the_class_must_pass() -> None:
    first, second = made_up_step("Overfit"), made_up_step("Overfit", name="Pretrain", state=StepState.FAILED)
    assert state(StepPassed("Overfit"), first) is Met.MET
    assert state(StepPassed("Overfit"), first, second) is Met.NOT_MET
    assert state(StepPassed("Pretrain"), first, made_up_step("Overfit", name="Pretrain")) is Met.MET


def test_a_name_that_another_class_goes_by_does_not_stand_in_for_the_class() -> None:
    own = made_up_step("Anything", name="Overfit")
    assert state(StepPassed("Overfit"), own, made_up_step("Overfit", name="B", state=StepState.FAILED)) is Met.NOT_MET


def test_a_missing_step_tells_those_that_there_are_and_the_one_that_may_be_meant() -> None:
    answer = StepPassed("Overfitt").judge(made_up_record(made_up_step("ExploreData"), made_up_step("Overfit")))
    assert answer.reason == "there is no step 'Overfitt' (did you mean 'Overfit'?); there are: ExploreData, Overfit"


@pytest.mark.parametrize(
    "wrong",
    [
        StepState.FAILED,
        StepState.ERRORED,
        StepState.NOT_JUDGED,
        StepState.UNCHECKED,
        StepState.INTERRUPTED,
        StepState.RUNNING,
        StepState.NOT_RUN,
    ],
)
def test_nothing_but_passed_is_passed(wrong: StepState) -> None:
    step = made_up_step("Overfit", state=wrong)
    assert state(StepPassed("Overfit"), step) is Met.NOT_MET
    assert state(EveryStepPassed(), made_up_step("ExploreData"), step) is Met.NOT_MET


def test_failed_checks_are_told_apart_where_they_alone_failed_the_step() -> None:
    failed = made_up_step("Overfit", state=StepState.FAILED, checks=[FAILED, WORKED])
    assert [part.key for part in StepPassed("Overfit").judge(made_up_record(failed)).parts] == [
        "Overfit: train/loss < 0.05"
    ]
    not_run = made_up_step("Tune", state=StepState.NOT_RUN)
    assert EveryStepPassed().judge(made_up_record(failed, not_run)).parts == ()


def test_a_step_whose_checks_changed_has_not_passed() -> None:
    from dataclasses import replace

    step = replace(made_up_step("Overfit"), judge_again=True, judgement=None)
    assert state(StepPassed("Overfit"), step) is Met.NOT_MET


def test_a_check_of_the_standards_own_is_asked_whatever_the_project_asks() -> None:
    asked = CheckPasses("FinalTest", Above("test/accuracy", 0.9))
    assert asked.key == "FinalTest: test/accuracy > 0.9"
    assert state(asked, made_up_step("FinalTest", scores={"test/accuracy": 0.95})) is Met.MET
    assert state(asked, made_up_step("FinalTest", scores={"test/accuracy": 0.85})) is Met.NOT_MET
    assert state(asked, made_up_step("FinalTest", scores={"test/accuracy": float("nan")})) is Met.NOT_MET
    assert state(asked, made_up_step("FinalTest", scores={"test/f1": 1.0})) is Met.NOT_JUDGED
    assert state(asked, made_up_step("FinalTest", state=StepState.NOT_RUN)) is Met.NOT_MET
    assert state(asked, made_up_step("Overfit")) is Met.NOT_MET


def test_a_check_sees_the_curves_of_its_step() -> None:
    curves = {"train/loss": Curve((0, 1), (2.0, 0.1))}
    falls = made_up_step("Overfit", curves=curves, scores={"train/loss": 0.1})
    assert state(CheckPasses("Overfit", LossDecreases("train/loss")), falls) is Met.MET
    ends = made_up_step("Overfit", curves={"train/loss": Curve((0,), (float("nan"),))})
    assert state(CheckPasses("Overfit", NoNaN()), ends) is Met.NOT_MET


def test_a_question_that_the_project_took_away_is_missed() -> None:
    asked = CheckAsked("CheckLossOnInit", "LossIsTheoretical")
    told = {"check": "LossIsTheoretical", "tolerance": 0.9}
    right = Verdict("train/loss = expected_loss", VerdictState.PASSED, "it is", configuration=told)
    wrong = Verdict("train/loss = expected_loss", VerdictState.FAILED, "it is not", configuration=told)
    assert state(asked, made_up_step("CheckLossOnInit", checks=[right])) is Met.MET
    assert state(asked, made_up_step("CheckLossOnInit", checks=[WORKED])) is Met.NOT_MET
    assert state(asked, made_up_step("CheckLossOnInit", checks=[wrong], state=StepState.FAILED)) is Met.NOT_MET


@pytest.mark.parametrize(
    ("step", "seeds"),
    [
        (made_up_step("Regularize", parameters={"step.seeds": 4}), 4),
        (made_up_step("Tune", parameters={"step.seeds_for_winner": 2}), 2),
        (made_up_step("Squeeze", parameters={"step.ensemble": 5, "step.of": ""}), 5),
        (made_up_step("Squeeze", parameters={"step.ensemble": 5, "step.of": "Tune"}), 0),
        (made_up_step("Own", parameters={"seeds": True}), 0),
        (made_up_step("Overfit"), 0),
    ],
)
def test_seeds_are_those_that_steps_say_they_trained_one_setup_under(step: object, seeds: int) -> None:
    assert state(Seeds(max(seeds, 1)), step) is (Met.MET if seeds else Met.NOT_MET)
    assert state(Seeds(seeds + 1), step) is Met.NOT_MET


def test_repeating_bit_by_bit_is_what_counts_as_repeatable() -> None:
    assert state(Repeatable(), made_up_step("OverfitOneBatch", scores={"differing_tensors": Score(0.0)})) is Met.MET
    assert state(Repeatable(), made_up_step("OverfitOneBatch", scores={"differing_tensors": Score(2.0)})) is Met.NOT_MET
    assert state(Repeatable(), made_up_step("OverfitOneBatch")) is Met.NOT_MET


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: StepPassed(""),
        lambda: StepPassed(3),
        lambda: CheckPasses("FinalTest", "test/accuracy > 0.9"),
        lambda: CheckAsked("FinalTest", ""),
        lambda: Seeds(0),
        lambda: Seeds(True),
    ],
)
def test_what_cannot_be_asked_is_refused_when_it_is_declared(wrong: object) -> None:
    with pytest.raises(UsageError, match=r"; give "):
        wrong()
