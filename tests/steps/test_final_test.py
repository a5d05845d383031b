"""The one step that may look at the test split: what it judges, what it counts, and what it refuses."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torchmetrics.classification import BinaryAccuracy, MulticlassAccuracy
from torchmetrics.regression import R2Score

import art_training as art
from art_training.checks import Check, NoNaN
from art_training.errors import ProjectError, SetupError, UsageError
from art_training.project import ArtProject
from art_training.records import Outcome, RunStatus, Score, Split, StepState
from art_training.setup.setup import Setup
from art_training.steps import FinalTest, Step
from art_training.steps.bench import Bench
from art_training.stores import RunQuery, Store
from art_training.stores.memory import MemoryStore
from art_training.testing import data as toy

(TRAIN, (REST, LABELS)) = toy.digits(validation=720)
TRAIN = (TRAIN[0][:300], TRAIN[1][:300])
VALIDATION, TEST = (REST[:360], LABELS[:360]), (REST[360:], LABELS[360:])
ACCURACY = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}


class Net(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


MODEL = art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=1e-2)


@dataclass(frozen=True)
class Fitted(Step):
    """Trains for some steps and scores its weights on validation."""

    steps: int = 20
    split: Split = Split.VALIDATION
    checks: Sequence[Check] = (NoNaN(),)

    def run(self, bench: Bench) -> Outcome:
        result = bench.fit(max_steps=self.steps)
        assert result.last is not None
        kept = bench.keep(result.last, name="last.ckpt", kind="checkpoint")
        return Outcome(scores=bench.evaluate(self.split, weights=result.last).scores, artifacts=(kept,))


@dataclass(frozen=True)
class Chooses(Step):
    """Hands on hyper-parameters, and leaves no weights."""

    chosen: dict[str, Any] = field(default_factory=dict)
    checks: Sequence[Check] = (NoNaN(),)

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"validation/loss": Score(1.0)})

    def carry(self, setup: Setup, outcome: Outcome) -> Setup:
        return setup.but(hparams=self.chosen)


@dataclass(frozen=True)
class Breaks(Step):
    """Fails before it has a score."""

    may_test: ClassVar[bool] = True

    def run(self, bench: Bench) -> Outcome:
        raise RuntimeError("before anything was scored")


def setup_of(*, test: Any = TEST, validation: Any = VALIDATION, **changes: Any) -> Setup:
    data = art.data(TRAIN, validation, test, batch_size=64)
    return art.Setup(model=MODEL, data=data, trainer={"max_epochs": 1, "accelerator": "cpu"}, **changes)


def project(
    *steps: Step, setup: Setup | None = None, store: Store | None = None, metrics: Any = ACCURACY
) -> ArtProject:
    return ArtProject("p", setup or setup_of(), metrics=metrics, steps=steps, store=store or MemoryStore())


def outcome_of(*steps: Step, **where: Any) -> Outcome:
    outcome = project(*steps, **where).run()["FinalTest"].outcome
    assert outcome is not None
    return outcome


@pytest.fixture(scope="module")
def digits() -> tuple[Outcome, Path, MemoryStore]:
    """A first use, its table of classes, and the store of both."""
    store = MemoryStore()
    outcome = outcome_of(Fitted(steps=40), FinalTest(slices={"dark": dark}), store=store)
    table = outcome.artifact("classes.csv")
    assert table is not None
    return outcome, store.artifacts.fetch(table.digest), store


def dark(batch: Any) -> torch.Tensor:
    return batch[0].mean(1) < 0.3


def probabilities(store: Store, outcome: Outcome) -> np.ndarray:
    """What the judged weights make of the test split, computed by torch alone."""
    (run,) = store.runs(RunQuery(step="Fitted"))
    fitted = store.outcome(run.id)
    assert fitted is not None
    state = torch.load(store.artifacts.fetch(fitted.artifacts[0].digest), weights_only=False)["state_dict"]
    net = Net()
    net.load_state_dict({name.removeprefix("model."): value for name, value in state.items()})
    with torch.no_grad():
        return net(torch.from_numpy(TEST[0]).float()).softmax(1).numpy()


def test_the_scores_are_those_of_the_weights_that_were_left_on_the_whole_split(digits: Any) -> None:
    outcome, _, store = digits
    right = probabilities(store, outcome).argmax(1) == TEST[1]
    score = outcome.scores["test/accuracy"]
    assert score.value == pytest.approx(right.mean())
    assert score.rows == 360
    assert score.interval is not None
    assert score.interval.low < score.value < score.interval.high
    assert outcome.scores["test:dark/accuracy"].value == pytest.approx(right[TEST[0].mean(1) < 0.3].mean())
    assert "the weights that Fitted left (last.ckpt); first use of the test split" in outcome.summary
    gap = outcome.scores["test/validation_gap.accuracy"]
    assert gap.value == pytest.approx(outcome.scores["validation/accuracy"].value - score.value, abs=1e-6)


def test_each_class_has_its_recall_and_its_row_in_the_table(digits: Any) -> None:
    outcome, table, store = digits
    called = probabilities(store, outcome).argmax(1)
    for label in range(10):
        recall = outcome.scores[f"test/class_recall.{label}"]
        assert recall.value == pytest.approx((called[TEST[1] == label] == label).mean())
        assert recall.rows == (TEST[1] == label).sum()
        assert recall.interval is not None
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(int(row["class"]) for row in rows) == list(range(10))
    recalls = [float(row["recall"]) for row in rows]
    assert recalls == sorted(recalls)


def test_uses_are_counted_and_other_weights_are_pointed_out() -> None:
    store = MemoryStore()
    steps = (Fitted(), FinalTest())
    first = outcome_of(*steps, store=store)
    assert (first.scores["test_uses"].value, first.scores["tested_models"].value) == (1, 1)
    again = project(*steps, store=store).run()
    assert again["FinalTest"].recalled  # which is no use
    same = project(*steps, store=store).run(force=["FinalTest"])["FinalTest"].outcome
    assert same is not None
    assert (same.scores["test_uses"].value, same.scores["tested_models"].value) == (2, 1)
    assert "use 2 of the test split, the same weights each time" in same.summary
    assert not [one for one in same.findings if one.code == "ART801"]
    other = outcome_of(Fitted(steps=21), FinalTest(), store=store)  # other weights make the test stale
    assert (other.scores["test_uses"].value, other.scores["tested_models"].value) == (3, 2)
    assert [one.code for one in other.findings if one.code == "ART801"]


def test_the_fourth_model_fails_and_says_what_to_do_and_other_rows_are_counted_anew() -> None:
    store = MemoryStore()
    states = [project(Fitted(steps=steps), FinalTest(), store=store).run()["FinalTest"].state for steps in (1, 2, 3)]
    assert states == [StepState.PASSED] * 3
    result = project(Fitted(steps=4), FinalTest(), store=store).run()
    assert result["FinalTest"].state is StepState.FAILED
    judgement = result["FinalTest"].judgement
    assert judgement is not None
    reasons = "; ".join(verdict.reason for verdict in judgement.verdicts)
    assert "tested_models is 4, not < 4; judge the final model on new test examples" in reasons
    half = (TEST[0][:180], TEST[1][:180])
    fresh = outcome_of(Fitted(steps=5), FinalTest(), store=store, setup=setup_of(test=half))
    assert fresh.scores["test_uses"].value == 1


def test_a_run_that_broke_before_it_had_a_score_is_no_use() -> None:
    store = MemoryStore()
    with pytest.raises(RuntimeError):
        project(Fitted(), Breaks(name="FinalTest"), store=store).run()
    assert store.count(RunQuery(status=RunStatus.ERRORED)) == 1
    assert outcome_of(Fitted(), FinalTest(), store=store).scores["test_uses"].value == 1


def test_the_weights_are_judged_on_the_setup_of_the_step_that_left_them() -> None:
    outcome = outcome_of(Fitted(hparams={"width": 8}), FinalTest())
    assert outcome.scores["test/loss"].rows == 360  # 8 wide weights do not fit into the project's model


def test_the_last_step_that_left_weights_is_taken_unless_another_is_named() -> None:
    steps = (Fitted(name="First"), Fitted(name="Second"))
    assert "Second" in outcome_of(*steps, FinalTest()).summary
    assert "First" in outcome_of(*steps, FinalTest(of="First")).summary


def test_a_configuration_that_nobody_trained_is_trained_and_its_weights_are_kept() -> None:
    outcome = outcome_of(Fitted(), Chooses(chosen={"width": 8}), FinalTest())
    assert "the configuration that Chooses chose, trained for 1 epoch" in outcome.summary
    assert "1 epochs" not in outcome.summary
    assert outcome.artifact("last.ckpt") is not None
    assert "train/loss" in outcome.curves


def test_a_choice_that_changes_nothing_needs_no_other_weights() -> None:
    assert "the weights that Fitted left" in outcome_of(Fitted(), Chooses(), FinalTest()).summary


def test_the_setup_can_be_trained_again() -> None:
    assert "the project's setup, trained for 1 epoch" in outcome_of(Fitted(), FinalTest(retrain=True)).summary


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            (FinalTest(),),
            r"no weights to judge: no earlier step scored weights on validation; FinalTest\(retrain=True\)",
        ),
        (
            (Fitted(split=Split.TRAIN), FinalTest()),
            r"validation; FinalTest\(of='Fitted'\) takes weights of one that did",
        ),
        ((Fitted(), FinalTest(of="Nobody")), "of='Nobody' of step 'FinalTest' names no step of the project; before"),
        ((Chooses(), FinalTest(of="Chooses")), "Chooses left no weights"),
    ],
)
def test_without_weights_it_says_where_to_get_some(steps: tuple[Step, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        project(*steps).run()


def test_a_test_split_that_is_another_split_is_refused_before_it_is_used() -> None:
    for again, name in ((VALIDATION, "validation"), (TRAIN, "train")):
        shuffled = np.random.default_rng(0).permutation(len(again[1]))
        store = MemoryStore()
        setup = setup_of(test=(again[0][shuffled], again[1][shuffled]))
        with pytest.raises(SetupError, match=f"the test split is the {name} split: both hold the same {len(again[1])}"):
            project(FinalTest(retrain=True), setup=setup, store=store).run()
        assert not any(run.scores for run in store.runs())


def test_test_examples_that_were_learned_from_are_pointed_out() -> None:
    mixed = (np.concatenate([TEST[0], TRAIN[0][:7]]), np.concatenate([TEST[1], TRAIN[1][:7]]))
    outcome = outcome_of(Fitted(), FinalTest(), setup=setup_of(test=mixed))
    found = [one for one in outcome.findings if one.code == "ART802"]
    assert outcome.summary.endswith(found[0].message)
    assert "7 of 367 test inputs are in another split too: 7 in train" in found[0].message
    assert found[0].evidence["rows"] == list(range(360, 367))


def test_data_without_a_test_split_is_told_how_to_get_one() -> None:
    with pytest.raises(SetupError, match=r"needs a test split, and the data has: train, validation; .*art\.data\(test"):
        project(FinalTest(retrain=True), setup=setup_of(test=None)).run()


def test_a_model_that_is_worse_on_test_is_pointed_out() -> None:
    noisy = (TEST[0], np.random.default_rng(0).permutation(TEST[1]))
    found = [
        one for one in outcome_of(Fitted(), FinalTest(), setup=setup_of(test=noisy)).findings if one.code == "ART803"
    ]
    assert "on test the model is worse than on validation: " in found[0].message
    assert "accuracy by" in found[0].message


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        (lambda batch: batch[0].mean(1) > 9, "the slice 'part' holds none of the 360 test examples"),
        (lambda batch: batch[0] > 9, r"returned bool of shape \(64, 64\) for a batch of 64 examples"),
        (lambda batch: batch[0].mean(1), r"returned float32 of shape \(64,\)"),
        (lambda batch: batch["image"], "the slice 'part' raised TypeError"),
    ],
)
def test_a_slice_that_cannot_be_told_is_refused(choose: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(SetupError, match=message):
        project(FinalTest(retrain=True, slices={"part": choose})).run()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"of": "Overfit", "retrain": True}, "names weights that there are, and retrain=True makes new ones"),
        ({"slices": {"a/b": dark}}, "needs a name without '/' and ':'"),
        ({"slices": {"dark": [True]}}, "give a function of a batch"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        FinalTest(**settings)


def test_a_changed_slice_is_another_test() -> None:
    store = MemoryStore()
    outcome_of(Fitted(), FinalTest(slices={"dark": dark}), store=store)
    plan = project(Fitted(), FinalTest(slices={"dark": lambda batch: batch[0].mean(1) < 0.2}), store=store).plan()
    assert [step.action.value for step in plan.steps] == ["recall", "run"]


def test_a_regression_has_a_gap_and_no_classes() -> None:
    (x, y), (x_rest, y_rest) = toy.diabetes(validation=180)
    y_mean, y_std = y.mean(), y.std()
    half = len(y_rest) // 2
    setup = art.Setup(
        model=art.from_torch(lambda: nn.Sequential(nn.Linear(10, 1), nn.Flatten(0)), loss=nn.MSELoss, lr=0.1),
        data=art.data(
            (x, (y - y_mean) / y_std),
            (x_rest[:half], (y_rest[:half] - y_mean) / y_std),
            (x_rest[half:], (y_rest[half:] - y_mean) / y_std),
        ),
        trainer={"max_epochs": 1, "accelerator": "cpu"},
    )
    outcome = outcome_of(Fitted(), FinalTest(), setup=setup, metrics={"r2": R2Score()})
    assert {"test/r2", "test/loss", "test/validation_gap.r2"} <= set(outcome.scores)
    assert not [name for name in outcome.scores if "class_" in name]
    assert outcome.artifact("classes.csv") is None


def test_two_classes_behind_one_output_are_told_apart() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    setup = art.Setup(
        model=art.from_torch(
            lambda: nn.Sequential(nn.Linear(30, 1), nn.Flatten(0)), loss=nn.BCEWithLogitsLoss, lr=0.05
        ),
        data=art.data(
            *((x[part], y[part].astype(np.float32)) for part in (slice(300), slice(300, 430), slice(430, None)))
        ),
        trainer={"max_epochs": 1, "accelerator": "cpu"},
    )
    outcome = outcome_of(Fitted(), FinalTest(), setup=setup, metrics={"accuracy": BinaryAccuracy()})
    recalls = [outcome.scores[f"test/class_recall.{label}"] for label in (0, 1)]
    total = sum(recall.value * (recall.rows or 0) for recall in recalls) / len(x[430:])
    assert total == pytest.approx(outcome.scores["test/accuracy"].value)


def test_other_steps_may_not_look_at_the_test_split() -> None:
    with pytest.raises(SetupError, match="which is for the final test alone"):
        project(Fitted(split=Split.TEST)).run()
