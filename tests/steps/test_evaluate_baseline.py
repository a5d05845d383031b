"""The baselines of a task, the best of them, and what is refused before any is made."""

import time

import numpy as np
import pytest
from sklearn.datasets import load_digits
from tests.steps.baselines.tasks import ACCURACY, CLASSES, VALUES, Nearest, digits, evaluate, rng, value
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC
from torchmetrics.regression import MeanAbsoluteError, PearsonCorrCoef

import art_training as art
from art_training.checks import Evidence, judge_all
from art_training.errors import ProjectError, SetupError
from art_training.records import Split, VerdictState, plain
from art_training.setup.task import Task, TaskKind
from art_training.steps.evaluate_baseline import EvaluateBaseline


@pytest.mark.slow
def test_digits_have_three_baselines_within_six_seconds():
    began = time.monotonic()
    metrics = {**ACCURACY, "auroc": MulticlassAUROC(num_classes=10)}
    outcome = evaluate(digits(), CLASSES, metrics)
    assert time.monotonic() - began < 30  # six on an idle machine; the bound allows for a busy one
    assert [one.name for one in outcome.candidates] == ["dummy", "linear", "boosting"]
    assert value(outcome, "dummy") < 0.15
    assert min(value(outcome, "linear"), value(outcome, "boosting")) > 0.85
    best = outcome.candidate(outcome.parameters["best"])
    assert outcome.score("validation/accuracy") == best.scores["validation/accuracy"]
    assert outcome.score("validation/accuracy").interval is not None
    assert outcome.score("validation/accuracy").rows == 360
    assert outcome.score("validation/loss").interval is not None
    assert value(outcome, "dummy", "validation/loss") == pytest.approx(np.log(10), abs=0.01)
    checks = EvaluateBaseline().all_checks(CLASSES, list(metrics))
    assert [verdict.state for verdict in judge_all(checks, Evidence("b", outcome))] == [VerdictState.PASSED] * 2
    assert "; the best baseline is " in outcome.summary


@pytest.mark.slow
def test_the_same_seed_gives_the_same_outcome():
    first, second = (evaluate(digits(900), CLASSES, ACCURACY) for _ in range(2))
    assert plain(first.scores) == plain(second.scores)
    assert plain(first.candidates) == plain(second.candidates)


def test_a_task_without_a_known_target_has_no_baseline_and_says_so():
    outcome = evaluate(digits(500), Task(TaskKind.OTHER, ("0",)), ACCURACY)
    assert [one.scores for one in outcome.candidates] == [{}, {}, {}]
    assert "baselines" not in outcome.scores
    checks = EvaluateBaseline().all_checks(CLASSES, [])
    verdict = judge_all(checks, Evidence("b", outcome))[0]
    assert verdict.state is VerdictState.NOT_JUDGED
    assert "the task is other, for which no baseline is known; declare Setup(task=" in verdict.reason
    assert outcome.summary.startswith("no baseline could be scored: dummy: the task is other")


def test_several_loaders_are_scored_each_and_together():
    x, y = load_digits(return_X_y=True)
    data = art.data((x[:800], y[:800]), {"clean": (x[800:1000], y[800:1000]), "noisy": (x[1000:1200], y[1000:1200])})
    outcome = evaluate(data, CLASSES, ACCURACY)
    clean, noisy = (outcome.scores[f"validation:{name}/accuracy"].value for name in ("clean", "noisy"))
    together = outcome.score("validation/accuracy")
    assert together.value == pytest.approx((clean + noisy) / 2)
    assert together.rows == 400
    assert outcome.parameters["by"] == "validation/accuracy"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"human": {"accuracy": 0.9}}, "does not say where it is from"),
        ({"human": {"accuracy": "high", "source": "a"}}, r"human\['accuracy'\]='high'"),
        ({"human": 0.9}, r"human=0\.9 of step 'EvaluateBaseline' does not say by which metric"),
        ({"human": [("accuracy", 0.9)]}, r"human=\[.* does not say by which metric"),
        ({"fit_rows": 0}, "fit_rows=0"),
        ({"baselines": [Nearest()]}, "an instance or nothing that can be called"),
        ({"baselines": [Nearest, Nearest]}, "two baselines of step 'EvaluateBaseline' are called 'Nearest'"),
    ],
)
def test_what_cannot_be_declared_is_refused_at_once(fields, sentence):
    with pytest.raises(ProjectError, match=sentence):
        EvaluateBaseline(**fields)


def test_data_without_validation_is_refused_with_one_sentence():
    with pytest.raises(SetupError, match="the data has: train; give a val_dataloader"):
        evaluate(art.data((np.zeros((3, 2)), np.zeros(3))), CLASSES)


def test_a_metric_that_fits_no_prediction_is_a_finding_before_anything_is_trained():
    outcome = evaluate(
        digits(800), CLASSES, {"accuracy": MulticlassAccuracy(num_classes=9), "right": ACCURACY["accuracy"]}
    )
    (finding,) = outcome.findings
    assert finding.code == "ART703"
    assert "validation/accuracy could not be computed: metric 'accuracy' raised" in finding.message


def test_a_rule_makes_sense_of_a_task_that_nothing_learns():
    task = Task(TaskKind.OTHER, ("0",), "1", classes=10)
    outcome = evaluate(digits(500), task, ACCURACY, predictions={"always 3": lambda batch: batch[1] * 0 + 3})
    assert outcome.parameters["best"] == "always 3"
    assert outcome.score("baselines").value == 1
    assert EvaluateBaseline().needs_splits == {Split.VALIDATION}


def flat_validation(rows: int = 40):
    """A regression whose validation targets are all alike, so that no correlation with them is defined."""
    x = rng().normal(size=(100, 4)).astype(np.float32)
    return art.data((x, x.sum(1)), (x[:rows], np.zeros(rows, np.float32)))


@pytest.mark.filterwarnings("ignore:The variance of predictions or target")
def test_a_metric_that_is_no_number_for_any_baseline_does_not_pass():
    metrics = {"pearson": PearsonCorrCoef(), "mae": MeanAbsoluteError()}
    outcome = evaluate(flat_validation(), VALUES, metrics)
    assert outcome.parameters["by"] == "validation/mae"
    checks = EvaluateBaseline().all_checks(VALUES, list(metrics))
    verdicts = judge_all(checks, Evidence("b", outcome))
    assert [verdict.state for verdict in verdicts] == [VerdictState.PASSED, VerdictState.FAILED]
    assert "validation/pearson could not be computed: it is nan for every baseline" in verdicts[1].reason
    assert "skip_metrics" in verdicts[1].reason


def test_a_loss_that_baselines_have_not_is_said_with_the_reason():
    """A silent gap would leave a check against it with nothing to compare."""
    x, y = load_digits(return_X_y=True)
    data = art.data((x[:300], (y[:300] > 4).astype(int)), (x[300:400], (y[300:400] > 4).astype(int)))
    task = Task(TaskKind.CLASSIFICATION, ("0",), "1", "binary_cross_entropy_with_logits", {"pos_weight": 2.0}, 2)
    told = evaluate(data, task, {}).candidates
    assert all("validation/loss" in one.scores for one in told)
    unknown = Task(TaskKind.CLASSIFICATION, ("0",), "1", "", {}, 2)
    for one in evaluate(data, unknown, {}).candidates:
        assert "validation/loss" not in one.scores
        assert "no loss: the task's loss is not a function of torch that was seen" in one.note
