"""What a squeeze delivers is what its archive predicts, and what the final test judges."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.errors import SetupError
from art_training.records import Outcome
from art_training.steps import FinalTest, Squeeze, Tune
from art_training.steps.delivering.delivery import delivered
from art_training.stores.memory import MemoryStore
from art_training.stores.retention import RetentionRule, collect
from art_training.testing.data import digits


class Sized(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


(X, Y), (RX, RY) = ((torch.tensor(x, dtype=torch.float32), torch.tensor(y)) for x, y in digits(validation=720))
TEST = RX[360:], RY[360:]
WRONG = Y[:150].clone()
WRONG[::4] = (WRONG[::4] + 1) % 10


def of_digits(train: Any, epochs: int) -> art.Setup:
    return art.Setup(
        model=art.from_torch(Sized, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2),
        data=art.data(train, (RX[:360], RY[:360]), TEST, batch_size=50),
        trainer={"accelerator": "cpu", "max_epochs": epochs},
    )


def run(setup: art.Setup, *steps: Any, **how: Any) -> tuple[art.ArtProject, dict[str, Outcome]]:
    metrics = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}
    project = art.ArtProject("squeezed", setup, metrics=metrics, steps=steps, store=how.pop("store", MemoryStore()))
    return project, {step.name: step.outcome for step in project.run(**how).steps}


def archive(project: art.ArtProject, outcome: Outcome) -> Path:
    return project.store.artifacts.fetch(outcome.artifact("model.zip").digest)


def agrees(project: art.ArtProject, found: dict[str, Outcome]) -> None:
    """The final test's scores are those of the archive, asked by itself."""
    predicted = art.load_model(archive(project, found["Squeeze"]))(TEST[0])
    right = (predicted.argmax(1) == TEST[1]).double()
    tested = found["FinalTest"]
    assert tested.scores["test/accuracy"].value == pytest.approx(float(right.mean()), abs=1e-6)
    loss = nn.functional.nll_loss(predicted.double().clamp_min(1e-30).log(), TEST[1])
    assert tested.scores["test/loss"].value == pytest.approx(float(loss), abs=1e-5)
    for digit in range(10):
        of_it = TEST[1] == digit
        assert tested.scores[f"test/class_recall.{digit}"].value == pytest.approx(float(right[of_it].mean()))


@pytest.mark.slow
def test_an_ensemble_at_its_temperature_is_judged_as_its_archive_predicts() -> None:
    squeeze = Squeeze(ensemble=3, longer=0, distill=False, prefer="best")
    project, found = run(
        of_digits((X[:150], WRONG), 30), squeeze, FinalTest(slices={"thin": lambda b: b[0].mean(1) < 0.3})
    )
    squeezed, tested = found["Squeeze"], found["FinalTest"]
    assert squeezed.parameters["result"] == "ensemble"
    delivery = delivered(squeezed)
    assert len(delivery.members) > 1
    assert delivery.temperature != 1
    said = f"what Squeeze delivers: an ensemble of {len(delivery.members)} at the temperature"
    assert said in tested.summary
    assert "first use of the test split" in tested.summary
    agrees(project, found)
    assert tested.scores["test:thin/accuracy"].interval is not None
    # The examples that it does worst on are named where one may mend them, and those of the test split are not.
    worst = squeezed.reading("worst train examples").value
    assert len(worst) == 16
    assert sum(row["example"] % 4 == 0 for row in worst) >= 12  # of the wrong labels
    assert squeezed.reading("worst validation examples") is not None
    assert [one.name for one in squeezed.artifacts if one.name.startswith("train-examples")]
    assert tested.reading("worst test examples") is None
    spread = tested.reading("losses of test examples").value
    assert spread["median"] < spread["90 %"] < spread["99 %"] < spread["largest"]
    again = project.run(force=["FinalTest"])["FinalTest"].outcome
    assert (again.scores["test_uses"].value, again.scores["tested_models"].value) == (2, 1)
    # What is delivered stays when the rest is freed.
    collect(project.store, RetentionRule(grace_seconds=0))
    third = project.run(force=["FinalTest"])["FinalTest"].outcome
    assert third.scores["test/loss"].value == tested.scores["test/loss"].value


@pytest.mark.slow
def test_an_ensemble_that_is_asked_for_is_exported_and_tested_though_a_smaller_model_is_as_good() -> None:
    setup = of_digits((X, Y), 15)
    settings: dict[str, Any] = {"ensemble": 2, "longer": 0, "distill": False, "weighting": "equal", "examples": 0}
    settings["by"] = "validation/accuracy"
    _, small = run(setup, Squeeze(**settings, export=False))
    assert small["Squeeze"].parameters["result"] == "single"
    project, found = run(setup, Squeeze(**settings, prefer="ensemble"), FinalTest())
    squeezed = found["Squeeze"]
    assert squeezed.parameters["result"] == "ensemble"
    assert squeezed.reading("result").note == "ensemble was asked for, whatever the others gain"
    assert squeezed.scores["export_difference"].value < 1e-5  # of a new process
    loaded = art.load_model(archive(project, squeezed))
    assert (loaded.names, loaded.weights) == (("member 1", "member 2"), (0.5, 0.5))
    assert [member.weight for member in delivered(squeezed).members] == [0.5, 0.5]
    assert "what Squeeze delivers: an ensemble of 2" in found["FinalTest"].summary
    agrees(project, found)


@pytest.mark.slow
def test_what_is_asked_for_and_came_to_nothing_is_not_replaced_by_something_else() -> None:
    tune = Tune({"width": art.space.choice(8, 16)}, trials=2, seeds_for_winner=1, top=2, examples=0)
    squeeze = Squeeze(ensemble=2, of="Tune", prefer="longer", distill=False, export=False)
    said = "prefer='longer' of step 'Squeeze' cannot be delivered: trial . was trained by Tune, so that it is not known how long"
    with pytest.raises(SetupError, match=said):
        run(of_digits((X[:300], Y[:300]), 2), tune, squeeze)


@pytest.mark.slow
def test_one_training_at_a_temperature_is_judged_at_it() -> None:
    squeeze = Squeeze(ensemble=0, longer=0, distill=False)
    project, found = run(of_digits((X[:150], WRONG), 120), squeeze, FinalTest())
    assert delivered(found["Squeeze"]).temperature > 1.1
    assert "last.ckpt at the temperature" in found["FinalTest"].summary
    agrees(project, found)


@pytest.mark.slow
def test_members_of_a_search_are_judged_with_their_own_hyper_parameters() -> None:
    space = {"width": art.space.choice(8, 16, 32)}
    tune = Tune(space, sampler="random", pruning=None, trials=3, seeds_for_winner=1, top=2, examples=0)
    squeeze = Squeeze(
        ensemble=2, of="Tune", longer=0, distill=False, weighting="equal", prefer="best", by="validation/accuracy"
    )
    project, found = run(of_digits((X[:300], Y[:300]), 4), tune, squeeze, FinalTest())
    of = {member.of for member in delivered(found["Squeeze"]).members}
    assert of == {"Tune"}
    agrees(project, found)
