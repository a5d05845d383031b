"""A frozen phase, and fine-tuning that goes on exactly where it ended."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from tests.steps.transfer.digits import Net, digits, outcome_of, project, reading, setup_of
from torch import nn

import art_training as art
from art_training.engines.lightning import LightningEngine
from art_training.errors import ProjectError, UsageError
from art_training.records import Outcome, StepState, VerdictState
from art_training.steps import Overfit, TransferLearning
from art_training.stores.artifacts import file_digest


def test_the_frozen_part_stays_the_rest_trains_and_fine_tuning_goes_on_from_there(weights: Path) -> None:
    step = TransferLearning(
        freeze="backbone.*", pretrained=weights, fresh="head.*", frozen_epochs=6, epochs=3, layer_rates=0.5
    )
    outcome, result = outcome_of(step, setup_of(digits(5, 5)))
    assert result.state is StepState.PASSED, result.judgement
    frozen = reading(outcome, "frozen part")
    # Four parameters and the three buffers of the batch norm, bit by bit those of the file, in spite of AdamW's decay.
    assert (frozen["tensors"], frozen["changed"]) == (7, [])
    assert reading(outcome, "trained part")["changed tensors"] == 2
    between = reading(outcome, "weights between the phases")
    assert between["before"] == between["after"] != ""
    assert reading(outcome, "thawed part")["changed tensors"] == 4
    assert reading(outcome, "freshly initialised") == {"head.weight": "fresh= names it", "head.bias": "fresh= names it"}
    assert reading(outcome, "epochs") == {"frozen": 6, "fine-tuning": 3}
    rates = {name: set(curve.values) for name, curve in outcome.curves.items() if "/lr/" in name}
    assert {value for name, values in rates.items() if name.startswith("frozen/") for value in values} == {0.01}
    found = sorted({value for name, values in rates.items() if name.startswith("fine-tuning/") for value in values})
    assert found == pytest.approx([0.01 * 0.1 * 0.25, 0.01 * 0.1 * 0.5, 0.01 * 0.1])
    assert [one.name for one in outcome.candidates] == ["frozen", "fine-tuning"]
    assert {one.name for one in outcome.artifacts if one.kind == "checkpoint"} == {"frozen.ckpt", "last.ckpt"}


def test_early_stopping_of_the_frozen_phase_does_not_stop_fine_tuning(weights: Path) -> None:
    impatient = EarlyStopping("val_loss", patience=1, min_delta=10.0)
    step = TransferLearning(freeze="backbone.*", pretrained=weights, fresh="head.*", frozen_epochs=8, epochs=8)
    outcome, _ = outcome_of(step, setup_of(digits(5, 3), callbacks=[impatient]))
    # Each phase stops on its own patience: had it kept its state, the second would have ended with its first epoch.
    assert reading(outcome, "epochs") == {"frozen": 2, "fine-tuning": 2}
    assert impatient.stopped_epoch == 0  # the user's own was never used


def test_batch_norms_that_are_not_frozen_do_change(weights: Path) -> None:
    step = TransferLearning(freeze="backbone.1.*", pretrained=weights, fresh="head.*", frozen_epochs=2, epochs=1)
    outcome, _ = outcome_of(step, setup_of(digits(5, 3)))
    assert reading(outcome, "frozen part")["tensors"] == 2
    assert "model.backbone.2.weight" in reading(outcome, "trained part")["changed"]


def test_a_batch_norm_without_parameters_stays_with_the_layer_before_it(tmp_path: Path) -> None:
    def flat() -> nn.Module:
        hidden = [nn.Linear(64, 8), nn.BatchNorm1d(8, affine=False), nn.ReLU(), nn.Linear(8, 8)]
        return nn.Sequential(*hidden, nn.BatchNorm1d(8, affine=False), nn.ReLU(), nn.Linear(8, 5))

    path = tmp_path / "flat.pt"
    torch.save(flat().state_dict(), path)
    setup = setup_of(digits(5, 3)).but(model=art.from_torch(flat, loss=nn.CrossEntropyLoss, lr=1e-2))
    step = TransferLearning(freeze=art.all_but_last(1), pretrained=path, fresh="6.*", frozen_epochs=1, epochs=1)
    outcome, _ = outcome_of(step, setup)
    # Two layers with two parameters each, and three buffers of each batch norm.
    assert (reading(outcome, "frozen part")["tensors"], reading(outcome, "frozen part")["changed"]) == (10, [])
    step = TransferLearning(freeze="0.*", pretrained=path, frozen_epochs=1, epochs=1)
    outcome, _ = outcome_of(step, setup)
    assert (reading(outcome, "frozen part")["tensors"], reading(outcome, "frozen part")["changed"]) == (5, [])


def test_layers_thaw_one_an_epoch(weights: Path) -> None:
    step = TransferLearning(
        freeze="backbone.*", pretrained=weights, fresh="head.*", frozen_epochs=1, epochs=2, unfreeze="gradual"
    )
    outcome, result = outcome_of(step, setup_of(digits(5, 3)))
    assert reading(outcome, "thawed part")["changed tensors"] == 4
    assert result.outcome.parameters["fine-tuning"]


def test_a_trainer_that_a_function_makes_trains_as_long_as_each_phase_says(weights: Path) -> None:
    def trainer(**settings: Any) -> Any:
        from lightning import Trainer

        return Trainer(max_epochs=9, accelerator="cpu", num_sanity_val_steps=0, **settings)

    setup = setup_of(digits(5, 3)).but(trainer=trainer)
    step = TransferLearning(freeze="backbone.*", pretrained=weights, fresh="head.*", frozen_epochs=3, epochs=2)
    outcome, _ = outcome_of(step, setup)
    assert reading(outcome, "epochs") == {"frozen": 3, "fine-tuning": 2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": "bakbone.*"}, r"'bakbone\.\*' matches none of the model's 6 parameters"),
        ({"freeze": "*"}, "matches all 6 parameters"),
        (
            {"pretrained": "Nothing"},
            "pretrained='Nothing' of step 'TransferLearning' is neither a file nor an earlier step",
        ),
        ({"layer_rates": {"stem.*": 0.5}}, "matches none of the model's parameters"),
        ({"fresh": "tail.*"}, r"fresh='tail\.\*' matches none"),
    ],
)
def test_what_does_not_belong_to_the_model_is_refused_before_it_is_trained(
    weights: Path, settings: dict[str, Any], message: str
) -> None:
    step = TransferLearning(**{"freeze": "backbone.*", "pretrained": weights, **settings})
    with pytest.raises(UsageError, match=message):
        project(step, setup=setup_of(digits(5, 3))).run()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": []}, "names nothing"),
        ({"frozen_epochs": 0}, "frozen_epochs=0 .* must be a whole number of at least 1"),
        ({"epochs": 0}, "epochs=0 .* must be a whole number of at least 1"),
        ({"fine_tuning_rate": 0}, "fine_tuning_rate=0 .* is no positive factor"),
        ({"layer_rates": -0.5}, r"layer_rates=-0\.5 .* is no positive factor"),
        ({"layer_rates": {"head.*": "fast"}}, r"layer_rates\['head\.\*'\]='fast'"),
        ({"unfreeze": "slowly"}, "is neither 'all' nor 'gradual'"),
        ({"pretrained": ""}, "is neither a file nor the name of an earlier step"),
        ({"fresh": "head.*"}, "says what is not taken of pretrained weights, and there are none"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        TransferLearning(**settings)


def test_what_comes_after_a_second_transfer_has_a_fresh_head_where_that_one_had(weights: Path) -> None:
    setup, engine = setup_of(digits(5, 5)), LightningEngine()
    names = {f"model.{name}": name for name in torch.load(weights)}
    handed = Outcome(parameters={"pretrained": {"from": "it", "digest": file_digest(weights)[0], "names": names}})
    fetch: Any = None
    first = TransferLearning(pretrained=weights).carry_with(setup, handed, fetch)
    body = {name: file for name, file in names.items() if "head" not in name}
    source = {**handed.parameters["pretrained"], "names": body, "fresh": sorted(names.keys() - body.keys())}
    second = TransferLearning(pretrained=weights, fresh="head").carry_with(
        first, Outcome(parameters={"pretrained": source}), fetch
    )
    own, later = (engine.fresh_weights(one, seed=4) for one in (setup, second))
    assert not torch.equal(engine.fresh_weights(first, seed=4)["model.head.weight"], own["model.head.weight"])
    assert torch.equal(later["model.head.weight"], own["model.head.weight"])
    assert not torch.equal(later["model.backbone.1.weight"], own["model.backbone.1.weight"])


class LateNet(LightningModule):
    """Makes its layers in one of its hooks, those of `Net` flat."""

    lazy = False

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.classes = classes

    def make(self) -> None:
        hidden = nn.LazyLinear(16) if self.lazy else nn.Linear(64, 16)
        self.backbone = nn.Sequential(hidden, nn.BatchNorm1d(16), nn.ReLU())
        self.head = nn.LazyLinear(self.classes) if self.lazy else nn.Linear(16, self.classes)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return nn.functional.cross_entropy(self.head(self.backbone(batch[0])), batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, torch.Tensor]:
        predictions = self.head(self.backbone(batch[0]))
        loss = nn.functional.cross_entropy(predictions, batch[1])
        return {"loss": loss, "predictions": predictions, "targets": batch[1]}

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-2, weight_decay=0.1)


class InConfigureModel(LateNet):
    def configure_model(self) -> None:
        if not hasattr(self, "head"):
            self.make()


class InSetup(LateNet):
    def setup(self, stage: str) -> None:
        self.make()


class LazyInConstructor(LateNet):
    lazy = True

    def __init__(self, classes: int = 5) -> None:
        super().__init__(classes)
        self.make()


class LazyInSetup(InSetup):
    lazy = True


@pytest.mark.parametrize("kind", [InConfigureModel, InSetup, LazyInConstructor, LazyInSetup])
def test_layers_that_are_made_late_are_frozen_loaded_thawed_and_handed_on(kind: Any, tmp_path: Path) -> None:
    """Recomputed from the files: the frozen part is that of the pretrained weights, bit by bit, and fine-tuning moves it."""
    torch.manual_seed(0)
    learned = {"backbone.0": nn.Linear(64, 16), "backbone.1": nn.BatchNorm1d(16), "head": nn.Linear(16, 7)}
    state = {f"{name}.{one}": value for name, layer in learned.items() for one, value in layer.state_dict().items()}
    torch.save(state, tmp_path / "weights.pt")
    step = TransferLearning(
        freeze="backbone",
        pretrained=tmp_path / "weights.pt",
        frozen_epochs=40,
        epochs=3,
        layer_rates={"backbone.0": 0.5},
        unfreeze="gradual",
        examples=0,
    )
    setup = art.Setup(model=kind, data=digits(5, 5), trainer={"max_epochs": 2, "accelerator": "cpu"})
    made = project(step, Overfit(name="After", continue_on_failure=True), setup=setup)
    result = made.run()
    failed = [one.reason for one in result[step.name].judgement.verdicts if one.state is not VerdictState.PASSED]
    assert failed == []
    outcome = result[step.name].outcome
    assert outcome is not None
    frozen, tuned = (
        torch.load(made.store.artifacts.fetch(outcome.artifact(name).digest), weights_only=False)["state_dict"]
        for name in ("frozen.ckpt", "last.ckpt")
    )
    backbone = [name for name in state if name.startswith("backbone.")]
    assert all(torch.equal(frozen[name], state[name]) for name in backbone)
    assert not any(torch.equal(tuned[name], state[name]) for name in backbone)
    assert reading(outcome, "learning rates") == {"backbone.0": 0.05, "backbone.1": 0.1, "head": 0.1}
    handed_on = step.carry_with(setup, outcome, made.store.artifacts.fetch)
    fresh = LightningEngine().fresh_weights(handed_on, seed=3)
    assert all(torch.equal(fresh[name], state[name]) for name in backbone)
    assert result["After"].outcome is not None


def test_a_frozen_part_that_moves_is_found(weights: Path) -> None:
    class Meddles(nn.Module):
        """Normalises its own weights in each pass, whatever anybody froze."""

        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                self.net.backbone[1].weight.mul_(0.999)
            return self.net(x)

    setup = setup_of(digits(5, 3)).but(model=art.from_torch(Meddles, loss=nn.CrossEntropyLoss, lr=1e-2))
    step = TransferLearning(freeze="net.backbone.*", pretrained=weights, fresh="net.head.*", frozen_epochs=1, epochs=1)
    outcome, result = outcome_of(step, setup)
    assert reading(outcome, "frozen part")["changed"] == ["model.net.backbone.1.weight"]
    assert result.state is StepState.FAILED
    failed = [one.check for one in result.judgement.verdicts if one.state is VerdictState.FAILED]
    assert "frozen part unchanged" in failed
