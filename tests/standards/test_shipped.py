from dataclasses import replace

import pytest

from art_training.records import Candidate, Outcome, Provenance, Score, StepState, Use, Verdict, VerdictState
from art_training.standards import Met, Record, StepRecord, assess, karpathy, minimal, ml_test_score
from art_training.testing.standards import StandardContract, made_up_record, made_up_step

STEPS = [
    "ExploreData",
    "Diagnose",
    "EvaluateBaseline",
    "CheckLossOnInit",
    "OverfitOneBatch",
    "Overfit",
    "Regularize",
    "Tune",
    "Squeeze",
    "FinalTest",
]
THEORETICAL = Verdict(
    "train/loss = expected_loss", VerdictState.PASSED, "it is", configuration={"check": "LossIsTheoretical"}
)


def accuracy(value: float) -> dict[str, Score]:
    return {"validation/accuracy": Score(value, direction="maximize")}


def recipe(**changed: StepRecord | None) -> Record:
    """A project of the whole recipe that went well."""
    made = {name: made_up_step(name) for name in STEPS}
    candidates = (Candidate("linear", accuracy(0.9)),)
    baselines = Outcome(candidates=candidates, parameters={"by": "validation/accuracy"})
    made["EvaluateBaseline"] = replace(made["EvaluateBaseline"], outcome=baselines)
    made["CheckLossOnInit"] = made_up_step("CheckLossOnInit", checks=[THEORETICAL])
    made["Regularize"] = made_up_step("Regularize", scores=accuracy(0.95), parameters={"step.seeds": 3})
    made["Squeeze"] = made_up_step("Squeeze", scores={**accuracy(0.96), "export_difference": Score(0.0, source="here")})
    made |= {name: one for name, one in changed.items() if one is not None}
    return made_up_record(
        *(one for name, one in made.items() if changed.get(name, one) is not None), uses=(Use("run", "model", "rows"),)
    )


class TestKarpathy(StandardContract):
    standard = karpathy
    meets = (recipe(), recipe(TransferLearning=made_up_step("TransferLearning")))
    fails = (
        *(recipe(**{name: None}) for name in STEPS),
        *(recipe(**{name: made_up_step(name, state=StepState.FAILED)}) for name in STEPS),
        recipe(CheckLossOnInit=made_up_step("CheckLossOnInit")),
        recipe(Regularize=made_up_step("Regularize", parameters={"step.seeds": 2})),
        recipe(Squeeze=made_up_step("Squeeze", scores=accuracy(0.89))),
        replace(recipe(), uses=(Use("1", "m"), Use("2", "m"))),
    )


class TestMinimal(StandardContract):
    standard = minimal
    meets = (recipe(), made_up_record(made_up_step("ExploreData"), made_up_step("OverfitOneBatch")))
    fails = (
        made_up_record(made_up_step("ExploreData")),
        recipe(Tune=made_up_step("Tune", state=StepState.NOT_RUN)),
        recipe(Tune=made_up_step("Tune", scores={"gain": float("nan")})),
    )


class TestMlTestScore(StandardContract):
    standard = ml_test_score
    meets = (recipe(),)
    fails = (recipe(ExploreData=None), made_up_record(made_up_step("Overfit")))


def test_the_score_is_that_of_four_sections_of_seven_tests_and_the_rest_is_named() -> None:
    found = assess(ml_test_score, recipe())
    tests = [one for one in found.answers if one.section]
    assert {section: sum(one.section == section for one in tests) for section in found.sections} == {
        "Data": 7,
        "Model": 7,
        "Infrastructure": 7,
        "Monitoring": 7,
    }
    assert found.sections == {"Data": 0.5, "Model": 1.5, "Infrastructure": 1.5, "Monitoring": 1.0}
    assert found.score == 0.5
    uncovered = [one for one in tests if one.state is Met.NOT_COVERED]
    assert len(uncovered) == 17
    assert all(one.reason for one in uncovered)


def test_code_that_is_in_no_commit_costs_half_a_point_of_the_model() -> None:
    dirty = made_up_step("Overfit", provenance=Provenance())
    assert assess(ml_test_score, recipe(Overfit=dirty)).sections["Model"] == 1.0


@pytest.mark.parametrize("standard", [karpathy, minimal, ml_test_score], ids=lambda one: one.name)
def test_each_says_what_it_is_for(standard: object) -> None:
    assert standard.about.endswith(".")
