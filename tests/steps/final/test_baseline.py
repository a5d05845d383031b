"""The best baseline on the very test rows that the model is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torchmetrics.classification import BinaryAccuracy
from torchmetrics.regression import R2Score

import art_training as art
from art_training.checks import Check, KeepsUpWithBaseline, NoNaN
from art_training.errors import CheckError
from art_training.project import ArtProject
from art_training.records import Outcome, Score, StepState
from art_training.setup.setup import Setup
from art_training.steps import EvaluateBaseline, FinalTest, Step
from art_training.steps.bench import Bench
from art_training.stores.memory import MemoryStore


@dataclass(frozen=True)
class Fitted(Step):
    """Trains for some steps and scores its weights on validation."""

    steps: int = 1
    checks: Sequence[Check] = (NoNaN(),)

    def run(self, bench: Bench) -> Outcome:
        result = bench.fit(max_steps=self.steps)
        assert result.last is not None
        kept = bench.keep(result.last, name="last.ckpt", kind="checkpoint")
        return Outcome(scores=bench.evaluate(art.Split.VALIDATION, weights=result.last).scores, artifacts=(kept,))


@dataclass(frozen=True)
class Spoils(Step):
    """Hands on data whose training inputs are noise, as an augmentation may do that is good for a network."""

    checks: Sequence[Check] = (NoNaN(),)

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"train/loss": Score(1.0)})

    def carry(self, setup: Setup, outcome: Outcome) -> Setup:
        (x, y), validation, test = diabetes()
        noise = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
        return setup.but(data=art.data((noise, y), validation, test, batch_size=64))


class Line(nn.Module):
    def __init__(self, width: int = 10) -> None:
        super().__init__()
        self.net = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def diabetes() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    inputs, targets = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(inputs))
    x, y = inputs[order].astype(np.float32), ((targets[order] - 152) / 77).astype(np.float32)[:, None]
    return (x[:250], y[:250]), (x[250:340], y[250:340]), (x[340:], y[340:])


def cancer() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    inputs, labels = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(inputs))
    x = ((inputs - inputs.mean(0)) / inputs.std(0))[order].astype(np.float32)
    y = labels[order].astype(np.float32)[:, None]
    return (x[:300], y[:300]), (x[300:420], y[300:420]), (x[420:], y[420:])


def setup_of(splits: Any, loss: Any = nn.MSELoss, **changes: Any) -> Setup:
    model = art.from_torch(Line, loss=loss, lr=1e-2)
    data = art.data(*splits, batch_size=64)
    hparams = {"width": splits[0][0].shape[1]}
    return art.Setup(model=model, hparams=hparams, data=data, trainer={"accelerator": "cpu"}, **changes)


def project(setup: Setup, metrics: Any, *steps: Step, store: MemoryStore | None = None) -> ArtProject:
    return ArtProject("p", setup, metrics=metrics, steps=steps, store=store or MemoryStore())


def final_of(made: ArtProject) -> Outcome:
    outcome = made.run()["FinalTest"].outcome
    assert outcome is not None
    return outcome


def linear_alone(splits: Any) -> np.ndarray:
    """What a ridge regression makes of the test inputs, by scikit-learn alone."""
    (x, y), _, (test, _) = splits
    return make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha=1.0)).fit(x, y[:, 0]).predict(test)


def test_the_best_baseline_is_scored_on_the_same_test_rows_and_the_difference_is_that_of_both_scores() -> None:
    splits = diabetes()
    final = final_of(project(setup_of(splits), {"r2": R2Score()}, EvaluateBaseline(), Fitted(), FinalTest()))
    predicted, wanted = linear_alone(splits), splits[2][1][:, 0]
    r2 = 1 - ((predicted - wanted) ** 2).sum() / ((wanted - wanted.mean()) ** 2).sum()
    scores = final.scores
    assert scores["test/baseline.r2"].value == pytest.approx(r2, abs=1e-4)
    assert scores["test/baseline.loss"].value == pytest.approx(((predicted - wanted) ** 2).mean(), abs=1e-4)
    gain = scores["test/baseline_gain.r2"]
    assert gain.value == pytest.approx(scores["test/r2"].value - r2, abs=1e-4)
    assert gain.rows == len(wanted)
    assert gain.interval is not None
    assert gain.interval.high < 0  # a net that learned for one step is surely worse
    lost = scores["test/baseline_gain.loss"]  # turned so that positive is better
    assert lost.value == pytest.approx(scores["test/baseline.loss"].value - scores["test/loss"].value, abs=1e-4)
    told = final.reading("compared with")
    assert told is not None
    assert str(told.value).startswith("linear, the best baseline by validation/r2, learned anew")


def test_a_model_that_the_baseline_surely_beats_is_a_finding_and_fails_the_check_where_it_is_asked() -> None:
    made = project(
        setup_of(diabetes()),
        {"r2": R2Score()},
        EvaluateBaseline(),
        Fitted(),
        FinalTest(checks=[KeepsUpWithBaseline("r2")]),
    )
    result = made.run()["FinalTest"]
    assert result.outcome is not None
    (finding,) = [one for one in result.outcome.findings if one.code == "ART804"]
    assert "on test the model is worse than the baseline linear, which reaches test/r2 0." in finding.message
    assert result.state is StepState.FAILED
    assert result.judgement is not None
    told = result.judgement.verdicts[-1].reason
    assert told.startswith("test/r2 is ")
    assert " and baseline linear's 0." in told
    assert ", surely worse" in told


def test_the_baseline_learns_from_the_data_that_it_was_evaluated_with_whatever_a_later_step_chose() -> None:
    splits, metrics = diabetes(), {"r2": R2Score()}
    final = final_of(project(setup_of(splits), metrics, EvaluateBaseline(), Spoils(), Fitted(), FinalTest()))
    predicted, wanted = linear_alone(splits), splits[2][1][:, 0]
    r2 = 1 - ((predicted - wanted) ** 2).sum() / ((wanted - wanted.mean()) ** 2).sum()
    assert final.scores["test/baseline.r2"].value == pytest.approx(r2, abs=1e-4)


def test_the_baseline_is_no_other_use_of_the_test_split_and_no_other_model() -> None:
    store = MemoryStore()
    setup = setup_of(cancer(), nn.BCEWithLogitsLoss)
    steps = [EvaluateBaseline(), Fitted(steps=60), FinalTest()]
    final = final_of(project(setup, {"accuracy": BinaryAccuracy()}, *steps, store=store))
    assert final.scores["test_uses"].value == final.scores["tested_models"].value == 1
    assert len(store.uses("p")) == 1
    gain = final.scores["test/baseline_gain.accuracy"]  # a number a row against targets of one column
    reached, theirs = final.scores["test/accuracy"].value, final.scores["test/baseline.accuracy"].value
    assert gain.value == pytest.approx(reached - theirs, abs=1e-6)


def test_what_predicts_validation_rows_alone_is_passed_over_and_a_rule_is_asked() -> None:
    splits = cancer()
    perfect = splits[1][1].copy()
    rule = {"my rule": _by_the_worst_radius, "file": perfect}
    made = project(
        setup_of(splits, nn.BCEWithLogitsLoss),
        {"accuracy": BinaryAccuracy()},
        EvaluateBaseline(predictions=rule, human={"accuracy": 0.99, "source": "two readers"}),
        Fitted(),
        FinalTest(),
    )
    told = final_of(made).reading("compared with")
    assert told is not None
    assert "that can be asked of other examples, behind file" in str(told.value)
    assert not str(told.value).startswith(("file", "human"))


def test_targets_that_the_outputs_put_into_other_units_are_not_compared_and_it_is_said() -> None:
    setup = setup_of(diabetes(), outputs=_in_units)
    final = final_of(project(setup, {"r2": R2Score()}, EvaluateBaseline(), Fitted(), FinalTest()))
    assert "test/baseline_gain.r2" not in final.scores
    reading = final.reading("test/baseline_gain.r2")
    assert reading is not None
    assert "not those that the model was scored on" in reading.note


def test_without_a_baseline_before_it_nothing_is_compared_and_the_check_is_refused_beforehand() -> None:
    setup, metrics = setup_of(diabetes()), {"r2": R2Score()}
    final = final_of(project(setup, metrics, Fitted(), FinalTest()))
    assert not [name for name in final.scores if "baseline" in name]
    with pytest.raises(CheckError, match=r"add the step EvaluateBaseline\(\) before FinalTest"):
        project(setup, metrics, Fitted(), FinalTest(checks=[KeepsUpWithBaseline("r2")])).plan()


def test_another_best_baseline_makes_the_test_stale() -> None:
    setup, metrics, store = setup_of(diabetes()), {"r2": R2Score()}, MemoryStore()
    project(setup, metrics, EvaluateBaseline(), Fitted(), FinalTest(), store=store).run()
    again = project(setup, metrics, EvaluateBaseline(fit_rows=50), Fitted(), FinalTest(), store=store)
    plan = {one.step: one.action.value for one in again.plan().steps}
    assert plan["Fitted"] == "recall"
    newest = final_of(again)
    assert newest.scores["test_uses"].value == 2  # the same weights, looked at once more
    assert newest.scores["tested_models"].value == 1


def _by_the_worst_radius(batch: Any) -> torch.Tensor:
    return (batch[0][:, 20] < 0).float()[:, None]


def _in_units(batch: Any, returned: Any) -> Any:
    return returned["predictions"] * 77 + 152, batch[1] * 77 + 152
