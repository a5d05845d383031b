"""Codes whose spread nothing holds, and those that something does."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

import art_training as art

X = torch.tensor(load_digits().data[:1280], dtype=torch.float32) / 16
Y = torch.tensor(load_digits().target[:1280])


class Vae(L.LightningModule):
    def __init__(self, beta=1.0, outputs=64):
        super().__init__()
        self.beta = beta
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, outputs))

    def encode(self, images):
        mu, logvar = self.encoder(images).chunk(2, 1)
        return mu, logvar, mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)

    def divergence(self, mu, logvar):
        return -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()

    def training_step(self, batch, index):
        mu, logvar, z = self.encode(batch[0])
        error = F.mse_loss(self.decoder(z), batch[0], reduction="sum") / len(mu)
        return error + self.beta * self.divergence(mu, logvar)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Softplus(Vae):
    """Distributions of torch, and an error that is written by hand."""

    def training_step(self, batch, index):
        mu, spread = self.encoder(batch[0]).chunk(2, 1)
        code = Normal(mu, F.softplus(spread) + 1e-3)
        error = -Normal(self.decoder(code.rsample()), 0.5).log_prob(batch[0]).sum(1).mean()
        return error + self.beta * kl_divergence(code, Normal(0.0, 1.0)).sum(1).mean()


class ByHand(Vae):
    def __init__(self, beta=1.0):
        super().__init__(beta)
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, index))
        optimizer.step()

    def validation_step(self, batch, index):
        self.log("error", F.mse_loss(self.decoder(self.encode(batch[0])[0]), batch[0]))


class FreeBits(Vae):
    """Some of the divergence costs nothing."""

    def divergence(self, mu, logvar):
        return (-0.5 * (1 + logvar - mu**2 - logvar.exp()).mean(0).sum()).clamp(min=2.0)


class Annealed(Vae):
    """Begins without a divergence."""

    def training_step(self, batch, index):
        self.beta = min(1.0, self.current_epoch / 10)
        return super().training_step(batch, index)


class Wasserstein(Vae):
    """Codes of a batch are held to the prior together, and each by nothing."""

    def training_step(self, batch, index):
        _, _, z = self.encode(batch[0])
        drawn = torch.randn_like(z)
        distance = 2 * torch.cdist(z, drawn).mean() - torch.cdist(z, z).mean() - torch.cdist(drawn, drawn).mean()
        return F.mse_loss(self.decoder(z), batch[0]) + 10 * distance


class Classifier(Vae):
    """Logits are as uncertain as the model says."""

    def __init__(self):
        super().__init__(outputs=10)

    def training_step(self, batch, index):
        return F.cross_entropy(self.decoder(self.encode(batch[0])[2]), batch[1])


@pytest.fixture
def found(judged):
    def ask(model):
        return judged(model, art.data((X, Y), batch_size=64), codes="ART453").get("ART453")

    return ask


@pytest.mark.slow
@pytest.mark.parametrize("model", [Vae, Softplus, ByHand], ids=["by hand", "distributions", "optimises by itself"])
def test_a_divergence_that_is_missing_is_an_error(found, model):
    seen = found(lambda: model(0.0))
    assert seen.severity == "error"
    assert seen.evidence["after"] < 0.5 * seen.evidence["before"]
    assert "test_loss_variational.py" in seen.where


@pytest.mark.parametrize("beta", [-1.0, -0.01])
@pytest.mark.parametrize("model", [Vae, Softplus, ByHand], ids=["by hand", "distributions", "optimises by itself"])
def test_a_divergence_of_the_wrong_sign_is_an_error(found, model, beta):
    seen = found(lambda: model(beta))
    assert seen.severity == "error"
    assert seen.evidence["weight"] == pytest.approx(beta / 64, rel=1e-3)
    assert seen.confirmed_by


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [Vae, lambda: Vae(1e-3), Softplus, ByHand, FreeBits, Wasserstein, Classifier],
    ids=["a divergence", "a light one", "distributions", "by hand", "free bits", "of the batch", "a classifier"],
)
def test_a_spread_that_is_held_or_is_none_of_a_code_is_not_accused(found, model):
    assert found(model) is None


@pytest.mark.slow
def test_a_divergence_that_may_come_later_is_information(found):
    assert found(Annealed).severity == "info"


class Weighed(Vae):
    """Both terms are reduced as the test says."""

    def __init__(self, error, divergence, *, logits=False):
        super().__init__()
        self.reduced, self.divided, self.logits = error, divergence, logits

    def training_step(self, batch, index):
        mu, logvar, z = self.encode(batch[0])
        compared = F.binary_cross_entropy_with_logits if self.logits else F.mse_loss
        error = self.reduced(compared(self.decoder(z), batch[0], reduction="none"))
        return error + self.divided(-0.5 * (1 + logvar - mu**2 - logvar.exp()))


def summed(numbers):
    return numbers.sum()


def averaged(numbers):
    return numbers.mean()


def by_example(numbers):
    return numbers.sum(1).mean()


def balanced(judged, model):
    return judged(model, art.data((X, Y), batch_size=64), codes="ART455").get("ART455")


@pytest.mark.parametrize(
    ("model", "severity"),
    [
        (lambda: Weighed(summed, averaged), "error"),
        (lambda: Weighed(summed, by_example, logits=True), "error"),
        (lambda: Weighed(by_example, summed), "error"),
        (lambda: Weighed(averaged, by_example), "warning"),
        (lambda: Weighed(by_example, averaged, logits=True), "warning"),
    ],
    ids=["sum and mean", "sum and mean of sums", "mean of sums and sum", "mean and sums", "sums and mean"],
)
def test_terms_that_are_counted_otherwise_are_told(judged, model, severity):
    seen = balanced(judged, model)
    assert seen.severity == severity
    assert seen.category == "loss"
    assert seen.confirmed_by


@pytest.mark.parametrize(
    "model",
    [
        lambda: Weighed(summed, summed),
        lambda: Weighed(by_example, lambda one: 0.1 * by_example(one)),
        lambda: Weighed(by_example, lambda one: 4 * by_example(one), logits=True),
        lambda: Weighed(averaged, lambda one: 0.00025 * by_example(one)),
        Softplus,
        FreeBits,
        Annealed,
        Classifier,
    ],
    ids=["sums", "weak", "strong", "weak for a mean", "distributions", "free bits", "annealed", "classifier"],
)
def test_terms_that_are_counted_alike_or_weighed_on_purpose_are_not_accused(judged, model):
    assert balanced(judged, model) is None
