"""An ensemble of a search's best trials, whose weights are used as they were left."""

from pathlib import Path

import pytest
import torch
from torch import nn

import art_training as art
from art_training.records import StepEnded
from art_training.steps import Squeeze, Tune
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits

(X, Y), (VX, VY) = digits()


class Sized(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


@pytest.mark.slow
def test_the_best_trials_are_members_with_their_own_hyper_parameters(tmp_path: Path) -> None:
    setup = art.Setup(
        model=art.from_torch(Sized, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2),
        data=art.data(
            train=(torch.tensor(X[:300], dtype=torch.float32), torch.tensor(Y[:300])),
            validation=(torch.tensor(VX, dtype=torch.float32), torch.tensor(VY)),
            batch_size=50,
        ),
        trainer={"accelerator": "cpu", "max_epochs": 4},
    )
    tune = Tune(
        {"width": art.space.choice(8, 16, 32)}, sampler="random", pruning=None, trials=4, seeds_for_winner=1, top=2
    )
    squeeze = Squeeze(ensemble=2, of="Tune", longer=0, distill=False, weighting="equal")
    ended: list[StepEnded] = []
    project = art.ArtProject("searched", setup, steps=[tune, squeeze], store=MemoryStore())
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    tuned, squeezed = (event.outcome for event in ended)
    assert tuned is not None
    assert squeezed is not None
    ensemble = squeezed.candidate("ensemble")
    assert ensemble is not None
    trials = list(tuned.parameters["points"])[:2]
    assert list(ensemble.parameters["trainings"]) == trials
    assert ensemble.parameters["training_seconds"] == 0
    assert "trained by Tune, whose time is not counted here" in ensemble.note
    widths = [point["width"] for point in list(tuned.parameters["points"].values())[:2]]
    assert ensemble.parameters["parameters"] == sum(75 * int(width) + 10 for width in widths)
    assert squeezed.score("export_difference").value <= 1e-6
    assert squeezed.findings == ()
