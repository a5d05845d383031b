"""Numbers that are logged under the name of a metric and are another quantity."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art


def loaders(x, y, train):
    parts = TensorDataset(x[:train], y[:train]), TensorDataset(x[train : train + 260], y[train : train + 260])
    return DataLoader(parts[0], batch_size=32, shuffle=True), DataLoader(parts[1], batch_size=64)


def digits():
    x, y = load_digits(return_X_y=True)
    return loaders(torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y), 1000)


def patients():
    x, y = load_diabetes(return_X_y=True)
    return loaders(
        torch.tensor(x / x.std(0), dtype=torch.float32), torch.tensor((y - 150) / 77, dtype=torch.float32), 180
    )


class Ten(L.LightningModule):
    """A classifier of ten digits; what it logs is exchanged."""

    sizes = 64, 10

    def __init__(self, name, measure, *, at_the_end=False):
        super().__init__()
        self.name, self.measure, self.at_the_end, self.seen = name, measure, at_the_end, []
        self.net = nn.Sequential(nn.Linear(self.sizes[0], 32), nn.ReLU(), nn.Linear(32, self.sizes[1]))

    def predict(self, batch):
        return self.net(batch[0]), batch[1]

    def loss(self, outputs, targets):
        return F.cross_entropy(outputs, targets)

    def training_step(self, batch, index):
        return self.loss(*self.predict(batch))

    def validation_step(self, batch, index):
        outputs, targets = self.predict(batch)
        self.log("val_loss", self.loss(outputs, targets))
        if self.at_the_end:
            self.seen.append((outputs, targets))
        else:
            self.log(self.name, self.measure(outputs, targets))

    def on_validation_epoch_end(self):
        if self.at_the_end:
            outputs, targets = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
            self.seen.clear()
            self.log(self.name, self.measure(outputs, targets))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Odd(Ten):
    """Whether a digit is odd."""

    sizes = 64, 1

    def predict(self, batch):
        return self.net(batch[0]).squeeze(1), (batch[1] % 2).float()

    def loss(self, outputs, targets):
        return F.binary_cross_entropy_with_logits(outputs, targets)


class Patients(Odd):
    sizes = 10, 1

    def predict(self, batch):
        return self.net(batch[0]).squeeze(1), batch[1]

    def loss(self, outputs, targets):
        return F.mse_loss(outputs, targets)


class OneHot(Ten):
    """Ten labels of which one holds."""

    def loss(self, outputs, targets):
        return F.binary_cross_entropy_with_logits(outputs, F.one_hot(targets, 10).float())


def right(outputs, targets):
    return (outputs.argmax(1) == targets).float().mean()


def table(outputs, targets):
    """True positives, false positives, false negatives."""
    chosen = (outputs > 0).float()
    return (chosen * targets).sum(), (chosen * (1 - targets)).sum(), ((1 - chosen) * targets).sum()


def precision(outputs, targets):
    hits, wrong, _ = table(outputs, targets)
    return hits / (hits + wrong)


def recall(outputs, targets):
    hits, _, missed = table(outputs, targets)
    return hits / (hits + missed)


def explained(outputs, targets):
    return 1 - (outputs - targets).square().sum() / (targets - targets.mean()).square().sum()


def root(outputs, targets):
    return F.mse_loss(outputs, targets).sqrt()


def found(model, data):
    seen = art.diagnose(model, data, trainer={"max_epochs": 3, "accelerator": "cpu"}, budget=120).findings
    return [one for one in seen if one.code.startswith("ART7") and one.severity.value != "info"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "data", "what"),
    [
        (lambda: Ten("val_acc", F.cross_entropy), digits, "the loss"),
        (lambda: Ten("val_acc", lambda o, y: torch.exp(-F.cross_entropy(o, y))), digits, "exp of minus the loss"),
        (lambda: Ten("val_acc", lambda o, y: o.softmax(1).amax(1).mean()), digits, "probability of the class that is chosen"),
        (lambda: Ten("val_acc", lambda o, y: right(o[:8], y[:8])), digits, "the first 8 rows of each batch"),
        (lambda: Ten("val_acc", lambda o, y: (o.argmax(1) == y).sum() / 32), digits, "right answers over 32"),
        (lambda: Ten("val_perplexity", F.cross_entropy), digits, "the loss"),
        (lambda: Odd("val_precision", recall, at_the_end=True), digits, "recall"),
        (lambda: Odd("val_auroc", lambda o, y: ((o > 0) == y.bool()).float().mean(), at_the_end=True), digits, "accuracy"),
        (lambda: Odd("f1", lambda o, y: (precision(o, y) + recall(o, y)) / 2, at_the_end=True), digits, "half the sum"),
        (lambda: Patients("val_rmse", F.mse_loss), patients, "mean squared error"),
        (lambda: Patients("val_rmse", F.l1_loss, at_the_end=True), patients, "mean absolute error"),
        (lambda: Patients("val_r2", lambda o, y: 1 - F.mse_loss(o, y), at_the_end=True), patients, "one minus"),
    ],
    ids=[
        "loss", "exp of the loss", "confidence", "some rows", "another number", "no exp", "recall", "accuracy", "half a sum", "no root",
        "absolute", "no variance",
    ],
)  # fmt: skip
def test_another_quantity_is_recognised_and_computed_again(model, data, what):
    (seen,) = found(model, data())
    assert seen.code == "ART713"
    assert what in seen.message
    assert "computed again" in seen.confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "data"),
    [
        (lambda: Ten("val_acc", right), digits),
        (lambda: Ten("val_acc", lambda o, y: 100 * right(o, y)), digits),
        (lambda: Ten("val_perplexity", lambda o, y: F.cross_entropy(o, y).exp(), at_the_end=True), digits),
        (lambda: OneHot("val_acc", right), digits),
        (lambda: Odd("val_precision", precision, at_the_end=True), digits),
        (lambda: Patients("val_rmse", root, at_the_end=True), patients),
        (lambda: Patients("val_r2", explained, at_the_end=True), patients),
        (lambda: Patients("val_error", F.l1_loss), patients),
    ],
    ids=["accuracy", "percent", "perplexity", "one-hot targets", "precision", "root", "variance", "an error"],
)
def test_a_metric_that_is_what_its_name_says_is_not_accused(model, data):
    assert not found(model, data())
