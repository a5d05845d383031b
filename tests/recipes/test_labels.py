"""The whole recipe on a multi-label task: what is true of a digit; with a body that has learned the digits themselves."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import art_training as art
from art_training.records import Outcome, StepState
from art_training.steps import Regularize, Squeeze, TransferLearning, Tune
from art_training.stores.memory import MemoryStore

TRUE_OF = {
    "even": {0, 2, 4, 6, 8},
    "above four": {5, 6, 7, 8, 9},
    "has a loop": {0, 6, 8, 9},
    "prime": {2, 3, 5, 7},
}


class Net(nn.Module):
    def __init__(self, outputs: int = len(TRUE_OF), width: int = 32, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 32), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(32, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return torch.tensor(x[order] / 16, dtype=torch.float32), torch.tensor(y[order])


X, Y = digits()
LABELS = torch.stack([torch.isin(Y, torch.tensor(sorted(which))) for which in TRUE_OF.values()], 1).float()
SPLITS = {"train": slice(800, 1000), "validation": slice(1000, 1400), "test": slice(1400, 1797)}


def pretrained(path: Path) -> Path:
    """A network that has learned to tell the digits apart, on images that are in none of the splits."""
    torch.manual_seed(0)
    net = Net(outputs=10)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(12):
        for batch in torch.randperm(800).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X[batch]), Y[batch]).backward()
            optimizer.step()
    torch.save(net.state_dict(), path)
    return path


def recipe(path: Path, **settings: Any) -> art.ArtProject:
    model = art.from_torch(Net, loss=nn.BCEWithLogitsLoss, optimizer=torch.optim.AdamW, lr=5e-3, weight_decay=0.0)
    setup = art.Setup(
        model,
        art.data(**{name: (X[part], LABELS[part]) for name, part in SPLITS.items()}, batch_size=25),
        trainer={"max_epochs": 14, "accelerator": "cpu", "check_val_every_n_epoch": 7},
    )
    transfer = TransferLearning(freeze="body.*", pretrained=path, frozen_epochs=5, epochs=5)
    return art.recipe(setup, transfer=transfer, store=MemoryStore(), **settings)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[art.ArtProject, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("labels"))
        project = recipe(
            pretrained(Path("digits.pt")),
            capacity=[{"width": 2}, {"width": 32}],
            space={"lr": art.space.log_uniform(1e-3, 1e-2)},
            trials=3,
            squeeze=Squeeze(ensemble=2, longer=1.5, by="validation/f1"),
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


@pytest.mark.slow
def test_every_step_passes(ran: Any) -> None:
    project, result = ran
    assert {step.name: step.state for step in result.steps} == {
        step.name: StepState.PASSED for step in project.steps
    }, str(result)
    assert len(project.steps) == 11
    assert project.left_out == {}


@pytest.mark.slow
def test_the_task_has_labels_and_is_measured_by_them(ran: Any) -> None:
    task = ran[0].setup.task
    assert (task.kind, task.classes) == ("multi-label", len(TRUE_OF))
    assert ran[0].metrics.names == ("f1",)
    # Four labels, each of them a toss-up at first.
    assert outcome(ran, "CheckLossOnInit").score("expected_loss").value == pytest.approx(np.log(2), abs=0.02)


@pytest.mark.slow
def test_the_body_that_knows_the_digits_stays_in_the_frozen_phase_and_begins_every_later_training(ran: Any) -> None:
    transfer = outcome(ran, "TransferLearning")
    frozen, fresh = transfer.reading("frozen part"), transfer.reading("freshly initialised")
    assert frozen is not None
    assert fresh is not None
    assert (frozen.value["tensors"], frozen.value["changed"]) == (4, [])
    assert set(fresh.value) == {"head.weight", "head.bias"}
    phases = [one.scores["validation/f1"].value for one in transfer.candidates]
    assert phases[1] > phases[0] > 0.5
    # Later steps begin with that body: their reference is better than the same training from scratch.
    reference = outcome(ran, "Regularize").candidate("reference")
    assert reference is not None
    scratch = outcome(ran, "Overfit").score("validation/loss").value
    assert reference.scores["validation/loss"].value < scratch
    for step in ("Regularize", "Tune", "Squeeze"):
        assert ran[1][step].run.parameters["declarations.pretrained"] == "digits.pt"


@pytest.mark.slow
def test_what_is_delivered_is_tested_label_by_label(ran: Any) -> None:
    calibration = outcome(ran, "Squeeze").reading("calibration")
    assert calibration is not None
    assert calibration.value is None
    final = outcome(ran, "FinalTest")
    assert final.score("test/f1").rows == 397
    assert final.score("test/f1").value > 0.85
    assert {f"test/class_recall.{label}" for label in range(len(TRUE_OF))} <= set(final.scores)
    assert final.score("test_uses").value == 1
