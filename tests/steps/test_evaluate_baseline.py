import re
import time
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import nn
from torchmetrics.classification import BinaryAccuracy, MulticlassAccuracy, MulticlassAUROC, MultilabelF1Score
from torchmetrics.regression import MeanAbsoluteError, PearsonCorrCoef

import art_training as art
from art_training.checks import Evidence, judge_all
from art_training.errors import ProjectError, SetupError
from art_training.records import Outcome, Split, VerdictState, plain
from art_training.setup.task import Task, TaskKind
from art_training.steps.baselines.models import Baseline
from art_training.steps.baselines.tables import Sample
from art_training.steps.evaluate_baseline import EvaluateBaseline
from art_training.testing.reading import ReadingBench

CLASSES = Task(
    TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=10, activation="softmax"
)
VALUES = Task(TaskKind.REGRESSION, inputs=("0",), target="1", loss="mse_loss")
ACCURACY = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Tables and files of predictions are written where the step works."""
    monkeypatch.chdir(tmp_path)


def evaluate(data, task, metrics=None, **fields) -> Outcome:
    return EvaluateBaseline(**fields).run(ReadingBench(data, task, metrics))


def digits(rows: int = 1797):
    x, y = load_digits(return_X_y=True)
    return art.data((x[: rows - 360] / 16, y[: rows - 360]), (x[rows - 360 : rows] / 16, y[rows - 360 : rows]))


def value(outcome: Outcome, name: str, metric: str = "validation/accuracy") -> float:
    return outcome.candidate(name).scores[metric].value


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


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


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_regression_takes_flat_targets_and_columns(shape):
    x, y = load_diabetes(return_X_y=True)
    y = y.reshape(shape)
    outcome = evaluate(art.data((x[:350], y[:350]), (x[350:], y[350:])), VALUES, {"mae": MeanAbsoluteError()})
    assert outcome.parameters["by"] == "validation/mae"
    assert value(outcome, "linear", "validation/mae") < value(outcome, "dummy", "validation/mae")
    expected = float(((y[350:] - y[:350].mean()) ** 2).mean())
    assert value(outcome, "dummy", "validation/loss") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "shape", "dtype"),
    [("binary_cross_entropy_with_logits", (-1, 1), float), ("binary_cross_entropy", (-1,), float), ("", (-1,), int)],
)
def test_two_classes_with_one_output(loss, shape, dtype):
    x, y = load_breast_cancer(return_X_y=True)
    y = y.reshape(shape).astype(dtype)
    task = Task(TaskKind.CLASSIFICATION, ("0",), "1", loss, classes=2, activation="sigmoid")
    metrics = {"accuracy": MulticlassAccuracy(num_classes=2) if not loss else BinaryAccuracy()}
    outcome = evaluate(art.data((x[:400], y[:400]), (x[400:], y[400:])), task, metrics)
    assert value(outcome, "linear") > 0.9
    assert ("validation/loss" in outcome.scores) == bool(loss)


def test_several_labels():
    x = rng().normal(size=(300, 5))
    y = np.stack([x[:, 0] > 0, x[:, 1] > 1, np.zeros(300)], 1).astype(float)
    task = Task(TaskKind.MULTI_LABEL, ("0",), "1", "binary_cross_entropy_with_logits", classes=3, activation="sigmoid")
    metrics = {"f1": MultilabelF1Score(num_labels=3, average="micro")}
    outcome = evaluate(art.data((x[:200], y[:200]), (x[200:], y[200:])), task, metrics)
    assert value(outcome, "linear", "validation/f1") > value(outcome, "dummy", "validation/f1")


def test_a_sequence_gets_the_token_prior_and_says_why_not_the_others():
    tokens = rng().choice(4, size=(60, 7), p=[0.7, 0.1, 0.1, 0.1])
    tokens[:, 6] = -100
    task = Task(TaskKind.SEQUENCE, ("ids",), "labels", "cross_entropy", {"ignore_index": -100}, 4, "softmax")
    metrics = {"accuracy": MulticlassAccuracy(num_classes=4, average="micro")}
    data = art.data({"ids": tokens, "labels": tokens}, {"ids": tokens[:20], "labels": tokens[:20]})
    outcome = evaluate(data, task, metrics)
    assert value(outcome, "dummy") == pytest.approx((tokens[:20, :6] == 0).mean())
    assert outcome.candidate("dummy").scores["validation/accuracy"].rows == 20
    shares = np.bincount(tokens[:, :6].ravel()) / (60 * 6)
    expected = -np.log(shares[tokens[:20, :6].ravel()]).mean()
    assert value(outcome, "dummy", "validation/loss") == pytest.approx(expected, rel=1e-5)
    assert "one target an example is needed" in outcome.candidate("linear").note
    assert outcome.candidate("boosting").scores == {}


def test_a_reconstruction_gets_the_mean():
    x = rng().normal(size=(50, 2, 3)).astype(np.float32)
    task = Task(TaskKind.RECONSTRUCTION, ("0",), "0", "mse_loss")
    outcome = evaluate(art.data((x[:40],), (x[40:],)), task)
    expected = ((x[40:] - x[:40].mean(0)) ** 2).mean()
    assert value(outcome, "dummy", "validation/loss") == pytest.approx(expected, rel=1e-5)


def test_a_task_without_a_known_target_has_no_baseline_and_says_so():
    outcome = evaluate(digits(500), Task(TaskKind.OTHER, ("0",)), ACCURACY)
    assert [one.scores for one in outcome.candidates] == [{}, {}, {}]
    assert "baselines" not in outcome.scores
    checks = EvaluateBaseline().all_checks(CLASSES, [])
    verdict = judge_all(checks, Evidence("b", outcome))[0]
    assert verdict.state is VerdictState.NOT_JUDGED
    assert "the task is other, for which no baseline is known; declare Setup(task=" in verdict.reason
    assert outcome.summary.startswith("no baseline could be scored: dummy: the task is other")


def test_inputs_of_varying_size_leave_the_dummy():
    rows = [(torch.zeros(2 + index % 3), index % 2) for index in range(40)]

    def collate(examples):
        width = max(len(x) for x, _ in examples)
        return torch.stack([nn.functional.pad(x, (0, width - len(x))) for x, _ in examples]), torch.tensor(
            [y for _, y in examples]
        )

    outcome = evaluate(art.data(rows, rows, batch_size=2, collate=collate), CLASSES, ACCURACY)
    assert value(outcome, "dummy") == 0.5
    assert "inputs vary in size" in outcome.candidate("linear").note


def test_a_large_split_is_sampled_and_the_note_says_so():
    outcome = evaluate(digits(1000), CLASSES, ACCURACY, fit_rows=200, fit_features=30)
    note = outcome.candidate("linear").note
    assert "learned from 200 of 640 examples, drawn with seed 0" in note
    assert "30 of 64 features" in note
    assert value(outcome, "linear") > 0.5


def test_a_sample_keeps_the_order_and_is_not_the_beginning():
    sample = Sample(lambda _: 100, seed=1)
    for start in range(0, 5000, 50):
        sample.add(np.arange(start, start + 50))
    (kept,) = sample.taken()
    assert len(kept) == 100
    assert (np.diff(kept) > 0).all()
    assert 1800 < kept.mean() < 3200


def test_missing_values_do_not_stop_the_baselines():
    x, y = load_digits(return_X_y=True)
    x[::7, 5], x[3, 3] = np.nan, np.inf
    outcome = evaluate(art.data((x[:600], y[:600]), (x[600:900], y[600:900])), CLASSES, ACCURACY)
    assert value(outcome, "linear") > 0.8


def test_a_model_that_cannot_learn_is_a_note_and_not_the_end():
    x = rng().normal(size=(60, 3))
    data = art.data((x, np.zeros(60, int)), (x, np.zeros(60, int)))
    outcome = evaluate(data, CLASSES, ACCURACY)
    assert "it could not learn" in outcome.candidate("linear").note
    assert value(outcome, "dummy") == 1


class Warns(Baseline):
    def fit(self, inputs, targets):
        warnings.warn("did not converge\n(see the manual)", UserWarning, stacklevel=2)

    def predict(self, inputs):
        return inputs


def test_what_scikit_learn_warns_of_is_a_note():
    baseline = Warns("linear", {})
    baseline.learn(np.zeros((2, 2)), np.zeros(2))
    assert baseline.notes == ["did not converge"]


class Nearest(art.ArtModule):
    def baseline_train(self, batches):
        x, y = self.flattened(batches)
        self.centres = torch.stack([torch.from_numpy(x[y == label].mean(0)) for label in range(10)])

    def predict(self, parsed):
        return {**parsed, "prediction": -torch.cdist(parsed["input"], self.centres)}


class Untrained(art.ArtModule):
    pass


def test_an_artmodule_joins_as_a_baseline():
    outcome = evaluate(digits(900), CLASSES, ACCURACY, baselines=[Nearest])
    assert value(outcome, "Nearest") > 0.75
    assert value(outcome, "Nearest", "validation/loss") < np.log(10)


class Rule:
    def predict(self, batch):
        return 0.6 * batch[0][:, 2]


class Duck:
    """No ArtModule, and all that is asked of one."""

    def baseline_train(self, batches):
        self.counts = torch.bincount(torch.cat([target for _, target in batches]), minlength=10)

    def parse_data(self, batch):
        return batch

    def predict(self, parsed):
        return {"prediction": (self.counts / self.counts.sum()).expand(len(parsed[0]), 10)}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (Rule, "the class Rule, which has no baseline_train and no parse_data; subclass ArtModule and write"),
        (Rule, "predictions={'Rule': function of a batch}"),
        (Untrained, "the class Untrained, which has no baseline_train; subclass ArtModule"),
    ],
)
def test_a_class_that_cannot_learn_is_refused_where_it_is_declared(given, sentence):
    with pytest.raises(ProjectError, match=re.escape(sentence)):
        EvaluateBaseline(baselines=[given])


def test_a_class_that_has_all_that_a_baseline_needs_joins_without_being_an_artmodule():
    outcome = evaluate(digits(900), CLASSES, ACCURACY, baselines=[Duck])
    assert 0 < value(outcome, "Duck") < 0.3
    assert outcome.score("unscored").value == 0


class Unteachable(Nearest):
    def baseline_train(self, batches):
        raise IndexError("no such column")


class Speechless(Nearest):
    def predict(self, parsed):
        return {"prediction": parsed["nothing"]}


class Unmade(Nearest):
    def __init__(self):
        raise RuntimeError("no licence")


def ruled():
    return Rule()


def test_a_baseline_that_fails_is_told_by_name_and_costs_none_of_the_others():
    baselines = [Unteachable, Nearest, Speechless, Unmade, ruled]
    outcome = evaluate(digits(900), CLASSES, ACCURACY, baselines=baselines)
    assert value(outcome, "Nearest") > 0.6
    assert outcome.score("unscored").value == 4
    told = {one.evidence["baseline"]: one.message for one in outcome.findings if one.code == "ART704"}
    assert "baseline 'Unteachable' could not learn: IndexError: no such column" in told["Unteachable"]
    assert "test_evaluate_baseline.py" in told["Unteachable"]
    assert "baseline 'Speechless' could not predict: KeyError" in told["Speechless"]
    assert "baseline 'Unmade' could not learn: RuntimeError: no licence" in told["Unmade"]
    assert (
        "'ruled' could not learn: it is of class Rule, which has no baseline_train and no parse_data" in told["ruled"]
    )
    assert outcome.candidate("Unteachable").note == told["Unteachable"]


def test_what_people_reach_is_declared_with_its_source_and_never_the_best():
    human = {"accuracy": 0.999, "source": "two annotators"}
    outcome = evaluate(digits(900), CLASSES, ACCURACY, human=human)
    candidate = outcome.candidate("human")
    assert candidate.parameters == {"kind": "human", "source": "two annotators"}
    assert candidate.scores["validation/accuracy"].source == "two annotators"
    assert outcome.parameters["best"] != "human"


def test_several_loaders_are_scored_each_and_together():
    x, y = load_digits(return_X_y=True)
    data = art.data((x[:800], y[:800]), {"clean": (x[800:1000], y[800:1000]), "noisy": (x[1000:1200], y[1000:1200])})
    outcome = evaluate(data, CLASSES, ACCURACY)
    clean, noisy = (outcome.scores[f"validation:{name}/accuracy"].value for name in ("clean", "noisy"))
    together = outcome.score("validation/accuracy")
    assert together.value == pytest.approx((clean + noisy) / 2)
    assert together.rows == 400
    assert outcome.parameters["by"] == "validation/accuracy"


@pytest.mark.parametrize("loss", ["binary_cross_entropy_with_logits", "soft_margin_loss"])
def test_a_mask_of_yes_and_no_gets_how_often_it_is_yes(loss):
    masks = (rng().random((60, 1, 4, 4)) < 0.25).astype(np.float32)
    images = rng().random((60, 1, 4, 4)).astype(np.float32)
    told = 2 * masks - 1 if loss == "soft_margin_loss" else masks
    task = Task(TaskKind.SEQUENCE, inputs=("0",), target="1", loss=loss, classes=2, activation="sigmoid")
    outcome = evaluate(
        art.data((images[:40], told[:40]), (images[40:], told[40:])), task, {"accuracy": BinaryAccuracy()}
    )
    assert value(outcome, "dummy") == pytest.approx(1 - float(masks[40:].mean()))


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


def test_a_human_number_for_no_metric_is_refused():
    with pytest.raises(ProjectError, match="'f1', which is no metric of this step; it has: accuracy"):
        evaluate(digits(500), CLASSES, ACCURACY, human={"f1": 0.9, "source": "a"})


def test_data_without_validation_is_refused_with_one_sentence():
    with pytest.raises(SetupError, match="the data has: train; give a val_dataloader"):
        evaluate(art.data((np.zeros((3, 2)), np.zeros(3))), CLASSES)


@pytest.mark.parametrize(
    ("labels", "told"),
    [([1, 2], "subtract 1 from the labels"), ([0, 3], "mend the labels")],
    ids=["off by one", "one too large"],
)
def test_labels_that_the_task_has_no_class_for_are_told_in_a_sentence(labels, told):
    x, y = rng().normal(size=(40, 3)).astype(np.float32), np.array(labels)[np.arange(40) % 2]
    task = Task(
        TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=2, activation="softmax"
    )
    with pytest.raises(SetupError, match=f"a task of 2 classes has 0 to 1; {told}"):
        evaluate(art.data((x, y), (x, y)), task)


def test_labels_that_the_loss_ignores_are_no_classes():
    x, y = rng().normal(size=(40, 3)).astype(np.float32), np.array([0, 1, 255, 1])[np.arange(40) % 4]
    task = Task(
        TaskKind.CLASSIFICATION, inputs=("0",), target="1", loss="cross_entropy", classes=2, activation="softmax",
        loss_options={"ignore_index": 255},
    )  # fmt: skip
    assert evaluate(art.data((x, y % 255), (x, y % 255)), task).candidate("dummy").scores


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
