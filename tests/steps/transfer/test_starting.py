"""What a transfer begins with: what is loaded of pretrained weights, and what may not be frozen."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.steps.transfer.digits import Net, digits, outcome_of, project, reading, setup_of
from torch import nn

import art_training as art
from art_training.errors import SetupError
from art_training.project import ArtProject
from art_training.records import StepState
from art_training.steps import TransferLearning
from art_training.stores.memory import MemoryStore


def test_a_head_of_another_shape_is_initialised_anew_and_said(weights: Path) -> None:
    setup = setup_of(digits(5, 3)).but(hparams={"classes": 6})
    step = TransferLearning(
        freeze="backbone.*", pretrained=weights, frozen_epochs=1, epochs=1, skip_metrics=["accuracy"]
    )
    outcome, _ = outcome_of(step, setup)
    assert reading(outcome, "freshly initialised")["head.weight"] == "it is (5, 128) there and (6, 128) here"
    # It has one, so nobody says that it has none.
    assert reading(outcome, "not used")["head.weight"] == "it is (5, 128) there and (6, 128) here"


def test_a_batch_norm_that_is_fresh_has_fresh_statistics(weights: Path) -> None:
    step = TransferLearning(
        freeze="backbone.1", pretrained=weights, fresh=["backbone.2", "head"], frozen_epochs=1, epochs=1, examples=0
    )
    outcome, _ = outcome_of(step, setup_of(digits(5, 3)))
    norm = {f"backbone.2.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    fresh = reading(outcome, "freshly initialised")
    assert set(fresh) == norm | {"head.weight", "head.bias"}
    assert set(fresh.values()) == {"fresh= names it"}


def test_a_factory_that_loads_its_weights_itself_needs_none(weights: Path) -> None:
    def loaded() -> Net:
        net = Net()
        kept = {name: one for name, one in torch.load(weights).items() if name.startswith("backbone.")}
        net.load_state_dict(kept, strict=False)
        return net

    setup = setup_of(digits(5, 3)).but(model=art.from_torch(loaded, loss=nn.CrossEntropyLoss, lr=1e-2))
    outcome, result = outcome_of(TransferLearning(frozen_epochs=6, epochs=1), setup)
    assert result.state is StepState.PASSED
    assert reading(outcome, "frozen part")["tensors"] == 7


def test_random_weights_are_not_frozen() -> None:
    with pytest.raises(SetupError, match=r"would freeze random weights: backbone\.1\.weight, .*give pretrained="):
        project(TransferLearning(freeze="backbone.*"), setup=setup_of(digits(5, 3))).run()


def test_what_was_not_loaded_is_not_frozen(weights: Path, tmp_path: Path) -> None:
    kept = {name: one for name, one in torch.load(weights).items() if name != "head.bias"}
    torch.save(kept, tmp_path / "kept.pt")
    step = TransferLearning(freeze=["backbone.*", "head.bias"], pretrained=tmp_path / "kept.pt")
    with pytest.raises(SetupError, match=r"would freeze random weights: head\.bias .*leave it out of freeze"):
        project(step, setup=setup_of(digits(5, 3))).run()


def test_a_part_that_the_weights_have_under_another_prefix_is_named(weights: Path, tmp_path: Path) -> None:
    renamed = {name.replace("backbone.", "encoder."): one for name, one in torch.load(weights).items()}
    torch.save(renamed, tmp_path / "encoder.pt")
    step = TransferLearning(freeze="backbone", pretrained=tmp_path / "encoder.pt")
    told = r"give weights that have it under this name: there is 'encoder\.1\.weight' of the same shape"
    with pytest.raises(SetupError, match=told):
        project(step, setup=setup_of(digits(5, 3))).run()


def test_to_freeze_what_fresh_names_is_refused_before_anything_is_trained(weights: Path) -> None:
    for freeze in ("backbone", ["*.weight"]):
        step = TransferLearning(freeze=freeze, pretrained=weights, fresh=["backbone"])
        with pytest.raises(
            SetupError, match=r"would freeze random weights: backbone\.1\.weight.* fresh= names it, too"
        ):
            project(step, setup=setup_of(digits(5, 5))).plan()
    # What every fresh model begins with alike is not random, as the weight of a batch norm.
    step = TransferLearning(freeze="backbone.2", pretrained=weights, fresh="backbone.2")
    project(step, setup=setup_of(digits(5, 5))).plan()


class Tied(nn.Module):
    """A tiny language model, whose last layer is its embedding and is registered before it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 9)
        self.backbone = nn.ModuleDict({"embed": nn.Embedding(9, 6), "norm": nn.LayerNorm(6), "mix": nn.Linear(6, 6)})
        self.head.weight = self.backbone["embed"].weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.backbone["norm"](self.backbone["embed"](tokens))
        return self.head(torch.relu(self.backbone["mix"](hidden.mean(1))))


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_tied_layer_is_frozen_and_loaded_by_either_of_its_names(tmp_path: Path, suffix: str) -> None:
    """Recomputed from the files. Safetensors keeps a tied tensor under one name."""
    from safetensors.torch import save_model

    torch.manual_seed(1)
    learned, path = Tied(), tmp_path / f"tied.{suffix}"
    state = learned.state_dict()
    if suffix == "pt":
        torch.save(state, path)
    else:
        save_model(learned, str(path))
    tokens = np.random.default_rng(0).integers(0, 9, (60, 4))
    data = art.data((tokens[:40], tokens[:40, 0]), (tokens[40:], tokens[40:, 0]), batch_size=20)
    model = art.from_torch(Tied, loss=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=1e-2, weight_decay=0.5)
    setup = art.Setup(model=model, data=data, trainer={"max_epochs": 2, "accelerator": "cpu"})
    step = TransferLearning(freeze=["backbone.embed", "backbone.norm"], pretrained=path, frozen_epochs=3, examples=0)
    made = ArtProject("tied", setup, steps=[step], store=MemoryStore())
    outcome = made.run()[step.name].outcome
    assert outcome is not None
    assert outcome.parameters["frozen"] == [
        "model.head.weight",
        "model.backbone.norm.weight",
        "model.backbone.norm.bias",
    ]
    kept = torch.load(made.store.artifacts.fetch(outcome.artifact("frozen.ckpt").digest), weights_only=False)[
        "state_dict"
    ]
    moved = {name for name in state if not torch.equal(kept[f"model.{name}"], state[name])}
    assert moved == {"head.bias", "backbone.mix.weight", "backbone.mix.bias"}
