"""Faults that an earlier implementation had, none of which may come back: those that show only where steps work together.

Each of the others is a test where its part is tested:

| lesson | test |
|---|---|
| fine-tuning began again from a fresh model | tests/steps/test_transfer_learning.py::test_the_frozen_part_stays_the_rest_trains_and_fine_tuning_goes_on_from_there |
| the fine-tuning learning rate was never applied | tests/steps/test_transfer_learning.py::test_the_frozen_part_stays_the_rest_trains_and_fine_tuning_goes_on_from_there |
| fine-tuning stopped early because of the frozen phase | tests/steps/test_transfer_learning.py::test_early_stopping_of_the_frozen_phase_does_not_stop_fine_tuning |
| metrics were means of batches | tests/setup/scores/test_scoring.py::test_a_mean_of_batch_values_would_be_another_number |
| metrics were shared between splits | tests/setup/scores/test_scoring.py::test_splits_share_no_state |
| metrics were never reset | tests/setup/scores/test_scoring.py::test_a_second_evaluation_begins_from_nothing |
| NaN passed the existence check | tests/checks/test_bounds.py::test_what_is_not_finite_passes_no_comparison |
| two metrics of one class had one key | tests/setup/scores/test_metrics.py::test_two_metrics_of_one_class_are_told_apart |
| two steps of one class had one identity | tests/runner/test_flow.py::test_two_steps_of_one_class_are_two_steps |
| two projects shared results | tests/runner/test_flow.py::test_two_projects_in_one_store_do_not_share_results |
| the record showed other settings than were used | tests/runner/test_flow.py::test_steps_see_their_own_settings_and_the_record_shows_them |
| the best checkpoint stood in for the overfitted weights | tests/steps/test_overfit.py::test_the_overfitted_weights_themselves_are_scored_and_not_the_best_checkpoint |
| callbacks were shared between trainings | tests/engines/lightning/test_redirect.py::test_two_fits_share_nothing_through_a_callback |
| callbacks were shared between candidates | tests/steps/regularization/test_trying.py::test_callbacks_begin_anew_with_every_candidate_and_seed |
| data modifiers changed the shared data for good | tests/steps/regularization/test_trying.py::test_a_data_modifier_changes_neither_the_users_arrays_nor_the_next_candidate |
| list arguments were appended to | tests/runner/test_flow.py::test_a_list_that_its_owner_appends_to_does_not_reach_into_a_step |
| one failed epoch blocked a retry with fifty | tests/steps/regularization/test_trying.py::test_one_failed_epoch_does_not_stand_in_for_fifty |
| hooks of the datamodule never ran | tests/engines/lightning/test_data.py::test_every_hook_of_a_datamodule_runs_in_training |
| of several validation loaders one was kept | tests/setup/scores/test_scoring.py::test_several_loaders_have_scores_each_and_pooled |
| skipping a metric broke training | tests/setup/scores/test_scoring.py::test_the_loss_is_measured_without_any_metric |
| images were scaled twice | tests/steps/test_pictures.py::test_images_of_a_sheet_are_scaled_together_and_once |
| images that are constant became NaN | tests/steps/test_pictures.py::test_a_constant_image_is_grey_and_what_is_not_finite_is_black |
| data and settings that changed went unseen | tests/setup/identity/test_fingerprint.py::test_each_part_of_a_setup_is_told_by_name |
| the weights of one phase were scored as those of another | tests/steps/transfer/test_phases.py::test_the_scores_are_of_the_weights_that_each_phase_ended_with |
| a typo in a metric's name lost the training | tests/runner/test_flow.py::test_a_typo_in_a_metric_name_loses_nothing_of_the_training |
| checks stopped at the first failure | tests/runner/test_flow.py::test_all_checks_are_asked_though_the_first_fails_or_raises |
"""

from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

import art_training as art
from art_training.checks import Exists, NoNaN
from art_training.records import Outcome, StepState
from art_training.steps import CheckLossOnInit, Overfit, OverfitOneBatch, Regularize, Step, only
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits

(X, Y), (XV, YV) = digits()
X, XV = torch.tensor(X, dtype=torch.float32)[:256], torch.tensor(XV, dtype=torch.float32)
Y, YV = torch.tensor(Y)[:256], torch.tensor(YV)


class Net(L.LightningModule):
    def __init__(self, width: int = 16, lr: float = 1e-2) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Digits(L.LightningDataModule):
    """One instance for the whole project, which counts what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.images, self.shown = X.clone(), 0

    def train_dataloader(self) -> Any:
        self.shown += 1
        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(self.images, Y), batch_size=64, shuffle=True)

    def val_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(XV, YV), batch_size=180)


def project(*steps: Step, metrics: dict[str, Any] | None = None, data: Any = None, **trainer: Any) -> art.ArtProject:
    setup = art.Setup(
        Net,
        art.data((X, Y), (XV, YV), batch_size=64) if data is None else data,
        trainer={"max_epochs": 3, "accelerator": "cpu", **trainer},
    )
    declared = {"accuracy": MulticlassAccuracy(10, average="micro")} if metrics is None else metrics
    return art.ArtProject("lessons", setup, metrics=declared, steps=steps, store=MemoryStore())


def outcome_of(result: Any, step: str) -> Outcome:
    found = result[step].outcome
    assert found is not None, str(result)
    return found


def values(outcome: Outcome) -> dict[str, float]:
    return {name: score.value for name, score in outcome.scores.items()}


def test_callbacks_are_not_shared_between_steps_and_each_step_has_its_own_best_checkpoint() -> None:
    stopping, keeping = EarlyStopping("val_loss", patience=1, min_delta=10.0), ModelCheckpoint(monitor="val_loss")
    steps = [Overfit(name=name, checks=only(NoNaN())) for name in ("First", "Second", "Third")]
    result = project(*steps, max_epochs=8, callbacks=[stopping, keeping]).run()
    outcomes = [outcome_of(result, step.name) for step in steps]
    # Had the first left its patience used up, those behind it would have ended with their first epoch.
    assert [one.reading("epochs").value for one in outcomes] == [2, 2, 2]
    assert len({one.artifact("best.ckpt").digest for one in outcomes}) == 3
    assert stopping.wait_count == stopping.stopped_epoch == 0
    assert keeping.best_model_path == ""


def zeroed(data: Digits) -> Digits:
    data.images.zero_()
    return data


def narrow(module: Net) -> Net:
    module.net = nn.Sequential(nn.Linear(64, 1), nn.Linear(1, 10))
    return module


@pytest.mark.parametrize("data", [None, Digits], ids=["arrays", "an instance"])
def test_what_a_step_gives_does_not_depend_on_the_steps_that_ran_before_it(data: Any) -> None:
    modifiers = {"zeroed": art.Variant(data=zeroed), "narrow": art.Variant(model=narrow)}
    if data is None:
        modifiers.pop("zeroed")
    on: dict[str, Any] = {"continue_on_failure": True}
    before = [CheckLossOnInit(**on), OverfitOneBatch(max_steps=20, **on), Regularize(modifiers, seeds=1, **on)]
    own = Digits() if data else None
    alone = project(Overfit(), data=own).run()
    after = project(*before, Overfit(), data=own).run()
    assert outcome_of(after, "Regularize").parameters["winner"] == "reference"
    assert values(outcome_of(after, "Overfit")) == values(outcome_of(alone, "Overfit"))
    if own is not None:
        assert torch.equal(own.images, X)
        assert own.shown == 0, "the user's own instance was used"


def test_a_step_without_any_metric_trains_and_is_judged_by_its_loss() -> None:
    metrics = {"accuracy": MulticlassAccuracy(10), "f1": MulticlassF1Score(10)}
    result = project(
        OverfitOneBatch(skip_metrics=["accuracy", "f1"]), Overfit(skip_metrics=["accuracy"]), metrics=metrics
    ).run()
    assert result.passed, str(result)
    assert "train/loss" in outcome_of(result, "OverfitOneBatch").scores
    assert set(outcome_of(result, "Overfit").scores) == {
        f"{split}/{name}" for split in ("train", "validation") for name in ("f1", "loss")
    }


def test_steps_of_one_project_are_not_those_of_another() -> None:
    first, second = (art.ArtProject(name, art.Setup(Net, Digits)) for name in ("first", "second"))
    first.add_step(Overfit())
    assert (len(first.steps), len(second.steps)) == (1, 0)
    assert Overfit().hparams is not Overfit().hparams


def test_a_score_that_is_not_a_number_is_no_score_that_exists() -> None:
    class Undefined(nn.Module):
        higher_is_better = True

        def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return torch.tensor(float("nan"))

    step = Overfit(checks=only(Exists("validation/undefined")))
    result = project(step, metrics={"undefined": Undefined()}).run()
    assert result["Overfit"].state is StepState.FAILED


def test_the_project_that_comes_with_art_learns_from_other_examples_than_it_is_judged_by(monkeypatch: Any) -> None:
    from art_training.templates.digits import art_project as shipped

    data = shipped.DigitsData()
    data.setup("fit")
    train = data.train.dataset  # of which a part may be taken, to learn from few examples
    parts = [set(train.indices), set(data.validation.indices), set(data.test.indices)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 1797
    assert len(data.train) == len(train)
