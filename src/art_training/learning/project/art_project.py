"""The project: `art run` takes its steps one by one, and `art diagnose` looks for what is silently wrong."""

from lightning.pytorch.callbacks import EarlyStopping
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.steps import CheckLossOnInit, EvaluateBaseline, ExploreData, Overfit, OverfitOneBatch
from data import Digits
from model import DigitsNet

setup = art.Setup(
    model=DigitsNet,
    data=Digits,
    hparams={"epochs": 12},
    trainer={"max_epochs": 12, "callbacks": [EarlyStopping(monitor="val_loss", mode="min", patience=4)]},
)
project = art.ArtProject(
    "digits",
    setup,
    metrics={"accuracy": MulticlassAccuracy(10, average="micro")},
    steps=[ExploreData(), EvaluateBaseline(), CheckLossOnInit(), OverfitOneBatch(), Overfit()],
)

if __name__ == "__main__":
    project.run()
