"""Numbers whose names say nothing are known by what they are, on digits."""

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy

import art_training as art


def found(model, **trainer):
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    data = (
        DataLoader(TensorDataset(x[:300], y[:300]), 50, shuffle=True),
        DataLoader(TensorDataset(x[300:500], y[300:500]), 40),
    )
    settings = {"max_epochs": 6, "accelerator": "cpu", **trainer}
    result = art.diagnose(model, data, trainer=settings, budget=120)
    assert not result.broken
    return [one.code for one in result.findings if one.severity.value != "info"]


class Ten(L.LightningModule):
    """What it logs as `this` is exchanged."""

    outputs = 10

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, self.outputs))
        self.kept = MulticlassAccuracy(10, average="micro")

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("this", self.measure(self.net(batch[0]), batch[1]))

    def measure(self, scores, y):
        return (scores.argmax(1) == y).float().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class OverExamples(Ten):
    def measure(self, scores, y):
        return (scores.softmax(0).argmax(1) == y).float().mean()


class Several(Ten):
    """Bits of the digit."""

    outputs = 4

    def training_step(self, batch, index):
        return F.binary_cross_entropy_with_logits(self.net(batch[0]), self.bits(batch[1]))

    def bits(self, y):
        return ((y[:, None] >> torch.arange(4)) & 1).float()

    def measure(self, scores, y):
        return (scores.sigmoid().round() == self.bits(y)).float().mean()


class CutAtHalf(Several):
    def measure(self, scores, y):
        return (scores.clamp(0, 1).round() == self.bits(y)).float().mean()


class NeverSetBack(Ten):
    sets_back = False

    def validation_step(self, batch, index):
        self.kept.update(self.net(batch[0]), batch[1])

    def on_validation_epoch_end(self):
        self.log("this", self.kept.compute())
        if self.sets_back:
            self.kept.reset()


class SetBack(NeverSetBack):
    sets_back = True


@pytest.mark.parametrize(
    ("wrong", "code", "right"),
    [(OverExamples, "ART712", Ten), (CutAtHalf, "ART712", Several), (NeverSetBack, "ART711", SetBack)],
)
def test_a_metric_whose_name_says_nothing_is_known_by_its_value(wrong, code, right):
    assert found(wrong) == [code]
    assert not found(right)


class Ranks(Ten):
    """Tells digits from 5 on; a scheduler waits for the area under its curve."""

    outputs = 1
    mode = "min"

    def __init__(self):
        super().__init__()
        self.area = BinaryAUROC()

    def training_step(self, batch, index):
        return F.binary_cross_entropy_with_logits(self.net(batch[0])[:, 0], (batch[1] > 4).float())

    def validation_step(self, batch, index):
        self.area.update(self.net(batch[0])[:, 0].sigmoid(), (batch[1] > 4).long())

    def on_validation_epoch_end(self):
        self.log("this", self.area.compute())
        self.area.reset()

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        plateau = ReduceLROnPlateau(optimizer, mode=self.mode, patience=1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "this"}}


class RanksUpwards(Ranks):
    mode = "max"


def test_the_direction_of_a_value_whose_name_says_nothing_is_that_of_the_metric_that_it_is():
    assert found(Ranks) == ["ART545"]
    assert not found(RanksUpwards, callbacks=[EarlyStopping("this", mode="max")])
    assert found(RanksUpwards, callbacks=[EarlyStopping("this", mode="min")]) == ["ART720"]
