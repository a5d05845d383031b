"""Targets and predictions that a loss is not made for."""

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import art_training as art

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(600, 8, generator=GENERATOR)
SCORE = X @ torch.randn(8, generator=GENERATOR) / 8**0.5
YES = (SCORE > 0).float()
COUNTS = torch.poisson((0.8 * SCORE).exp(), generator=GENERATOR)


class Net(L.LightningModule):
    def __init__(self, loss):
        super().__init__()
        self.loss = loss
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]).squeeze(1), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


@pytest.fixture
def found(judged):
    def ask(loss, targets):
        data = art.data((X, targets), batch_size=64)
        return judged(lambda: Net(loss), data, codes="ART454").get("ART454")

    return ask


def poisson(made, **options):
    return lambda given, counts: F.poisson_nll_loss(made(given), counts, **options)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (F.binary_cross_entropy_with_logits, 2 * YES - 1),
        (nn.BCEWithLogitsLoss(), COUNTS),
        (lambda given, wanted: F.binary_cross_entropy_with_logits(given, wanted + 1), YES),
    ],
    ids=["-1 and 1", "counts", "1 and 2"],
)
def test_targets_that_are_no_probabilities_are_an_error(loss, targets):
    data = art.data((X, targets), batch_size=64)
    diagnosis = art.diagnose(lambda: Net(loss), data, trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=120)
    seen = next(one for one in diagnosis.findings if one.code == "ART454")
    assert seen.severity == "error"
    assert seen.evidence["outside"] > 0
    assert "-" in seen.confirmed_by


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (F.soft_margin_loss, YES),
        (F.hinge_embedding_loss, YES),
        (poisson(torch.exp), COUNTS),
        (poisson(F.softplus), COUNTS),
    ],
    ids=["margins of 0", "distances of 0", "exp", "softplus"],
)
def test_what_a_loss_is_not_made_for_is_an_error(found, loss, targets):
    seen = found(loss, targets)
    assert seen.severity == "error"
    assert seen.confirmed_by


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (F.binary_cross_entropy_with_logits, YES),
        (F.binary_cross_entropy_with_logits, SCORE.sigmoid()),
        (lambda given, wanted: F.binary_cross_entropy_with_logits(given, 0.9 * wanted + 0.05), YES),
        (F.soft_margin_loss, 2 * YES - 1),
        (F.poisson_nll_loss, COUNTS),
        (poisson(F.softplus, log_input=False), COUNTS),
        (poisson(torch.exp, log_input=False), COUNTS),
        (F.mse_loss, COUNTS),
    ],
    ids=["labels", "probabilities", "smoothed", "signs", "logarithms", "rates", "rates by exp", "squares"],
)
def test_what_a_loss_is_made_for_is_not_accused(found, loss, targets):
    assert found(loss, targets) is None
