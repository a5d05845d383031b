"""What else predicts is scored like every baseline, and what predicts nothing is told in a sentence."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torchmetrics.classification import BinaryAccuracy, MulticlassAccuracy, MultilabelF1Score
from torchmetrics.regression import MeanAbsoluteError

import art_training as art
from art_training.checks import BeatsBaseline, Evidence, judge_all
from art_training.checks.check import judge
from art_training.errors import ProjectError, SetupError
from art_training.records import Outcome, Score, VerdictState
from art_training.setup.task import Task, TaskKind
from art_training.steps import EvaluateBaseline
from art_training.testing.reading import ReadingBench

CLASSES = Task(TaskKind.CLASSIFICATION, ("0",), "1", "cross_entropy", classes=10, activation="softmax")
VALUES = Task(TaskKind.REGRESSION, ("0",), "1", "mse_loss")
X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
DATA = art.data((X[:500], Y[:500]), (X[500:700], Y[500:700]), batch_size=64)
ACCURACY = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def evaluate(
    predictions: Mapping[str, Any], data: Any = DATA, task: Task = CLASSES, metrics: Any = ACCURACY, **settings: Any
) -> Outcome:
    settings = {"fit_rows": 40, "fit_features": 4, **settings}  # what learns is not what is tested here
    return EvaluateBaseline(predictions=predictions, **settings).run(
        ReadingBench(data, task, metrics, folder=Path.cwd())
    )


def reached(outcome: Outcome, name: str, metric: str = "validation/accuracy") -> float:
    candidate = outcome.candidate(name)
    assert candidate is not None
    return candidate.scores[metric].value


def most_ink(batch: Any) -> torch.Tensor:
    """Logits of two classes more than there are in the batch: 0 where there is much ink, else 1."""
    ink = batch[0].sum(1)
    return torch.nn.functional.one_hot((ink < 19).long(), 10).float() * 5


def right(batch: Any) -> Any:
    return batch[1]


def right_in_numpy(batch: Any) -> Any:
    return batch[1].numpy()


def right_in_a_list(batch: Any) -> Any:
    return batch[1].tolist()


@pytest.mark.parametrize("rule", [right, right_in_numpy, right_in_a_list])
def test_a_rule_may_give_classes_in_whatever_holds_numbers(rule: Any) -> None:
    outcome = evaluate({"oracle": rule})
    assert reached(outcome, "oracle") == 1
    assert outcome.candidate("oracle").scores["validation/accuracy"].interval is not None  # type: ignore[union-attr]
    assert "validation/loss" not in outcome.candidate("oracle").scores  # type: ignore[union-attr]  of a class alone
    assert outcome.parameters["best"] == "oracle"
    assert outcome.score("baselines").value == 4
    assert outcome.score("validation/accuracy").source == "baseline oracle"


def test_a_rule_may_give_what_a_model_would_give() -> None:
    outcome = evaluate({"ink": most_ink})
    ink = X[500:700].sum(1)
    assert reached(outcome, "ink") == pytest.approx((Y[500:700] == (ink < 19)).mean())
    logits = torch.nn.functional.one_hot(torch.tensor(ink < 19).long(), 10).float() * 5
    expected = nn.functional.cross_entropy(logits, torch.tensor(Y[500:700]))
    assert reached(outcome, "ink", "validation/loss") == pytest.approx(float(expected), rel=1e-5)


def test_a_constant_class_is_as_good_as_it_is_frequent() -> None:
    assert reached(evaluate({"always 3": 3, "of numpy": np.int64(3)}), "always 3") == pytest.approx(
        (Y[500:700] == 3).mean()
    )


def test_a_constant_of_a_regression_has_a_loss() -> None:
    x, y = load_diabetes(return_X_y=True)
    data = art.data((x[:350], y[:350]), (x[350:], y[350:]))
    outcome = evaluate({"150": 150}, data, VALUES, {"mae": MeanAbsoluteError()})
    assert reached(outcome, "150", "validation/mae") == pytest.approx(np.abs(y[350:] - 150).mean(), rel=1e-5)
    assert reached(outcome, "150", "validation/loss") == pytest.approx(((y[350:] - 150) ** 2).mean(), rel=1e-5)


def test_several_labels_take_one_number_each() -> None:
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    y = (x[:, :3] > [0.0, 1.0, -1.0]).astype(np.float32)
    task = Task(TaskKind.MULTI_LABEL, ("0",), "1", "binary_cross_entropy_with_logits", classes=3, activation="sigmoid")
    predictions = {"usual": (0, 0, 1), "rule": lambda batch: batch[0][:, :3] > torch.tensor([0.0, 1.0, -1.0])}
    metrics = {"f1": MultilabelF1Score(num_labels=3, average="micro")}
    outcome = evaluate(predictions, art.data((x[:100], y[:100]), (x[100:], y[100:])), task, metrics)
    assert reached(outcome, "rule", "validation/f1") == 1
    assert 0 < reached(outcome, "usual", "validation/f1") < 1
    told = r"=\(0, 1\) does not fit targets of shape \(32, 3\); give one number, or one for"
    with pytest.raises(SetupError, match=told):
        evaluate({"usual": (0, 1)}, art.data((x[:100], y[:100]), (x[100:], y[100:])), task, metrics)


def test_a_list_of_classes_of_each_example_is_told_by_how_many_it_has_and_needs() -> None:
    x, y = load_digits(return_X_y=True)
    task = Task(TaskKind.CLASSIFICATION, ("0",), "1", "cross_entropy", classes=10)
    bench = ReadingBench(art.data((x[:300], y[:300]), (x[300:400], y[300:400])), task, {})
    with pytest.raises(SetupError, match=r"=99 numbers does not fit .*; give one number; .* array.* of 100 rows"):
        EvaluateBaseline(predictions={"a": [0] * 99}).run(bench)


@pytest.mark.parametrize(("kind", "count"), [(list, 2), (list, 32), (list, 92), (np.array, 2), (np.array, 32)])
def test_numbers_that_are_not_as_many_are_refused_before_anything_learns(kind: Any, count: int) -> None:
    """A list says what is always predicted, so that as many as a batch or the split has do not fit either."""
    x, y = load_diabetes(return_X_y=True)
    bench = ReadingBench(art.data((x[:350], y[:350]), (x[350:], y[350:])), VALUES, {"mae": MeanAbsoluteError()})
    step = EvaluateBaseline(predictions={"x": kind([1.0] * count)})
    if kind is list:
        told = r"does not fit targets of shape \(32,\); give one number, .* predictions of each example are an array"
    else:
        told = f"holds {count} predictions, and the validation split has 92 examples"
    with pytest.raises(SetupError, match=told):
        step.run(bench)
    assert "read train" not in bench.said


def test_a_sequence_is_tagged_by_a_rule_and_by_a_constant() -> None:
    ids = torch.randint(1, 9, (60, 5), generator=torch.Generator().manual_seed(0))
    tags = (ids > 4).long()
    tags[:, 4] = -100
    task = Task(TaskKind.SEQUENCE, ("ids",), "tags", "cross_entropy", {"ignore_index": -100}, 2, "softmax")
    data = art.data({"ids": ids, "tags": tags}, {"ids": ids[:30], "tags": tags[:30]}, batch_size=8)
    metrics = {"accuracy": MulticlassAccuracy(num_classes=2, average="micro")}
    outcome = evaluate({"rule": lambda batch: (batch["ids"] > 4).long(), "all 1": 1}, data, task, metrics)
    assert reached(outcome, "rule") == 1
    assert reached(outcome, "all 1") == pytest.approx(float((ids[:30, :4] > 4).float().mean()))


def test_two_classes_with_one_output_take_yes_and_no() -> None:
    task = Task(
        TaskKind.CLASSIFICATION, ("0",), "1", "binary_cross_entropy_with_logits", classes=2, activation="sigmoid"
    )
    y = (Y > 4).astype(np.float32)[:, None]
    data = art.data((X[:500], y[:500]), (X[500:700], y[500:700]))
    outcome = evaluate({"yes": 1, "rule": lambda batch: batch[1] > 0}, data, task, {"accuracy": BinaryAccuracy()})
    assert reached(outcome, "yes") == pytest.approx(y[500:700].mean())
    assert reached(outcome, "rule") == 1


class Trained(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.inner = nn.Sequential(nn.Dropout(0.9), nn.Identity())
        self.inner[1].eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        centres = torch.stack([torch.tensor(X[:500][Y[:500] == digit].mean(0)) for digit in range(10)])
        return -torch.cdist(self.inner(image), centres) * self.scale


def test_a_trained_module_is_evaluated_and_left_as_it_was() -> None:
    module = Trained()
    modes = [part.training for part in module.modules()]
    outcome = evaluate({"nearest": module})
    assert reached(outcome, "nearest") > 0.75
    assert [part.training for part in module.modules()] == modes
    assert True in modes
    assert False in modes
    named = art.data({"image": X[:500], "label": Y[:500]}, {"label": Y[500:700], "image": X[500:700]})
    task = Task(TaskKind.CLASSIFICATION, ("image",), "label", "cross_entropy", classes=10, activation="softmax")
    assert reached(evaluate({"nearest": module}, named, task), "nearest") == reached(outcome, "nearest")


class Stages(art.ArtModule):
    def predict(self, parsed: Any) -> Any:
        return {**parsed, "prediction": parsed["target"]}


def test_an_existing_artmodule_goes_through_its_stages() -> None:
    assert reached(evaluate({"stages": Stages()}), "stages") == 1


def test_predictions_of_a_file_are_compared_in_the_order_of_the_split(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(200)
    rows = "\n".join(f"{place},{Y[500 + place]}" for place in order)
    Path("classes.csv").write_text(f"example,prediction\n{rows}\n")
    np.save("probabilities.npy", np.eye(10)[Y[500:700]] * 0.91 + 0.009)
    outcome = evaluate({"csv": "classes.csv", "npy": tmp_path / "probabilities.npy", "array": Y[500:700]})
    assert reached(outcome, "csv") == reached(outcome, "npy") == reached(outcome, "array") == 1
    assert reached(outcome, "npy", "validation/loss") == pytest.approx(-np.log(0.919), rel=1e-4)
    assert len(outcome.candidate("csv").parameters["sha256"]) == 64  # type: ignore[union-attr]


def test_several_loaders_are_read_one_after_the_other() -> None:
    data = art.data((X[:500], Y[:500]), {"a": (X[500:600], Y[500:600]), "b": (X[600:700], Y[600:700])})
    outcome = evaluate({"array": np.concatenate([Y[500:600], (Y[600:700] + 1) % 10])}, data)
    assert reached(outcome, "array", "validation:a/accuracy") == 1
    assert reached(outcome, "array", "validation:b/accuracy") == 0
    assert reached(outcome, "array") == 0.5


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.zeros(3), "holds 3 predictions, and the validation split has 200 examples"),
        (np.full(200, 11), "holds classes from 11 to 11, and those of this task are 0 to 9"),
        (np.full(200, 0.5), "holds numbers that are no classes; give classes 0 to 9, or a number for each"),
        (10, r"\]=10 is no class of this task; its classes are 0 to 9"),
        (1.5, r"\]=1.5 is no class of this task"),
    ],
)
def test_predictions_of_another_task_are_refused_before_anything_learns(value: Any, told: str) -> None:
    bench = ReadingBench(DATA, CLASSES, ACCURACY)
    with pytest.raises(SetupError, match=told):
        EvaluateBaseline(predictions={"it": value}).run(bench)
    assert "read train" not in bench.said


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            lambda batch: batch[1][:3],
            (
                r"^predictions\['it'\] gave predictions of shape \(3,\) for 64 examples; give one row an example: "
                r"shape \(64,\) for a class, or \(64, 10\) for a number of each class$"
            ),
        ),
        (lambda batch: batch[1] * torch.nan, "gave numbers that are not finite"),
        (lambda batch: None, "gave a NoneType, which is no array of numbers"),
        (lambda batch: ["cat"] * len(batch[1]), "gave a list, which is no array of numbers"),
        (lambda batch: (1 for _ in batch[1]), "gave a generator, which is no array of numbers"),
        (lambda batch: batch[1] + 1j, "gave complex numbers"),
        (
            lambda batch: batch[0][:, :7],
            r"and the task has 10 classes; give one row an example: shape \(64,\) for a class",
        ),
        (
            lambda batch: batch[0].reshape(-1, 8, 8),
            r"gave predictions of shape \(64, 8, 8\) for targets of shape \(64,\)",
        ),
        (lambda batch: batch[1] + 1, "gave classes from 1 to 10, and those of this task are 0 to 9"),
        (lambda batch: batch[1] + 0.5, "gave numbers that are no classes; give classes 0 to 9"),
        (
            lambda batch: batch["y"],
            r"^baseline 'it' could not predict: TypeError: tuple .* in <lambda> at test_given.py:\d+",
        ),
    ],
)
def test_a_rule_that_fails_is_told_with_its_name_and_costs_no_other_baseline(rule: Any, told: str) -> None:
    step = EvaluateBaseline(predictions={"it": rule, "always 3": 3})
    bench = ReadingBench(DATA, CLASSES, ACCURACY)
    outcome = step.run(bench)
    failed = outcome.candidate("it")
    assert not failed.scores
    assert re.search(told, failed.note)
    assert outcome.candidate("always 3").scores["validation/accuracy"].value > 0
    assert outcome.candidate("linear").scores["validation/accuracy"].value > 0.8
    verdicts = judge_all(step.all_checks(CLASSES, ["accuracy"]), Evidence("EvaluateBaseline", outcome))
    (reason,) = [one.reason for one in verdicts if one.state is VerdictState.FAILED]
    assert failed.note in reason
    assert [one.message for one in outcome.findings if one.code == "ART704"] == [failed.note]


def test_where_every_baseline_of_the_users_is_scored_none_is_unscored() -> None:
    assert evaluate({"it": lambda batch: batch[1].float()}).score("unscored").value == 0


@pytest.mark.parametrize(
    ("predictions", "told"),
    [
        ([("a", 1)], "is no mapping; give what predicts by name"),
        ({"dummy": 1}, "has the name 'dummy', which is another baseline's or none"),
        ({"human": 1}, "has the name 'human'"),
        ({"": 1}, "has the name ''"),
        ({"a": None}, r"predictions\['a'\]=None of step 'EvaluateBaseline' predicts nothing; give a class"),
        ({"a": True}, "=True of step 'EvaluateBaseline' predicts nothing"),
        ({"a": ["x"]}, "predicts nothing"),
        ({"a": float("nan")}, "is not finite"),
        ({"a": Trained}, "is the class Trained; give an instance that is trained"),
        ({"a": lambda batch, more: 1}, "cannot be called with a batch alone: missing a required argument: 'more'"),
        ({"a": "nowhere.csv"}, "does not exist"),
        ({"a": "predictions.json"}, "is of no known kind"),
        ({"a": np.array(["x"])}, "holds no numbers"),
    ],
)
def test_what_predicts_nothing_is_refused_at_once(predictions: Any, told: str) -> None:
    with pytest.raises((ProjectError, SetupError), match=told):
        EvaluateBaseline(predictions=predictions)


def test_a_name_of_the_model_without_inputs_is_taken_where_it_is_trained() -> None:
    EvaluateBaseline(predictions={"inputs zeroed": 1})
    with pytest.raises(ProjectError, match="has the name 'inputs zeroed'"):
        EvaluateBaseline(predictions={"inputs zeroed": 1}, inputs="zeroed")


def test_a_check_names_one_baseline_or_means_the_best_and_never_people() -> None:
    human = {"accuracy": 0.999, "source": "two annotators"}
    outcome = evaluate({"always 3": 3, "last year": Y[500:700]}, human=human)
    mine = Outcome(scores={"validation/accuracy": Score(0.98, direction="maximize")})
    evidence = Evidence("Overfit", mine, {"EvaluateBaseline": outcome})
    states = {
        name: judge(BeatsBaseline("validation/accuracy", name), evidence).state
        for name in ("best", "last year", "always 3", "human")
    }
    assert states["always 3"] is VerdictState.PASSED
    assert {states[name] for name in ("best", "last year", "human")} == {VerdictState.FAILED}
    without = Evidence("Overfit", mine, {"EvaluateBaseline": evaluate({"always 3": 3}, human=human)})
    assert judge(BeatsBaseline("validation/accuracy"), without).state is VerdictState.PASSED


def test_the_table_has_every_score_with_its_interval_and_readings_show_the_best_first() -> None:
    outcome = evaluate({"always 3": 3}, human={"accuracy": 0.999, "source": "two annotators"})
    (table,) = outcome.artifacts
    assert table.name == "baselines.csv"
    lines = Path("baselines.csv").read_text().splitlines()
    assert lines[0] == "baseline,score,value,low,high,level,examples,to beat,note"
    rows = [line.split(",") for line in lines[1:]]
    assert {(row[0], row[1]) for row in rows} == {
        (one.name, score) for one in outcome.candidates for score in one.scores
    }
    assert all(float(row[3]) <= float(row[2]) <= float(row[4]) for row in rows if row[0] != "human")
    assert {row[0] for row in rows if row[7] == "False"} == {"human"}
    reading = outcome.reading("baselines by validation/accuracy")
    assert reading is not None
    assert reading.value.startswith("human 0.999, ")
    assert "[" in reading.value
