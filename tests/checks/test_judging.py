"""Checks about losses, baselines, gaps and finiteness: what they say besides yes and no."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.checks import (
    BeatsBaseline,
    Below,
    Evidence,
    GeneralizationGap,
    LossDecreases,
    LossIsTheoretical,
    NoNaN,
    judge,
)
from art_training.errors import CheckError
from art_training.records import (
    Candidate,
    Curve,
    Direction,
    Finding,
    Interval,
    Outcome,
    Reading,
    Score,
    Severity,
    VerdictState,
)


def baseline_step(**reached: Score) -> Outcome:
    return Outcome(candidates=tuple(Candidate(name, {"validation/accuracy": score}) for name, score in reached.items()))


def overfit(score: Score, **earlier: Outcome) -> Evidence:
    return Evidence("Overfit", Outcome(scores={"validation/accuracy": score}), earlier)


def test_the_reason_shows_both_numbers_with_their_intervals():
    mine = Score(0.9722, Interval(0.9496, 0.9847), rows=360, direction="maximize")
    theirs = Score(0.9694, Interval(0.946, 0.983), direction="maximize")
    judged = judge(BeatsBaseline("validation/accuracy"), overfit(mine, EvaluateBaseline=baseline_step(boosting=theirs)))
    assert judged.state is VerdictState.PASSED
    assert judged.reason == (
        "validation/accuracy is 0.9722 [0.9496, 0.9847], above boosting's 0.9694 [0.946, 0.983] (EvaluateBaseline); "
        "the intervals overlap, so that it may be chance"
    )
    assert judged.numbers["baseline"] == "boosting"
    assert judged.numbers["baseline_value"] == 0.9694


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Score(0.95, Interval(0.94, 0.96), direction="maximize"), Score(0.9, Interval(0.88, 0.93))),
        (Score(0.1, Interval(0.05, 0.15), direction="minimize"), Score(0.3, Interval(0.2, 0.4))),
        (Score(0.95, direction="maximize"), Score(0.94, Interval(0.9, 0.97))),
    ],
)
def test_a_gain_whose_intervals_are_apart_or_not_known_is_not_called_chance(mine: Score, theirs: Score):
    judged = judge(BeatsBaseline("validation/accuracy"), overfit(mine, EvaluateBaseline=baseline_step(linear=theirs)))
    assert judged.state is VerdictState.PASSED
    assert judged.reason.endswith("(EvaluateBaseline)")


@pytest.mark.parametrize("mine", [0.9694, 0.9694 + 5e-8, 0.9694 - 5e-8])
@pytest.mark.parametrize("way", ["maximize", "minimize"])
def test_a_tie_is_told_as_one_and_does_not_pass_however_it_was_rounded(mine: float, way: Direction):
    theirs = baseline_step(boosting=Score(0.9694, Interval(0.946, 0.983), direction=way))
    judged = judge(BeatsBaseline("validation/accuracy"), overfit(Score(mine), EvaluateBaseline=theirs))
    assert judged.state is VerdictState.FAILED
    assert judged.reason == ("validation/accuracy is 0.9694, as is boosting's (EvaluateBaseline): a tie, and no better")


def test_a_gain_of_just_the_margin_is_not_above_it_however_it_was_rounded():
    earlier = baseline_step(linear=Score(0.75, direction="maximize"))
    judged = judge(BeatsBaseline("validation/accuracy", margin=0.05), overfit(Score(0.8), EvaluateBaseline=earlier))
    assert 0.8 - 0.75 > 0.05
    assert judged.state is VerdictState.FAILED


def test_without_a_baseline_it_is_not_judged_and_says_which_step_to_add():
    judged = judge(BeatsBaseline("validation/accuracy"), overfit(Score(1.0, direction="maximize")))
    assert judged.state is VerdictState.NOT_JUDGED
    assert judged.reason == "there is no baseline before this one; add the step EvaluateBaseline() before Overfit"


def test_baselines_without_this_metric_say_what_they_have():
    others = Outcome(candidates=(Candidate("dummy", {"validation/f1": Score(0.1)}),))
    judged = judge(BeatsBaseline("validation/accuracy"), overfit(Score(1.0), EvaluateBaseline=others))
    assert judged.state is VerdictState.NOT_JUDGED
    assert "EvaluateBaseline has a number for validation/accuracy; they have: validation/f1" in judged.reason


def test_an_unknown_baseline_is_errored_and_names_those_that_exist():
    earlier = baseline_step(dummy=Score(0.1, direction="maximize"), linear=Score(0.9))
    judged = judge(BeatsBaseline("validation/accuracy", "lineal"), overfit(Score(1.0), EvaluateBaseline=earlier))
    assert judged.state is VerdictState.ERRORED
    assert "no baseline is called 'lineal'; those with validation/accuracy are: dummy, linear" in judged.reason


def test_the_best_baseline_is_the_smallest_where_smaller_is_better():
    earlier = baseline_step(mean=Score(5.0, direction="minimize"), linear=Score(2.0, direction="minimize"))
    judged = judge(BeatsBaseline("validation/accuracy"), overfit(Score(3.0), EvaluateBaseline=earlier))
    assert judged.state is VerdictState.FAILED
    assert judged.numbers["baseline"] == "linear"
    assert judged.reason == "validation/accuracy is 3, not below linear's 2 (EvaluateBaseline)"


def test_a_gain_that_is_too_small_is_told_beside_the_margin():
    earlier = baseline_step(linear=Score(0.9, direction="maximize"))
    judged = judge(BeatsBaseline("validation/accuracy", margin=0.05), overfit(Score(0.92), EvaluateBaseline=earlier))
    assert judged.reason == (
        "validation/accuracy is 0.92, above linear's 0.9 (EvaluateBaseline), but the gain of 0.02 is not above 0.05"
    )


@pytest.mark.parametrize("check", [BeatsBaseline("validation/accuracy"), GeneralizationGap("accuracy", 0.1)])
def test_an_unknown_direction_is_errored_and_says_how_to_declare_it(check):
    scores = {"validation/accuracy": Score(0.9), "train/accuracy": Score(0.9)}
    earlier = {"EvaluateBaseline": baseline_step(dummy=Score(0.1))}
    judged = judge(check, Evidence("Overfit", Outcome(scores=scores), earlier))
    assert judged.state is VerdictState.ERRORED
    assert f"declare it: {type(check).__name__}('validation/accuracy', ..., direction='maximize')" in judged.reason


def test_the_best_baseline_is_none_of_the_candidates_that_a_search_or_a_squeeze_compared():
    good = Score(0.9, direction="maximize")
    earlier = {"EvaluateBaseline": baseline_step(dummy=Score(0.1)), "Squeeze": baseline_step(ensemble=good)}
    evidence = overfit(Score(0.5, direction="maximize"), **earlier)
    judged = judge(BeatsBaseline("validation/accuracy"), evidence)
    assert judged.state is VerdictState.PASSED
    assert judged.numbers["baseline"] == "dummy"
    for meant in ({"step": "Squeeze"}, {"baseline": "ensemble"}):
        judged = judge(BeatsBaseline("validation/accuracy", **meant), evidence)
        assert (judged.state, judged.numbers["baseline"]) == (VerdictState.FAILED, "ensemble")
    alone = judge(BeatsBaseline("validation/accuracy"), overfit(Score(0.5), Squeeze=baseline_step(ensemble=good)))
    assert alone.state is VerdictState.NOT_JUDGED
    assert (
        "add the step EvaluateBaseline() before Overfit, or name the step whose candidates are meant: step='Squeeze'"
        in (alone.reason)
    )


def test_baselines_of_several_steps_count_unless_one_is_named():
    good = Score(0.9, direction="maximize")
    earlier = {"EvaluateBaseline": baseline_step(dummy=Score(0.1)), "Zeroed": baseline_step(zeroed=good)}
    kinds = dict.fromkeys(earlier, "EvaluateBaseline")
    evidence = replace(overfit(Score(0.5, direction="maximize"), **earlier), kinds=kinds)
    assert judge(BeatsBaseline("validation/accuracy"), evidence).state is VerdictState.FAILED
    named = BeatsBaseline("validation/accuracy", step="EvaluateBaseline")
    assert judge(named, evidence).state is VerdictState.PASSED


def test_the_expected_loss_that_nobody_derived_is_not_judged_with_the_note():
    readings = (Reading("expected_loss", None, note="the loss focal_loss has no known expectation"),)
    evidence = Evidence("CheckLossOnInit", Outcome(scores={"train/loss": Score(2.0)}, readings=readings))
    judged = judge(LossIsTheoretical(), evidence)
    assert judged.state is VerdictState.NOT_JUDGED
    assert judged.reason == "the expected loss is not known: the loss focal_loss has no known expectation"


def test_a_score_that_the_step_knows_nothing_of_is_not_judged_with_the_note():
    outcome = Outcome(scores={"train/loss": Score(0.0)}, readings=(Reading("loss_share", None, note="all is zero"),))
    judged = judge(Below("loss_share", 0.1), Evidence("OverfitOneBatch", outcome))
    assert judged.state is VerdictState.NOT_JUDGED
    assert judged.reason == "loss_share is not known: all is zero"


def test_a_score_or_loss_that_fails_names_the_remedy_of_its_step():
    readings = (Reading("remedy", "smaller weights"), Reading("remedy for loss_share", "more steps"))
    scores = {"loss_share": Score(0.3), "train/loss": Score(9.0), "expected_loss": Score(1.0)}
    evidence = Evidence("OverfitOneBatch", Outcome(scores=scores, readings=readings))
    assert judge(Below("loss_share", 0.1), evidence).reason == "loss_share is 0.3, not < 0.1; more steps"
    assert judge(Below("train/loss", 0.1), evidence).reason == "train/loss is 9, not < 0.1"
    assert judge(Below("loss_share", 0.5), evidence).reason == "loss_share is 0.3, < 0.5"
    assert judge(LossIsTheoretical(), evidence).reason.endswith("at most 20% is allowed; smaller weights")
    low = replace(evidence, outcome=replace(evidence.outcome, scores=scores | {"train/loss": Score(0.1)}))
    assert "smaller weights" not in judge(LossIsTheoretical(), low).reason
    assert "if they are pretrained, declare" in judge(LossIsTheoretical(), low).reason


def test_a_loss_far_from_theory_says_how_far():
    scores = {"train/loss": Score(4.605, Interval(4.5, 4.7)), "expected_loss": Score(2.3025)}
    judged = judge(LossIsTheoretical(), Evidence("CheckLossOnInit", Outcome(scores=scores)))
    assert (
        judged.reason == "train/loss is 4.605 [4.5, 4.7] where 2.303 is expected: 100% off, and at most 20% is allowed"
    )


def test_a_curve_that_is_missing_is_errored_and_names_those_that_exist():
    judged = judge(LossDecreases("train/los"), Evidence("Overfit", Outcome(curves={"train/loss": Curve((0,), (1.0,))})))
    assert judged.state is VerdictState.ERRORED
    assert judged.reason == "no curve 'train/los' in this outcome; it has: train/loss"


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=50), st.floats(0.05, 1.0))
def test_a_curve_and_its_reverse_never_both_decrease(values: list[float], factor: float):
    def decreases(points: list[float]) -> bool:
        curve = Curve(tuple(range(len(points))), tuple(points))
        check = LossDecreases(factor=factor)
        return judge(check, Evidence("x", Outcome(curves={"train/loss": curve}))).state is VerdictState.PASSED

    assert not (decreases(values) and decreases(values[::-1]))


def test_everything_that_is_not_finite_is_named():
    outcome = Outcome(
        scores={"train/loss": Score(math.nan), "train/accuracy": Score(0.1)},
        curves={"train/loss": Curve((0, 1), (1.0, math.inf)), "empty": Curve((), ())},
        stopped="loss is not finite",
    )
    judged = judge(NoNaN(), Evidence("Overfit", outcome))
    assert judged.reason == (
        "training stopped because the loss is not finite; train/loss is nan; the end of curve train/loss is inf"
    )


def test_metrics_that_could_not_be_computed_fail_with_one_sentence_for_all_that_have_the_same_reason():
    def missing(metric: str, why: str = "it raised") -> Finding:
        said = f"{metric} could not be computed: {why}"
        return Finding("ART703", "metrics", Severity.ERROR, said, {"metric": metric}, "choose another")

    names = ("train/acc", "validation/acc", "train/acc", "train/loss")
    findings = (*map(missing, names), missing("train/f1", "no targets"))
    judged = judge(NoNaN(), Evidence("Overfit", Outcome(scores={"train/loss": Score(1.0)}, findings=findings)))
    assert judged.state is VerdictState.FAILED
    assert judged.reason == (
        "train/acc could not be computed: it raised; choose another, or leave it out of this step with skip_metrics "
        "(validation/acc likewise); train/f1 could not be computed: no targets; choose another, or leave it out of this "
        "step with skip_metrics"
    )


@pytest.mark.parametrize(
    ("declare", "sentence"),
    [
        (lambda: BeatsBaseline("a", margin=-1), "margin=-1 is negative"),
        (lambda: BeatsBaseline("a", baseline=""), "baseline='' is not a name"),
        (lambda: BeatsBaseline("a", direction="up"), "direction='up' is none; give direction='maximize'"),
        (lambda: GeneralizationGap("train/accuracy", 0.1), "would be compared with itself"),
        (lambda: GeneralizationGap("accuracy", math.nan), "at_most=nan is not finite"),
        (lambda: LossIsTheoretical(tolerance=-0.2), "tolerance=-0.2 is negative"),
        (lambda: LossDecreases(factor=0), "factor=0.0 is not in (0, 1]; 0.5 means that the loss must halve"),
        (lambda: LossDecreases(part=0.7), "part=0.7 is not in (0, 0.5]"),
        (lambda: LossDecreases(curve=None), "curve=None is not a name"),
    ],
)
def test_what_makes_no_sense_is_refused_at_construction(declare, sentence: str):
    with pytest.raises(CheckError) as raised:
        declare()
    assert sentence in str(raised.value)


def test_titles_read_like_the_question():
    assert BeatsBaseline("validation/accuracy").title == "validation/accuracy beats the best baseline"
    assert BeatsBaseline("a", "linear", margin=0.01).title == "a beats baseline 'linear' by more than 0.01"
    assert GeneralizationGap("accuracy", 0.1).title == "validation/accuracy at most 0.1 worse than on train"
    assert LossIsTheoretical().title == "train/loss = expected_loss ± 20%"
    assert LossDecreases(factor=0.5).title == "train/loss ends below 0.5 of its beginning"
    assert NoNaN().title == "no NaN or infinity"
