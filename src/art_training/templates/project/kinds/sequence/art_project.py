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
    model=art.from_torch(Net, loss=nn.MSELoss, optimizer=torch.optim.AdamW, lr=1e-2, weight_decay=0.0),
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
        Overfit(checks=[BeatsBaseline("validation/r2")]),
        Regularize(
            {
                "dropout 0.1": art.Variant(hparams={"dropout": 0.1}),
                "weight decay": art.Variant(hparams={"weight_decay": 0.1}),
            },
            seeds=2,
        ),
        Tune({"lr": art.space.log_uniform(3e-3, 3e-2)}, trials=3, top=1, seeds_for_winner=2),
        Squeeze(ensemble=3, checks=[BeatsBaseline("validation/r2")]),
        FinalTest(checks=[KeepsUpWithBaseline("r2")]),
    ],
)

if __name__ == "__main__":
    print(project.run())
