"""An ensemble of what a regularisation compared, the best first."""

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.errors import ProjectError
from art_training.records import Candidate, Outcome, Score
from art_training.steps import Regularize, Squeeze
from art_training.steps.squeezing.members import ranked
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits

(X, Y), (VX, VY) = digits()
WIDE = art.Variant(hparams={"width": 16})
SLOW = art.Variant(hparams={"lr": 1e-9})


class Sized(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def of_digits() -> art.Setup:
    return art.Setup(
        model=art.from_torch(Sized, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2),
        data=art.data(
            train=(torch.tensor(X[:300], dtype=torch.float32), torch.tensor(Y[:300])),
            validation=(torch.tensor(VX[:200], dtype=torch.float32), torch.tensor(VY[:200])),
            batch_size=50,
        ),
        trainer={"accelerator": "cpu", "max_epochs": 2},
    )


@pytest.mark.slow
def test_the_best_candidates_and_the_reference_are_members_with_their_own_hyper_parameters() -> None:
    regularize = Regularize({"wide": WIDE, "slow": SLOW}, seeds=1, by="validation/accuracy", examples=0, name="Reg")
    squeeze = Squeeze(ensemble=2, of="Reg", longer=0, distill=False, weighting="equal", export=False, examples=0)
    metrics = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}
    result = art.ArtProject("p", of_digits(), metrics=metrics, steps=[regularize, squeeze], store=MemoryStore()).run()
    compared, squeezed = result["Reg"].outcome, result["Squeeze"].outcome
    assert compared is not None
    assert set(ranked(compared)[:2]) == {"wide", "reference"}
    assert squeezed is not None
    ensemble = squeezed.candidate("ensemble")
    assert ensemble is not None
    assert ensemble.parameters["parameters"] == sum(75 * width + 10 for width in (8, 16))


def test_the_setup_of_each_candidate_is_told_and_no_other() -> None:
    step, setup = Regularize({"wide": WIDE}, trainer={"max_epochs": 7}), of_digits()
    assert not step.configured(setup, Outcome(), "reference") - step.resolve(setup)
    wide = step.configured(setup, Outcome(), "wide")
    assert (wide.hparams["width"], wide.trainer["max_epochs"]) == (16, 7)
    with pytest.raises(ProjectError, match="'narrow' is no candidate of step 'Regularize'; these are: reference, wide"):
        step.configured(setup, Outcome(), "narrow")


def test_candidates_are_ranked_by_the_score_that_their_step_chose_by() -> None:
    def candidate(name: str, loss: float, accuracy: float) -> Candidate:
        scores = {"validation/loss": Score(loss), "validation/accuracy": Score(accuracy, direction="maximize")}
        return Candidate(name, scores)

    candidates = (candidate("sure", 0.9, 0.8), candidate("calibrated", 0.3, 0.7), Candidate("failed", {}))
    assert ranked(Outcome(candidates=candidates)) == ["calibrated", "sure"]
    assert ranked(Outcome(candidates=candidates, parameters={"by": "validation/accuracy"})) == ["sure", "calibrated"]
