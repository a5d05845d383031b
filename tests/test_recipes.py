"""The recipe for a setup: what is derived, what is left out, and what that would need."""

from functools import partial
from typing import Any

import lightning as L
import pytest
import torch
from sklearn.datasets import load_diabetes, load_iris
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import Above, BeatsBaseline, KeepsUpWithBaseline, NoNaN
from art_training.errors import ProjectError
from art_training.records import StepState
from art_training.steps import (
    CheckLossOnInit,
    EvaluateBaseline,
    FinalTest,
    Overfit,
    Regularize,
    Squeeze,
    Step,
    TransferLearning,
    Tune,
    only,
)
from art_training.stores.memory import MemoryStore

WHOLE = [
    "ExploreData", "Diagnose", "EvaluateBaseline", "CheckLossOnInit", "OverfitOneBatch", "Overfit", "TransferLearning", "Regularize",
    "Tune", "Squeeze", "FinalTest",
]  # fmt: skip


def net(width: int = 16, dropout: float = 0.0) -> nn.Module:
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 3))


def iris(*splits: str) -> Any:
    x, y = load_iris(return_X_y=True)
    order = torch.randperm(150, generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)[order], torch.tensor(y)[order]
    parts = {"train": slice(0, 90), "validation": slice(90, 120), "test": slice(120, 150)}
    return art.data(**{name: TensorDataset(x[parts[name]], y[parts[name]]) for name in splits}, batch_size=16)


def setup(*splits: str, model: Any = net) -> art.Setup:
    made = art.from_torch(model, loss=nn.functional.cross_entropy, optimizer=torch.optim.Adam, lr=1e-2)
    return art.Setup(made, iris(*splits), trainer={"max_epochs": 10})


def names(project: art.ArtProject) -> list[str]:
    return [step.name for step in project.steps]


def test_everything_is_there_where_everything_is_given() -> None:
    project = art.recipe(
        setup("train", "validation", "test"),
        transfer=TransferLearning(freeze="0.*"),
        space={"width": art.space.choice(8, 16)},
        trials=2,
        store="memory",
    )
    assert names(project) == WHOLE
    assert project.left_out == {}
    assert project.metrics.names == ("accuracy",)


def test_what_cannot_be_derived_is_left_out_and_says_what_it_would_need() -> None:
    project = art.recipe(setup("train"), store="memory")
    assert names(project) == ["ExploreData", "Diagnose", "CheckLossOnInit", "OverfitOneBatch", "Overfit"]
    assert set(project.left_out) == set(WHOLE) - set(names(project))
    assert "validation split" in project.left_out["Tune"]
    assert "test split" in project.left_out["FinalTest"]
    assert "pretrained" in project.left_out["TransferLearning"]
    printed = str(project.plan())
    assert all(f"left out: {name}, which needs " in printed for name in project.left_out)


def softmaxed() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(dim=1))


def test_a_silent_fault_ends_the_recipe_before_anything_is_trained_for_long() -> None:
    result = art.recipe(setup("train", "validation", "test", model=softmaxed), store="memory").run()
    assert result["Diagnose"].state is StepState.FAILED
    outcome = result["Diagnose"].outcome
    assert outcome is not None
    assert outcome.findings[0].rule == "ART402"
    assert result["EvaluateBaseline"].state is StepState.NOT_RUN


def test_without_validation_the_setup_is_trained_for_the_test_and_the_recipe_ends() -> None:
    project = art.recipe(setup("train", "test"), store="memory")
    assert names(project) == ["ExploreData", "Diagnose", "CheckLossOnInit", "OverfitOneBatch", "Overfit", "FinalTest"]
    for name in names(project)[1:-1]:  # what is long and says nothing here
        project.remove_step(name)
    outcome = project.run()["FinalTest"].outcome
    assert outcome is not None
    assert outcome.scores["test/accuracy"].value > 0.5
    assert "the project's setup, trained for 10 epochs" in outcome.summary


def test_regularisations_are_derived_from_the_names_of_hyper_parameters() -> None:
    project = art.recipe(setup("train", "validation"), store="memory")
    step = next(step for step in project.steps if isinstance(step, Regularize))
    assert list(step.candidates) == ["dropout 0.2"]
    assert "space" in project.left_out["Tune"]

    def plain(width: int = 16) -> nn.Module:
        return net(width)

    without = art.recipe(setup("train", "validation", model=plain), store="memory")
    assert "dropout" in without.left_out["Regularize"]


def step_of(project: art.ArtProject, kind: type[Step]) -> Any:
    return next(step for step in project.steps if isinstance(step, kind))


def test_choices_go_by_the_first_metric_and_what_is_delivered_must_beat_the_baselines_by_it() -> None:
    project = art.recipe(setup("train", "validation"), space={"width": art.space.choice(8, 16)}, store="memory")
    assert {step_of(project, kind).by for kind in (Regularize, Tune, Squeeze)} == {"validation/accuracy"}
    assert step_of(project, Squeeze).checks == (BeatsBaseline("validation/accuracy", step="EvaluateBaseline"),)
    unmeasured = art.recipe(setup("train", "validation"), metrics={}, store="memory")
    assert step_of(unmeasured, Squeeze).checks == (BeatsBaseline("validation/loss", step="EvaluateBaseline"),)


def test_what_is_derived_lies_under_a_squeeze_that_is_given() -> None:
    def squeezed(given: Squeeze) -> Squeeze:
        return step_of(art.recipe(setup("train", "validation"), squeeze=given, store="memory"), Squeeze)

    one = squeezed(Squeeze(ensemble=3))
    assert (one.ensemble, one.by) == (3, "validation/accuracy")
    assert one.checks == (BeatsBaseline("validation/accuracy", step="EvaluateBaseline"),)
    assert squeezed(Squeeze(checks=[NoNaN()])).checks == (NoNaN(),)
    alone = squeezed(Squeeze(checks=only())).checks
    assert alone == ()
    assert isinstance(alone, only)


def test_an_overfitted_model_is_asked_how_it_fits_and_not_yet_how_it_generalises() -> None:
    fits = BeatsBaseline("train/loss", step="EvaluateBaseline", against="validation/loss")
    assert step_of(art.recipe(setup("train", "validation"), store="memory"), Overfit).checks == (fits,)

    def distance(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return ((prediction.softmax(1) - nn.functional.one_hot(target, 3)) ** 2).mean()

    by_hand = setup("train", "validation").but(model=art.from_torch(net, loss=distance, lr=1e-2))
    metrics = {"accuracy": MulticlassAccuracy(num_classes=3)}
    fits = BeatsBaseline("train/accuracy", step="EvaluateBaseline", against="validation/accuracy")
    assert step_of(art.recipe(by_hand, metrics=metrics, store="memory"), Overfit).checks == (fits,)


def test_the_final_test_is_asked_whether_the_model_keeps_up_with_the_baselines_where_that_can_be_answered() -> None:
    def asked(given: art.Setup) -> Any:
        return step_of(art.recipe(given, store="memory"), FinalTest).checks

    assert asked(setup("train", "validation", "test")) == (KeepsUpWithBaseline("accuracy"),)
    assert asked(setup("train", "test")) == ()  # nothing was compared on validation
    x, y = torch.randn(80, 4), torch.arange(80) % 3
    few = setup("train", "validation").but(data=art.data((x, y), (x[:40], y[:40]), (x[:20] + 1, y[:20]), batch_size=16))
    assert asked(few) == ()
    told = (
        "left out: the question whether the model keeps up with the baselines on test, which needs 30 test examples or more, "
        "where there are 20"
    )
    assert told in art.recipe(few, store="memory").plan().notes
    other = setup("train", "validation", "test").but(
        outputs=lambda batch, returned: (returned["predictions"], batch[1])
    )
    assert asked(other) == ()


def test_an_empty_space_is_no_space_that_was_not_given() -> None:
    with pytest.raises(ProjectError, match=r"space=\{\} has no dimension"):
        art.recipe(setup("train", "validation"), space={}, store="memory")


def test_a_regression_gets_its_own_metrics() -> None:
    x, y = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True))
    made = art.from_torch(lambda: nn.Linear(10, 1), loss=nn.functional.mse_loss, lr=1e-2)
    project = art.recipe(art.Setup(made, art.data(train=(x, y[:, None]))), store="memory")
    assert project.metrics.names == ("r2", "mae")


class Spread(L.LightningModule):
    """Learns from inputs alone, by a loss of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 2)

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return (self.net(batch[0]).std(0) - 1).pow(2).sum()

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val_loss", self.training_step(batch, index))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def test_without_a_target_there_are_no_baselines_and_nothing_is_compared_with_them() -> None:
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    bare = art.Setup(Spread, art.data(train=(x[:48],), validation=(x[48:],)), trainer={"max_epochs": 2})
    project = art.recipe(bare, store="memory")
    assert "a target" in project.left_out["EvaluateBaseline"]
    assert step_of(project, Overfit).checks == step_of(project, Squeeze).checks == ()


def test_an_autoencoder_is_not_asked_whether_it_uses_the_inputs_that_are_its_target() -> None:
    x = torch.randn(96, 4, generator=torch.Generator().manual_seed(0))
    made = art.from_torch(lambda: nn.Linear(4, 4), loss=nn.functional.mse_loss, lr=1e-2)
    paired = art.Setup(made, art.data(train=(x[:48], x[:48]), validation=(x[48:], x[48:])))
    assert step_of(art.recipe(paired, store="memory"), EvaluateBaseline).inputs == "zeroed"

    project = art.recipe(
        art.Setup(Reconstructs, art.data(train=(x[:48],), validation=(x[48:],)), trainer={"max_epochs": 2}),
        store="memory",
    )
    assert step_of(project, EvaluateBaseline).inputs is None
    assert "the target is the input itself" in project.left_out["the question whether the model uses its inputs"]
    assert project.run(until="EvaluateBaseline")["EvaluateBaseline"].state is StepState.PASSED


class Reconstructs(Spread):
    """Learns to give back its inputs."""

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        x = batch[0]
        return nn.functional.mse_loss(self.net(x)[:, :1] + 0 * x, x)


class Flowers(L.LightningDataModule):
    """So many examples to validate on."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def train_dataloader(self) -> Any:
        return self._loader(30)

    def val_dataloader(self) -> Any:
        return self._loader(self.rows)

    def _loader(self, rows: int) -> Any:
        x, y = torch.randn(rows, 4), torch.arange(rows) % 3
        return DataLoader(TensorDataset(x, y), batch_size=8)


def test_the_examples_of_a_datamodule_are_counted_too() -> None:
    made = art.from_torch(net, loss=nn.functional.cross_entropy, lr=1e-2)
    for rows, inputs in ((12, None), (30, "zeroed")):
        project = art.recipe(art.Setup(made, partial(Flowers, rows)), store="memory")
        assert step_of(project, EvaluateBaseline).inputs == inputs
        assert ("where there are 12" in project.left_out.get("the question whether the model uses its inputs", "")) == (
            inputs is None
        )


def test_a_small_validation_split_is_not_asked_what_it_cannot_answer() -> None:
    x, y = torch.randn(60, 4), torch.arange(60) % 3
    made = art.from_torch(net, loss=nn.functional.cross_entropy, lr=1e-2)
    for rows, inputs in ((6, None), (29, None), (30, "zeroed")):
        data = art.data(train=(x[:30], y[:30]), validation=(x[30 : 30 + rows], y[30 : 30 + rows]))
        project = art.recipe(art.Setup(made, data), store="memory")
        assert step_of(project, EvaluateBaseline).inputs == inputs
        assert ("the question whether the model uses its inputs" in project.left_out) == (inputs is None)
    assert "which needs 30 validation examples or more, where there are 6" in str(
        art.recipe(art.Setup(made, art.data(train=(x[:30], y[:30]), validation=(x[:6], y[:6]))), store="memory").plan()
    )


def test_a_step_in_place_of_a_derived_one_is_asked_what_was_derived_unless_it_asks_something_itself() -> None:
    def checks(*steps: Step) -> list[tuple[Any, ...]]:
        project = art.recipe(setup("train", "validation", "test"), store="memory")
        for step in steps:
            project.replace_step(step)
        return [tuple(step.checks) for step in project.steps if step.name in {"Overfit", "Squeeze"}]

    derived = checks()
    assert all(isinstance(one[0], BeatsBaseline) for one in derived)
    assert checks(Overfit(trainer={"max_epochs": 20}), Squeeze(ensemble=2, by="validation/accuracy")) == derived
    assert checks(Overfit(), Overfit(hparams={"width": 8})) == derived
    own = Above("train/accuracy", 0.5)
    assert checks(Overfit(checks=[own]), Squeeze(checks=only(NoNaN()))) == [(own,), (NoNaN(),)]
    assert checks(Overfit(checks=[own]), Overfit())[0] == derived[0]


def test_a_step_of_another_kind_or_checks_that_a_user_wrote_are_no_derived_ones() -> None:
    project = art.recipe(setup("train", "validation"), squeeze=Squeeze(checks=[NoNaN()]), store="memory")
    project.replace_step(CheckLossOnInit(name="Overfit")).replace_step(Squeeze())
    assert [step.checks for step in project.steps if step.name in {"Overfit", "Squeeze"}] == [(), ()]


def test_what_a_step_in_place_of_a_derived_one_drops_is_named_with_how_to_give_it_again() -> None:
    people = {"accuracy": 0.98, "source": "two botanists"}
    space = {"lr": art.space.log_uniform(1e-3, 1e-1)}
    project = art.recipe(setup("train", "validation"), human=people, space=space, trials=2, store="memory")
    before = project.plan().left_out
    project.replace_step(EvaluateBaseline(predictions={"setosa": 0}))
    told = "human, inputs of EvaluateBaseline"
    assert project.plan().left_out == before | {
        told: "to be given again: EvaluateBaseline(predictions={'setosa': 0}, "
        "human={'accuracy': 0.98, 'source': 'two botanists'}, inputs='zeroed')"
    }
    assert f"left out: {told}, which needs to be given again: EvaluateBaseline(" in str(project.plan())
    project.replace_step(EvaluateBaseline(human=people, inputs="shuffled", inputs_steps=50))
    assert project.plan().left_out == before
    project.replace_step(Tune(space=space, seconds=5))
    assert project.plan().left_out.keys() - before.keys() == {"by, trials of Tune"}
    project.remove_step("Tune")
    assert project.plan().left_out == before


@pytest.mark.slow
def test_the_whole_recipe_runs() -> None:
    project = art.recipe(
        setup("train", "validation", "test"),
        space={"width": art.space.choice(8, 16)},
        trials=2,
        store=MemoryStore(),
    )
    # Thirty flowers do not tell a network from a linear model.
    project.replace_step(Overfit(checks=only(NoNaN())))
    project.replace_step(Squeeze(ensemble=2, checks=only(NoNaN())))
    result = project.run()
    assert {step.state for step in result.steps} == {StepState.PASSED}, str(result)
