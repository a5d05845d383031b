"""What cannot be trained is told before anything is, and costs none of the others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn

import art_training as art
from art_training.errors import SetupError
from art_training.records import Outcome, StepState
from art_training.steps import Regularize, Step, Tune
from art_training.steps.transfer.begin import Begin
from art_training.stores.artifacts import file_digest
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits

(X, Y), VALIDATION = digits()
DATA = art.data((X[:100].astype(np.float32), Y[:100]), VALIDATION, batch_size=50)
FASTER = art.Variant(hparams={"lr": 2e-2})
NARROW = art.Variant(hparams={"width": 4})


class Net(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.body = nn.Linear(64, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).relu())


@pytest.fixture
def pretrained(tmp_path: Path) -> art.Setup:
    """Begins with weights of a body that is 8 wide, as a setup does that a transfer handed on."""
    torch.save(Net().state_dict(), tmp_path / "weights.pt")
    names = {name: name for name in ("body.weight", "body.bias")}
    begin = Begin(tmp_path / "weights.pt", file_digest(tmp_path / "weights.pt")[0], names)
    return art.Variant(model=begin).apply(setup_of(art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=1e-2)))


def setup_of(model: Any) -> art.Setup:
    return art.Setup(model, DATA, trainer={"max_epochs": 1, "accelerator": "cpu"})


def run(setup: art.Setup, step: Step) -> tuple[StepState, Outcome, list[str]]:
    """What came of a step, and what it said that it did."""
    phases: list[str] = []
    result = art.ArtProject("p", setup, steps=[step], store=MemoryStore()).run(
        listen=lambda event: phases.append(str(getattr(event, "phase", "")))
    )[step.name]
    assert result.outcome is not None
    return result.state, result.outcome, phases


def regularize(setup: art.Setup, candidates: Mapping[str, art.Variant]) -> tuple[Outcome, list[str]]:
    _, outcome, phases = run(setup, Regularize(candidates, seeds=1, examples=0))
    return outcome, phases


def cut(data: Any) -> Any:
    return data.but(**{split: (x[:, :60], y) for split, (x, y) in data.parts().items()})


def test_a_candidate_that_pretrained_weights_do_not_fit_is_told_and_the_others_are_tried(pretrained: art.Setup) -> None:
    outcome, _ = regularize(pretrained, {"narrow": NARROW, "faster": FASTER})
    notes = {one.name: one.note for one in outcome.candidates}
    assert notes["narrow"].startswith("could not be trained from pretrained weights: the weights that TransferLearning")
    assert "body.weight is of shape (4, 64) and began with (8, 64), and 1 more" in notes["narrow"]
    assert notes["faster"] == ""
    assert outcome.scores["compared_candidates"].value == 1
    assert [one.evidence["candidate"] for one in outcome.findings if one.code == "ART742"] == ["narrow"]


def test_where_pretrained_weights_fit_no_candidate_nothing_is_trained(pretrained: art.Setup) -> None:
    with pytest.raises(SetupError, match=r"'narrow' .* from pretrained weights: .*; nothing is left to try, so that"):
        regularize(pretrained, {"narrow": NARROW})


def test_a_trial_that_pretrained_weights_do_not_fit_fails_alone(pretrained: art.Setup) -> None:
    few: Any = {"seeds_for_winner": 1, "top": 1, "examples": 0}
    state, outcome, _ = run(pretrained, Tune({"width": art.space.choice(4, 8)}, trials=2, **few))
    assert state is StepState.PASSED
    assert outcome.scores["finished_trials"].value == 1
    state, outcome, _ = run(pretrained, Tune({"width": art.space.choice(4, 5)}, trials=2, **few))
    assert state is StepState.FAILED
    remedy = next(one.value for one in outcome.readings if one.name == "remedy for finished_trials")
    assert "no trial gave a value: trial 0: the weights that TransferLearning began with do not fit Net" in remedy


def test_a_choice_of_a_search_that_cannot_be_trained_is_told_before_the_first_trial(pretrained: art.Setup) -> None:
    narrow = art.Variant(hparams={"width": 4}, model=lambda module: module)
    space = {"kind": art.space.choice(same=FASTER, narrow=narrow, cut=art.Variant(data=cut))}
    _, outcome, _ = run(pretrained, Tune(space, trials=3, seeds_for_winner=1, top=1, examples=0))
    assert "; kind='narrow' could not be trained from pretrained weights: the weights" in outcome.summary
    assert "; kind='cut' could not be trained on its data: Net cannot take its first batch" in outcome.summary
    assert [one.code for one in outcome.findings] == ["ART742", "ART742"]


def test_data_of_another_width_are_told_before_the_reference_is_trained() -> None:
    setup = setup_of(art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=1e-2))
    outcome, phases = regularize(setup, {"cut": art.Variant(data=cut), "faster": FASTER})
    note = next(one.note for one in outcome.candidates if one.name == "cut")
    assert note.startswith("could not be trained on its data: Net cannot take its first batch")
    assert not any("cut" in phase for phase in phases)
    with pytest.raises(
        SetupError, match=r"'cut' .* on its data: .*; nothing is left to try, so that nothing was trained"
    ):
        regularize(setup, {"cut": art.Variant(data=cut)})


class Prepared(L.LightningModule):
    """Takes a batch only in a training, before which it makes what it needs."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net()

    def on_fit_start(self) -> None:
        self.scale = 1.0

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return nn.functional.cross_entropy(self.net(batch[0]) * self.scale, batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.training_step(batch, batch_idx))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1e-2)


def test_where_the_reference_takes_no_batch_either_it_is_the_reference_that_is_told() -> None:
    def fewer(data: Any) -> Any:
        return data.but(train=(X[:50].astype(np.float32), Y[:50]))

    with pytest.raises(SetupError, match=r"^the reference, which all candidates .* no attribute 'scale'"):
        regularize(setup_of(Prepared), {"fewer": art.Variant(data=fewer)})
