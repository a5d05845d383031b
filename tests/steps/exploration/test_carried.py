"""Entries that are carried along in a batch and enter no model."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.nn import functional as F

import art_training as art
from art_training.records import Outcome, Severity
from art_training.setup.task import Task
from art_training.steps.explore_data import ExploreData
from art_training.testing.reading import ReadingBench


def explore(data, task: Task) -> Outcome:
    return ExploreData(pictures=False).run(ReadingBench(data, task))


class Rows(torch.utils.data.Dataset):
    """Entries by name, with the number that a row has in a database, which no model reads."""

    def __init__(self, x: np.ndarray, y: np.ndarray, first: int) -> None:
        self.x, self.y, self.first = torch.from_numpy(x).float(), torch.from_numpy(y), first

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict:
        return {"x": self.x[index], "id": self.first + index, "label": self.y[index]}


class Reads(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(13, 3)

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch["x"]), batch["label"])

    def validation_step(self, batch, index):
        self.log("val_loss", self.training_step(batch, index))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


class Forward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(13, 3)

    def forward(self, x):
        return self.net(x)


PLAIN = art.from_torch(Forward, loss=nn.CrossEntropyLoss, lr=1e-2)
DECLARED = art.from_torch(Forward, loss=nn.CrossEntropyLoss, lr=1e-2, inputs=("x",))


def wine(*, leaked: bool):
    x, y = load_wine(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    test = slice(0, 40) if leaked else slice(140, 178)
    parts = [(slice(0, 100), 0), (slice(100, 140), 1000), (test, 2000)]
    return art.data(*(Rows(x[part], y[part], first) for part, first in parts), batch_size=20)


@pytest.mark.parametrize("model", [Reads, PLAIN, DECLARED], ids=["LightningModule", "from_torch", "from_torch inputs"])
def test_an_index_that_no_model_reads_hides_no_leak(model):
    data = wine(leaked=True)
    task = art.Setup(model, data).task
    outcome = explore(data, task)
    assert outcome.score("leaked_share").value == 1.0
    assert [(one.code, one.severity) for one in outcome.findings] == [("ART101", Severity.ERROR)]
    assert outcome.parameters["inputs"] == ["x"]
    assert outcome.reading("schema").note == "batch[id]: neither input nor target, and left out of every comparison"


def test_an_index_that_no_model_reads_accuses_no_clean_data():
    data = wine(leaked=False)
    outcome = explore(data, art.Setup(Reads, data).task)
    assert outcome.score("leaked_share").value == 0
    assert [one.code for one in outcome.findings if "id" in one.message or one.severity is not Severity.INFO] == []
    assert "id" in {*outcome.reading("schema").value["train"]}
