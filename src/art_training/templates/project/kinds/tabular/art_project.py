"""What ART runs: `art run`. A step runs again when something changes that it depends on, and only then."""

import art_training as art
import torch
from art_training.checks import BeatsBaseline, KeepsUpWithBaseline
from art_training.steps import (
    CheckLossOnInit,
    Diagnose,
    EvaluateBaseline,
    ExploreData,
    FinalTest,
    Overfit,
    OverfitOneBatch,
    Regularize,
    Squeeze,
    Tune,
)
from torch import nn
from torchmetrics.regression import MeanAbsoluteError, R2Score

from data import data
from model import Net

setup = art.Setup(
    model=art.from_torch(Net, loss=nn.MSELoss, optimizer=torch.optim.AdamW, lr=5e-3, weight_decay=0.0),
    data=data(),
    trainer={"max_epochs": 20},
)

project = art.ArtProject(
    "{{ name }}",
    setup,
    metrics={"r2": R2Score(), "mae": MeanAbsoluteError()},
    steps=[
        ExploreData(),
        Diagnose(),
        EvaluateBaseline(inputs="zeroed"),
        CheckLossOnInit(),
        OverfitOneBatch(),
        Overfit(checks=[BeatsBaseline("train/loss", against="validation/loss")]),
        Regularize(
            {
                "dropout 0.2": art.Variant(hparams={"dropout": 0.2}),
                "weight decay": art.Variant(hparams={"weight_decay": 1.0}),
                "stop early": art.Variant(trainer={"max_epochs": 6}),
            },
            seeds=2,
        ),
        Tune({"lr": art.space.log_uniform(1e-3, 1e-2)}, trials=4, top=1, seeds_for_winner=2),
        # Of rows so few, a straight line knows nearly as much. With your own: BeatsBaseline("validation/r2").
        Squeeze(ensemble=3, checks=[BeatsBaseline("validation/r2", "boosting")]),
        FinalTest(checks=[KeepsUpWithBaseline("r2")]),
    ],
)

if __name__ == "__main__":
    print(project.run())
