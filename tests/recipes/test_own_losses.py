"""A step may make its own loss of the task's; what is compared with baselines is the task's alone."""

from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import BinaryConfusionMatrix, MulticlassAccuracy

import art_training as art
from art_training.checks import Below
from art_training.errors import ProjectError, SetupError, UnknownMetric
from art_training.records import VerdictState
from art_training.steps import EvaluateBaseline, FinalTest, Overfit, Regularize, Squeeze
from art_training.stores.memory import MemoryStore

X, Y = load_digits(return_X_y=True)
ORDER = torch.randperm(len(Y), generator=torch.Generator().manual_seed(0))
X, Y = torch.tensor(X / 16, dtype=torch.float32)[ORDER], torch.tensor(Y)[ORDER]
DATA = art.data((X[:600], Y[:600]), (X[600:900], Y[600:900]), (X[900:1300], Y[900:1300]))


class Tenth(nn.Module):
    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return 0.1 * functional.cross_entropy(scores, targets)


class Tenfold(nn.Module):
    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return 10 * functional.cross_entropy(scores, targets)


class Focal(nn.Module):
    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        each = functional.cross_entropy(scores, targets, reduction="none")
        return ((1 - (-each).exp()) ** 2 * each).mean()


def net(dropout: float = 0.0) -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 10))


def setup_of(loss: Any, *, epochs: int, lr: float = 1e-2) -> art.Setup:
    model = art.from_torch(net, loss=loss, optimizer=torch.optim.Adam, lr=lr)
    return art.Setup(model, DATA, trainer={"max_epochs": epochs, "accelerator": "cpu"})


def project_of(setup: art.Setup, *steps: Any) -> art.ArtProject:
    accuracy = MulticlassAccuracy(10, average="micro")
    return art.ArtProject("p", setup, metrics={"accuracy": accuracy}, steps=steps, store=MemoryStore())


def fits(setup: art.Setup) -> Any:
    check = art.checks.BeatsBaseline("train/loss", against="validation/loss")
    return project_of(setup, EvaluateBaseline(), Overfit(checks=[check])).run()["Overfit"]


def verdict_of(step: Any) -> Any:
    return next(one for one in step.judgement.verdicts if "baseline" in one.check)


@pytest.mark.parametrize("loss", [Tenth, Focal])
def test_a_loss_that_is_small_by_a_factor_makes_no_model_better_than_a_baseline(loss: Any) -> None:
    overfit = fits(setup_of(loss, epochs=1, lr=1e-3))
    scores = overfit.outcome.scores
    verdict = verdict_of(overfit)
    assert scores["train/loss"].value < 1.8 < scores["train/task_loss"].value
    assert verdict.state is VerdictState.FAILED
    assert "train/task_loss" in verdict.reason


@pytest.mark.slow
def test_a_loss_that_is_large_by_a_factor_makes_no_model_worse() -> None:
    overfit = fits(setup_of(Tenfold, epochs=25))
    scores = overfit.outcome.scores
    assert scores["train/loss"].value == pytest.approx(10 * scores["train/task_loss"].value, rel=1e-3)
    assert verdict_of(overfit).state is VerdictState.PASSED


def test_the_task_loss_is_that_of_the_predictions_and_told_only_where_it_is_another() -> None:
    found = project_of(setup_of(Focal, epochs=1), Overfit()).run()["Overfit"].outcome
    assert found is not None
    alone = found.scores["validation/task_loss"]
    assert alone.interval is not None
    assert alone.interval.low < alone.value < alone.interval.high
    plain = project_of(setup_of(nn.CrossEntropyLoss, epochs=1), Overfit()).run()["Overfit"].outcome
    assert plain is not None
    assert not [address for address in plain.scores if "task_loss" in address]
    with pytest.raises(ProjectError, match="a metric is called 'task_loss', which is the name of the model's own loss"):
        art.ArtProject("p", setup_of(Focal, epochs=1), metrics={"task_loss": MulticlassAccuracy(10)})


def test_a_check_may_ask_for_the_task_loss() -> None:
    result = project_of(setup_of(Tenth, epochs=1), Overfit(checks=[Below("train/task_loss", 0.01)])).run()
    assert "train/task_loss is" in str(result)


@pytest.mark.slow
def test_a_table_of_baselines_and_a_final_test_compare_like_with_like() -> None:
    result = project_of(
        setup_of(Tenth, epochs=3),
        EvaluateBaseline(inputs="zeroed"),
        Overfit(),
        FinalTest(of="Overfit", checks=[art.checks.KeepsUpWithBaseline("loss")]),
    ).run()
    baselines, test = result["EvaluateBaseline"].outcome, result["FinalTest"].outcome
    assert baselines is not None
    assert test is not None
    own = baselines.candidate("inputs real")
    assert own is not None
    assert own.scores["validation/loss"].value > 0.15  # a tenth of which is what the step's own loss says
    assert "validation/task_loss" not in own.scores
    gain = test.scores["test/baseline_gain.loss"].value
    theirs = test.scores["test/baseline.loss"]
    assert theirs.value - test.scores["test/task_loss"].value == pytest.approx(gain, abs=2e-3)
    assert theirs.source.startswith("baseline ")
    assert f"{test.scores['test/task_loss'].value:.2g}"[:4] in str(result)


def test_whether_a_test_keeps_up_is_asked_of_a_score_that_there_is_and_of_a_final_test() -> None:
    setup = setup_of(nn.CrossEntropyLoss, epochs=1)
    with pytest.raises(UnknownMetric, match=r"asks for 'acuracy', which it will not have .did you mean 'accuracy'"):
        project_of(
            setup,
            EvaluateBaseline(),
            Overfit(),
            FinalTest(of="Overfit", checks=[art.checks.KeepsUpWithBaseline("acuracy")]),
        )
    with pytest.raises(UnknownMetric, match="asks for 'baseline_gain', which it will not have"):
        project_of(setup, EvaluateBaseline(), Overfit(checks=[art.checks.KeepsUpWithBaseline("accuracy")]))


def imbalanced(**options: Any) -> art.Setup:
    x = torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, :1] > 1.2).float()
    model = art.from_torch(lambda: nn.Linear(4, 1), loss=nn.BCEWithLogitsLoss(**options), lr=0.1)
    return art.Setup(model, art.data((x[:200], y[:200]), (x[200:300], y[200:300]), (x[300:], y[300:])))


def test_whose_loss_weighs_classes_is_not_judged_by_how_often_the_usual_one_is_right() -> None:
    def decides(setup: art.Setup) -> Any:
        return next(step.by for step in art.recipe(setup, store=MemoryStore()).steps if isinstance(step, Squeeze))

    assert decides(imbalanced()) == "validation/accuracy"
    assert decides(imbalanced(pos_weight=torch.tensor(8.0))) == "validation/auroc"
    weighted = nn.CrossEntropyLoss(weight=torch.arange(1.0, 11.0))
    assert decides(setup_of(weighted, epochs=1)) == "validation/balanced_accuracy"


def test_the_first_metric_decides_of_which_it_is_known_which_way_is_better() -> None:
    setup = imbalanced()
    metrics = {"confusion": BinaryConfusionMatrix(), "rank": _rank}
    with pytest.raises(SetupError, match="not known which way metric 'confusion' is better"):
        art.recipe(setup, metrics=metrics, store=MemoryStore()).plan()
    from torchmetrics.classification import BinaryAccuracy

    known = art.recipe(setup, metrics={**metrics, "right": BinaryAccuracy()}, store=MemoryStore())
    assert next(step.by for step in known.steps if isinstance(step, Squeeze)) == "validation/right"


def _rank(predictions: Tensor, targets: Tensor) -> float:
    return float((predictions.flatten() * targets.flatten()).mean())


@pytest.mark.slow
def test_a_candidate_that_is_called_last_is_trained_as_a_member_and_not_taken_for_the_winner() -> None:
    candidates = {"last": art.Variant(hparams={"dropout": 0.9}), "light": art.Variant(hparams={"dropout": 0.1})}
    squeeze = Squeeze(of="Regularize", ensemble=3, longer=0, distill=False, export=False, calibrate=False, examples=0)
    result = project_of(
        setup_of(nn.CrossEntropyLoss, epochs=2), Regularize(candidates, seeds=2, examples=0), squeeze
    ).run()
    outcome = result["Squeeze"].outcome
    assert outcome is not None
    assert all(seconds > 0 for name, seconds in outcome.seconds.items() if name.startswith("member")), outcome.seconds
    assert "last" not in outcome.seconds
