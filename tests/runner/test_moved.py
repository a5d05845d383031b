"""A store that was moved, or that lies in a folder that was renamed, is the same store."""

from pathlib import Path

import pytest
import torch
from torch import nn

import art_training as art
from art_training.errors import SetupError
from art_training.records import Action, StepState
from art_training.steps import Overfit, TransferLearning, Tune

X = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


class Net(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(3, width), nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).relu())


def setup_of() -> art.Setup:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, lr=0.05)
    return art.Setup(model, art.data((X, Y), (X, Y)), trainer={"max_epochs": 2, "accelerator": "cpu"})


def project(folder: Path, *after: Overfit, pretrained: Path | str = "First") -> art.ArtProject:
    first = Overfit(name="First", examples=0, continue_on_failure=True)
    transfer = TransferLearning(
        freeze="body.*", pretrained=pretrained, frozen_epochs=1, fine_tuning_rate=1.0, continue_on_failure=True
    )
    return art.ArtProject("p", setup_of(), steps=(first, transfer, *after), store=folder / "art.db", folder=folder)


def test_weights_that_a_step_left_are_found_by_later_steps_wherever_the_store_lies_by_then(tmp_path: Path) -> None:
    project(tmp_path / "here").run()
    (tmp_path / "here").rename(tmp_path / "there")
    moved = project(tmp_path / "there", Overfit(name="After", examples=0, trainer={"max_epochs": 1}))
    assert [step.action for step in moved.plan().steps] == [Action.RECALL, Action.RECALL, Action.RUN]
    after = moved.run()["After"]
    assert after.state is not StepState.ERRORED
    assert after.run is not None
    assert any("modifier" in name for name in after.run.parameters)  # it did begin with the weights
    assert not (tmp_path / "here").exists()


def test_weights_that_the_store_does_not_keep_any_more_are_told_where_a_model_needs_them(tmp_path: Path) -> None:
    declared = project(tmp_path)
    outcome = declared.run()["First"].outcome
    assert outcome is not None
    for artifact in outcome.artifacts:
        declared.store.artifacts.delete(artifact.digest)
    told = (
        r"the weights that TransferLearning began with are lost: .* is not kept any more.*--force-step TransferLearning"
    )
    with pytest.raises(SetupError, match=told):
        project(tmp_path, Overfit(name="After", examples=0)).run()


def test_a_file_of_pretrained_weights_may_lie_elsewhere_by_then(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    torch.save(Net().state_dict(), tmp_path / "here" / "net.pt")
    project(tmp_path, pretrained=tmp_path / "here" / "net.pt").run()
    (tmp_path / "here" / "net.pt").rename(tmp_path / "there" / "net.pt")
    moved = project(tmp_path, Overfit(name="After", examples=0), pretrained=tmp_path / "there" / "net.pt")
    assert [step.action for step in moved.plan().steps] == [Action.RECALL, Action.RECALL, Action.RUN]
    assert moved.run()["After"].state is not StepState.ERRORED


def test_a_search_that_was_interrupted_goes_on_where_its_store_lies_by_then(tmp_path: Path) -> None:
    def searched(folder: Path) -> art.ArtProject:
        step = Tune({"lr": art.space.choice(0.01, 0.1, 0.3)}, trials=3, sampler="random", top=3, seeds_for_winner=1)
        return art.ArtProject("p", setup_of(), steps=[step], store=folder / "art.db", folder=folder)

    def interrupt(event: object) -> None:
        if getattr(event, "phase", "") == "trial 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "here").run(listen=interrupt)
    (tmp_path / "here").rename(tmp_path / "there")
    phases: list[str] = []
    moved = searched(tmp_path / "there")
    outcome = moved.run(listen=lambda event: phases.append(getattr(event, "phase", "")))["Tune"].outcome
    assert outcome is not None
    assert {"fit trial 0", "fit trial 1"}.isdisjoint(phases)
    assert "fit trial 2" in phases
    assert {f"trial {number}.ckpt" for number in range(3)} <= {one.name for one in outcome.artifacts}
