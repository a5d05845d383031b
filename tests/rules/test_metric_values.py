"""Logged metrics of several labels, of positions and of values against what the predictions give."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, make_multilabel_classification
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MetricCollection, R2Score
from torchmetrics.classification import (
    MultilabelAUROC,
    MultilabelAveragePrecision,
    MultilabelExactMatch,
    MultilabelF1Score,
    MultilabelJaccardIndex,
    MultilabelRecall,
)
from torchmetrics.segmentation import DiceScore, MeanIoU

import art_training as art

pytestmark = pytest.mark.filterwarnings(
    "ignore:No positive samples:UserWarning",
    "ignore:No negative samples:UserWarning",
    "ignore:The ``compute`` method of metric:UserWarning",
)
LABELS = 5


def findings(model, data, **trainer):
    trainer = {"max_epochs": 2, "accelerator": "cpu", **trainer}
    diagnosis = art.diagnose(model, data, trainer=trainer, budget=120)
    assert not [one for one in diagnosis.judged if "the rule itself raised" in one.reason]
    return [one for one in diagnosis.findings if one.code.startswith("ART71") and one.severity.value != "info"]


def pages(sizes=25):
    x, y = make_multilabel_classification(420, 30, n_classes=LABELS, n_labels=2, length=60, random_state=3)
    x, y = torch.tensor(x, dtype=torch.float32).log1p(), torch.tensor(y)
    return (
        DataLoader(TensorDataset(x[:300], y[:300]), batch_size=30, shuffle=True),
        DataLoader(TensorDataset(x[300:], y[300:]), batch_size=sizes),
    )


class Tagger(L.LightningModule):
    """A label each for what a page is about; what is logged of its validation is exchanged."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, LABELS))
        self.seen = []

    def training_step(self, batch, index):
        return F.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1].float())

    def validation_step(self, batch, index):
        logits = self.net(batch[0])
        self.log("val_loss", F.binary_cross_entropy_with_logits(logits, batch[1].float()))
        self.measure(logits, batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


class Objects(Tagger):
    """Metric objects of several kinds, logged as they are meant to be."""

    def __init__(self):
        super().__init__()
        self.metrics = MetricCollection(
            {
                "val_f1_macro": MultilabelF1Score(LABELS),
                "val_f1_micro": MultilabelF1Score(LABELS, average="micro"),
                "val_recall": MultilabelRecall(LABELS, average="weighted"),
                "val_iou": MultilabelJaccardIndex(LABELS),
                "val_auroc": MultilabelAUROC(LABELS),
                "val_ap": MultilabelAveragePrecision(LABELS),
                "val_exact": MultilabelExactMatch(LABELS),
            }
        )

    def measure(self, logits, y):
        self.metrics.update(logits, y)
        self.log_dict(self.metrics)


class ByHand(Tagger):
    def measure(self, logits, y):
        self.seen.append((logits > 0, y.bool()))

    def on_validation_epoch_end(self):
        chosen, y = (torch.cat(one) for one in zip(*self.seen, strict=True))
        both, named = (chosen & y).sum(1).float(), (chosen | y).sum(1)
        self.log("val_f1_samples", (2 * both / (chosen.sum(1) + y.sum(1)).clamp(min=1)).mean())
        self.log("val_jaccard", (both / named.clamp(min=1)).mean())
        self.log("val_hamming", (chosen != y).float().mean())
        self.seen.clear()


class OneOfSeveral(ByHand):
    """Decides for one label a page."""

    def measure(self, logits, y):
        self.seen.append((F.one_hot(logits.argmax(1), LABELS).bool(), y.bool()))


class OfEachBatch(Tagger):
    def measure(self, logits, y):
        self.seen.append(MultilabelAUROC(LABELS)(logits, y))

    def on_validation_epoch_end(self):
        self.log("valAUROC", torch.stack(self.seen).mean())
        self.seen.clear()


class SoFar(Objects):
    """Logs in every step what the metric has come to."""

    def measure(self, logits, y):
        self.metrics.update(logits, y)
        self.log("val_f1", self.metrics["val_f1_macro"].compute())

    def on_validation_epoch_end(self):
        self.metrics.reset()


class CutAtHalf(Tagger):
    def measure(self, logits, y):
        self.log("val_acc", ((logits > 0.5) == y.bool()).float().mean())


class CutOnPurpose(Tagger):
    """A metric of the project's own: a label counts as chosen from seven tenths on."""

    def measure(self, logits, y):
        self.log("val_acc", ((logits.sigmoid() > 0.7) == y.bool()).float().mean())


def rings(sizes=16):
    """Images of a bright square on noise; the last images are the faintest, and come in a short batch."""
    generator = np.random.default_rng(5)
    images, masks = generator.normal(0, 0.5, (120, 1, 12, 12)), np.zeros((120, 12, 12))
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        top, left, size = generator.integers(0, 7), generator.integers(0, 7), generator.integers(2, 5)
        image[0, top : top + size, left : left + size] += 3 - 2 * (number % 60) / 60
        mask[top : top + size, left : left + size] = 1
    x, y = torch.tensor(images, dtype=torch.float32), torch.tensor(masks).long()
    return (
        DataLoader(TensorDataset(x[:60], y[:60]), batch_size=4, shuffle=True),
        DataLoader(TensorDataset(x[60:], y[60:]), batch_size=sizes),
    )


class Masks(L.LightningModule):
    """One logit a pixel."""

    outputs = 1

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, self.outputs, 3, padding=1))
        self.seen = []

    def step(self, batch):
        logits = self.net(batch[0]).squeeze(1)
        return logits, F.binary_cross_entropy_with_logits(logits, batch[1].float())

    def training_step(self, batch, index):
        return self.step(batch)[1]

    def validation_step(self, batch, index):
        logits, loss = self.step(batch)
        self.log("val_loss", loss)
        self.measure(logits > 0, batch[1].bool())

    def on_validation_epoch_end(self):
        if self.seen:
            self.log("val/dice", torch.stack(self.seen).mean())
        self.seen.clear()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.02)


class DiceOfBatches(Masks):
    def measure(self, chosen, y):
        self.seen.append(2 * (chosen & y).sum() / (chosen.sum() + y.sum()))


class DiceOfImages(Masks):
    def measure(self, chosen, y):
        dice = (2 * (chosen & y).sum((1, 2)) + 1e-6) / (chosen.sum((1, 2)) + y.sum((1, 2)) + 1e-6)
        self.seen += list(dice)


class PixelAccuracy(Masks):
    """A mean over batches of what adds up."""

    def measure(self, chosen, y):
        self.log("val_acc", (chosen == y).float().mean())


class LastBatch(Masks):
    def measure(self, chosen, y):
        self.seen = [(chosen & y).sum() / (chosen | y).sum()]

    def on_validation_epoch_end(self):
        self.log("val_iou", self.seen[0])


class Classes(Masks):
    outputs = 2

    def __init__(self):
        super().__init__()
        self.iou, self.dice = MeanIoU(2, input_format="index"), DiceScore(2, average="macro", input_format="index")

    def step(self, batch):
        logits = self.net(batch[0])
        return logits, F.cross_entropy(logits, batch[1])

    def validation_step(self, batch, index):
        logits, _ = self.step(batch)
        self.iou.update(logits.argmax(1), batch[1])
        self.dice.update(logits.argmax(1), batch[1])
        self.log_dict({"val_mean_iou": self.iou, "val_dice": self.dice})


def patients(sizes=32):
    x, y = load_diabetes(return_X_y=True)
    x, y = torch.tensor(x * 20, dtype=torch.float32), torch.tensor((y - 152) / 77, dtype=torch.float32)[:, None]
    both = torch.cat([y, y.abs()], 1)
    return (
        DataLoader(TensorDataset(x[:300], both[:300]), batch_size=30, shuffle=True),
        DataLoader(TensorDataset(x[300:], both[300:]), batch_size=sizes),
    )


class Values(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 2))
        self.r2 = R2Score()

    def training_step(self, batch, index):
        return F.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        outputs = self.net(batch[0])
        self.log("val_loss", F.mse_loss(outputs, batch[1]))
        self.measure(outputs, batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


class R2Object(Values):
    def measure(self, outputs, y):
        self.r2(outputs, y)
        self.log("val_r2", self.r2)
        self.log("val_mse", F.mse_loss(outputs, y))


class R2OfBatches(Values):
    def measure(self, outputs, y):
        self.log("val_r2", R2Score()(outputs, y))


class RootOfBatches(Values):
    def measure(self, outputs, y):
        self.log("val_rmse", F.mse_loss(outputs, y).sqrt())


@pytest.mark.parametrize(
    ("code", "words", "model", "data"),
    [
        ("ART710", "macro AUROC", OfEachBatch, lambda: pages(8)),
        ("ART710", "collected until each", SoFar, pages),
        ("ART710", "each of which counts once", DiceOfBatches, rings),
        ("ART710", "R2 averaged over outputs", R2OfBatches, patients),
        ("ART712", "logits cut at 0.5", CutAtHalf, pages),
        ("ART712", "argmax", OneOfSeveral, pages),
        ("ART712", "last batch alone", LastBatch, rings),
    ],
)
@pytest.mark.slow
def test_how_a_number_came_about_is_told_with_the_right_one(code, words, model, data):
    found = findings(model, data())
    assert {one.code for one in found} == {code}
    assert words in found[0].message
    assert "computed again" in found[0].confirmed_by


@pytest.mark.parametrize(
    ("model", "data", "trainer"),
    [
        (Objects, pages, {}),
        (Objects, pages, {"limit_val_batches": 2}),
        (ByHand, pages, {}),
        (CutOnPurpose, pages, {}),
        (DiceOfImages, rings, {}),
        (PixelAccuracy, lambda: rings(20), {}),
        (PixelAccuracy, rings, {}),
        (Classes, rings, {}),
        (R2Object, patients, {}),
    ],
)
@pytest.mark.slow
def test_metrics_that_are_made_as_they_should_be_are_not_accused(model, data, trainer):
    assert not findings(model, data(), **trainer)
