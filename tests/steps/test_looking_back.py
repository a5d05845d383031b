"""After any step that trains a model for its own sake, the examples that it does worst on are named."""

from typing import Any

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.errors import ProjectError
from art_training.project import ArtProject
from art_training.records import Outcome
from art_training.steps import Overfit, Regularize, Squeeze, Step, TransferLearning, Tune
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits

(X, Y), (VX, VY) = ((torch.tensor(x, dtype=torch.float32), torch.tensor(y)) for x, y in digits())
PLANTED = list(range(0, 300, 30))
NOISY = Y[:300].clone()
NOISY[PLANTED] = (NOISY[PLANTED] + 3) % 10


class Net(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, width), nn.ReLU())
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


STEPS = {
    "Regularize": Regularize({"wide": art.Variant(hparams={"width": 24})}, seeds=1),
    "Tune": Tune({"width": art.space.choice(16, 24)}, sampler="random", pruning=None, trials=1, seeds_for_winner=1),
    "Squeeze": Squeeze(ensemble=2, longer=0, distill=False, export=False, weighting="equal", prefer="best"),
    "TransferLearning": TransferLearning("body.*", pretrained="Overfit", frozen_epochs=1, fine_tuning_rate=1.0),
}


def outcome_of(step: Step) -> tuple[Outcome, ArtProject]:
    """Of 30 batches an epoch, so that 17 epochs allow two looks."""
    setup = art.Setup(
        model=art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=3e-3),
        data=art.data((X[:300], NOISY), (VX, VY), batch_size=10),
        trainer={"accelerator": "cpu", "max_epochs": 18},
    )
    metrics = {"accuracy": MulticlassAccuracy(num_classes=10)}
    before = [Overfit(dynamics=0, examples=0)] if step.name == "TransferLearning" else []
    project = ArtProject("p", setup, metrics=metrics, steps=[*before, step], store=MemoryStore())
    outcome = project.run()[step.name].outcome
    assert outcome is not None
    return outcome, project


def numbers(outcome: Outcome, name: str) -> list[int]:
    reading = outcome.reading(name)
    assert reading is not None, [one.name for one in outcome.readings]
    return [row["example"] for row in reading.value]


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_planted_labels_are_found_after_every_step_that_trains(name: str) -> None:
    outcome, project = outcome_of(STEPS[name])
    assert len(set(PLANTED) & set(numbers(outcome, "worst train examples"))) >= 8
    assert len(set(PLANTED) & set(numbers(outcome, "confidently wrong train examples"))) >= 6
    assert len(numbers(outcome, "worst validation examples")) == 16
    forgotten = outcome.reading("forgotten train examples")
    assert forgotten is not None
    assert "training examples, looked at" in forgotten.note
    picture = outcome.artifact("train-examples.png")
    assert picture is not None
    assert project.store.artifacts.has(picture.digest)
    assert "look back" in outcome.seconds


@pytest.mark.parametrize("name", ["Regularize", "Tune"])
def test_how_many_are_named_is_no_other_search(name: str) -> None:
    assert type(STEPS[name]).amounts >= {"examples", "examples_seconds"}


@pytest.mark.parametrize("step", [Overfit, Squeeze, TransferLearning])
@pytest.mark.parametrize(
    "wrong", [{"examples": -1}, {"examples": 2.5}, {"examples": True}, {"examples_seconds": float("nan")}]
)
def test_settings_that_make_no_sense_are_refused_at_once(step: Any, wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ProjectError, match=f"{name}=.* must be a number and must not be negative; 0 is none"):
        step(**wrong)


def test_none_are_named_where_none_are_wanted() -> None:
    step = Squeeze(ensemble=0, longer=0, calibrate=False, examples=0, trainer={"max_epochs": 1})
    outcome, _ = outcome_of(step)
    assert not [one.name for one in outcome.readings if "examples" in one.name]
