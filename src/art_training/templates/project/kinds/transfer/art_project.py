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
    TransferLearning,
    Tune,
)
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from data import CLASSES, data, source_data
from model import Net

setup = art.Setup(
    model=art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=5e-3, weight_decay=0.0),
    data=data(),
    trainer={"max_epochs": 30},
)
source = setup.but(data=source_data(), trainer={"max_epochs": 8})

project = art.ArtProject(
    "{{ name }}",
    setup,
    metrics={"accuracy": MulticlassAccuracy(num_classes=CLASSES, average="micro")},
    steps=[
        ExploreData(),
        Diagnose(),
        EvaluateBaseline(inputs="zeroed"),
        CheckLossOnInit(),
        OverfitOneBatch(),
        Overfit(checks=[BeatsBaseline("validation/accuracy")]),
        Overfit(name="Pretrain", setup=source),  # a checkpoint of your own, or of others, may stand here
        TransferLearning(freeze="backbone.*", pretrained="Pretrain", fresh="head.*", frozen_epochs=20, epochs=20),
        Regularize(
            {
                "dropout 0.2": art.Variant(hparams={"dropout": 0.2}),
                "weight decay": art.Variant(hparams={"weight_decay": 0.1}),
            },
            seeds=2,
        ),
        Tune({"lr": art.space.log_uniform(2e-3, 2e-2)}, trials=3, top=1, seeds_for_winner=2),
        Squeeze(ensemble=3, checks=[BeatsBaseline("validation/accuracy")]),
        FinalTest(checks=[KeepsUpWithBaseline("accuracy")]),
    ],
)

if __name__ == "__main__":
    print(project.run())
