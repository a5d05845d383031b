"""The whole recipe on a regression: diabetes, 442 patients, of whom a linear model knows half of what can be known."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from torch import nn

import art_training as art
from art_training.checks import BeatsBaseline
from art_training.records import Outcome, StepState, VerdictState
from art_training.steps import EvaluateBaseline, Overfit, Regularize, Squeeze, Tune
from art_training.stores.memory import MemoryStore

SIZES = {"train": 262, "validation": 90, "test": 90}


class Net(nn.Module):
    def __init__(self, width: int = 32, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).squeeze(1)


def diabetes(*, shuffled: bool = False) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Three splits, standardised by what the training split is like; `shuffled`: each patient has another one's target."""
    generator = np.random.default_rng(0)
    x, y = load_diabetes(return_X_y=True)
    order = generator.permutation(len(y))
    x, y = x[order], y[generator.permutation(order)] if shuffled else y[order]
    seen = slice(0, SIZES["train"])
    x = torch.tensor((x - x[seen].mean(0)) / x[seen].std(0), dtype=torch.float32)
    y = torch.tensor((y - y[seen].mean()) / y[seen].std(), dtype=torch.float32)
    sizes = list(SIZES.values())
    return dict(zip(SIZES, zip(x.split(sizes), y.split(sizes), strict=True), strict=True))


def recipe(*, shuffled: bool = False, **settings: Any) -> art.ArtProject:
    model = art.from_torch(Net, loss=nn.MSELoss, optimizer=torch.optim.AdamW, lr=2e-2, weight_decay=0.0)
    setup = art.Setup(
        model,
        art.data(**diabetes(shuffled=shuffled), batch_size=64),
        hparams={"width": 64},
        trainer={"max_epochs": 24, "accelerator": "cpu", "check_val_every_n_epoch": 4},
    )
    return art.recipe(setup, store=MemoryStore(), **settings)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[art.ArtProject, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("diabetes"))
        project = recipe(
            capacity=[{"width": 2}, {"width": 64}],
            candidates={
                "weight decay": art.Variant(hparams={"weight_decay": 1.0}),
                "stop early": art.Variant(trainer={"max_epochs": 8}),
            },
            space={"lr": art.space.log_uniform(1e-3, 1e-2), "width": art.space.choice(8, 64)},
            trials=3,
            squeeze=Squeeze(ensemble=2, by="validation/r2", checks=[BeatsBaseline("validation/r2", "boosting")]),
        )
        tune = next(step for step in project.steps if isinstance(step, Tune))
        project.replace_step(dataclasses.replace(tune, top=1, seeds_for_winner=2))
        regularize = next(step for step in project.steps if isinstance(step, Regularize))
        project.replace_step(dataclasses.replace(regularize, seeds=2))
        return project, project.run()


def outcome(ran: Any, step: str) -> Outcome:
    found = ran[1][step].outcome
    assert found is not None, str(ran[1])
    return found


def value(ran: Any, step: str, score: str) -> float:
    return outcome(ran, step).score(score).value


@pytest.mark.slow
def test_every_step_passes_and_the_one_that_has_nothing_to_transfer_is_left_out(ran: Any) -> None:
    project, result = ran
    assert {step.name: step.state for step in result.steps} == {
        step.name: StepState.PASSED for step in project.steps
    }, str(result)
    assert list(project.left_out) == ["TransferLearning"]
    assert project.metrics.names == ("r2", "mae")


@pytest.mark.slow
def test_what_the_steps_say_fits_a_regression(ran: Any) -> None:
    # The targets are standardised, so that the best constant leaves a loss of one.
    assert value(ran, "CheckLossOnInit", "expected_loss") == pytest.approx(1.0, abs=0.01)
    assert value(ran, "CheckLossOnInit", "train/loss") == pytest.approx(1.0, abs=0.3)
    assert value(ran, "OverfitOneBatch", "loss_share") < 0.1
    linear = outcome(ran, "EvaluateBaseline").candidate("linear")
    assert linear is not None
    assert value(ran, "Overfit", "train/loss") < linear.scores["validation/loss"].value
    assert value(ran, "Overfit", "train/r2") > value(ran, "Overfit", "validation/r2")
    squeeze = outcome(ran, "Squeeze")
    calibration = squeeze.reading("calibration")
    assert calibration is not None
    assert "not probabilities" in calibration.note
    assert not any(name.startswith("ece") for name in squeeze.scores)


@pytest.mark.slow
def test_the_deliberate_choices_are_told_with_their_doubts(ran: Any) -> None:
    regularize, tune = outcome(ran, "Regularize"), outcome(ran, "Tune")
    assert [one.name for one in regularize.candidates] == ["reference", "weight decay", "stop early"]
    assert all(one.scores["gain"].interval is not None for one in regularize.candidates[1:])
    assert regularize.parameters["winner"] in regularize.summary or "the reference is handed on" in regularize.summary
    assert tune.score("finished_trials").value == 3
    assert ("not handed on" in tune.summary) is not tune.parameters["carried"]


@pytest.mark.slow
def test_the_test_split_is_used_once_and_on_all_its_rows(ran: Any) -> None:
    final = outcome(ran, "FinalTest")
    assert final.score("test/r2").rows == SIZES["test"]
    assert final.score("test/r2").interval is not None
    assert 0.1 < final.score("test/r2").value < 0.7  # published results on these data lie around 0.45
    assert final.score("test_uses").value == final.score("tested_models").value == 1
    assert not [one for one in final.findings if one.code == "ART801"]
    others = [step.name for step in ran[1].steps if step.name not in {"ExploreData", "FinalTest"}]
    assert not [name for step in others for name in outcome(ran, step).scores if name.startswith("test")]


@pytest.mark.slow
def test_a_second_run_trains_nothing(ran: Any) -> None:
    again = ran[0].run()
    assert all(step.recalled for step in again.steps)


@pytest.mark.slow
def test_targets_that_do_not_belong_to_their_inputs_are_found_before_anything_else_is_trained() -> None:
    result = recipe(shuffled=True).run(until="EvaluateBaseline")
    assert result["EvaluateBaseline"].state is StepState.FAILED, str(result)
    failed = [one for one in result["EvaluateBaseline"].judgement.verdicts if one.state is VerdictState.FAILED]
    assert [one.check for one in failed] == ["better with its inputs than without, beyond doubt"]


@pytest.mark.slow
def test_targets_that_cannot_be_predicted_are_learned_by_heart_and_delivered_to_nobody() -> None:
    project = recipe(shuffled=True, candidates={}, squeeze=None)
    squeeze = next(step for step in project.steps if isinstance(step, Squeeze))
    small = dataclasses.replace(squeeze, ensemble=2, longer=0, distill=False, export=False)
    project.replace_step(small).replace_step(Overfit(trainer={"max_epochs": 150}))
    project.replace_step(EvaluateBaseline())  # who does not ask is told at the end
    result = project.run()
    states = {step.name: step.state for step in result.steps}
    assert states["Overfit"] is StepState.PASSED, str(result)
    assert states["Squeeze"] is StepState.FAILED, str(result)
    assert states["FinalTest"] is StepState.NOT_RUN
    failed = [one for one in result["Squeeze"].judgement.verdicts if one.state is VerdictState.FAILED]
    assert [one.check for one in failed] == ["validation/r2 beats the best baseline"]
