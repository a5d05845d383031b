"""Networks that learn against each other, kept apart and not."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import art_training as art

X = torch.tensor(load_digits().data[:1280], dtype=torch.float32) / 16
Y = torch.tensor(load_digits().target[:1280])

LOSSES = {
    "cross entropy": lambda judged, real: F.binary_cross_entropy_with_logits(
        judged, torch.full_like(judged, float(real))
    ),
    "least squares": lambda judged, real: (judged - float(real)).square().mean(),
    "Wasserstein": lambda judged, real: -judged.mean() if real else judged.mean(),
}


def adam(*modules):
    return torch.optim.Adam([one for module in modules for one in module.parameters()], lr=2e-4, betas=(0.5, 0.999))


class Gan(L.LightningModule):
    """Each network has an optimiser of its own, cleared before its backward pass."""

    automatic = False

    def __init__(self, loss="cross entropy"):
        super().__init__()
        self.loss, self.automatic_optimization = LOSSES[loss], self.automatic
        self.generator = nn.Sequential(nn.Linear(16, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.Sigmoid())
        self.discriminator = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))

    def made(self, batch):
        return self.generator(torch.randn(len(batch[0]), 16))

    def judges(self, images, made):
        return self.loss(self.discriminator(images), 1) + self.loss(self.discriminator(made), 0)

    def deceives(self, made):
        return self.loss(self.discriminator(made), 1)

    def training_step(self, batch, index):
        makes, judges = self.optimizers()
        judges.zero_grad()
        self.manual_backward(self.judges(batch[0], self.made(batch).detach()))
        judges.step()
        makes.zero_grad()
        self.manual_backward(self.deceives(self.made(batch)))
        makes.step()

    def validation_step(self, batch, index):
        self.log("judged", self.discriminator(batch[0]).mean())

    def configure_optimizers(self):
        return adam(self.generator), adam(self.discriminator)


class OneOptimizer(Gan):
    def training_step(self, batch, index):
        both = self.optimizers()
        for loss in (
            lambda: self.judges(batch[0], self.made(batch).detach()),
            lambda: self.deceives(self.made(batch)),
        ):
            both.zero_grad()
            self.manual_backward(loss())
            both.step()

    def configure_optimizers(self):
        return adam(self.generator, self.discriminator)


class OneLoss(OneOptimizer):
    """The trainer learns both at once."""

    automatic = True

    def training_step(self, batch, index):
        made = self.made(batch)
        return self.judges(batch[0], made.detach()) + self.deceives(made)


class Together(OneLoss):
    """What is real and what is made pass the discriminator together."""

    def judges(self, images, made):
        real, fake = self.discriminator(torch.cat([images, made])).chunk(2)
        return self.loss(real, 1) + self.loss(fake, 0)


class ClearedAfter(Gan):
    """Each optimiser clears its own gradients after its step, and keeps those that the other's loss left."""

    def training_step(self, batch, index):
        makes, judges = self.optimizers()
        self.manual_backward(self.deceives(self.made(batch)))
        makes.step()
        makes.zero_grad()
        self.manual_backward(self.judges(batch[0], self.made(batch).detach()))
        judges.step()
        judges.zero_grad()


class NotDetached(Gan):
    """Gradients are cleared once a batch."""

    def training_step(self, batch, index):
        makes, judges = self.optimizers()
        makes.zero_grad()
        judges.zero_grad()
        self.manual_backward(self.judges(batch[0], self.made(batch)))
        judges.step()
        self.manual_backward(self.deceives(self.made(batch)))
        makes.step()


class NotDetachedAndCleared(NotDetached):
    def training_step(self, batch, index):
        makes, judges = self.optimizers()
        judges.zero_grad()
        self.manual_backward(self.judges(batch[0], self.made(batch)))
        judges.step()
        makes.zero_grad()
        self.manual_backward(self.deceives(self.made(batch)))
        makes.step()


class Toggled(OneOptimizer):
    """One optimiser, and the network whose turn it is not is frozen."""

    def training_step(self, batch, index):
        both = self.optimizers()
        for learner, other in ((self.discriminator, self.generator), (self.generator, self.discriminator)):
            learner.requires_grad_(True)
            other.requires_grad_(False)
            both.zero_grad()
            made = self.made(batch)
            self.manual_backward(self.deceives(made) if learner is self.generator else self.judges(batch[0], made))
            both.step()
        self.discriminator.requires_grad_(True)


class InTurn(Gan):
    """The generator learns from every third batch."""

    def training_step(self, batch, index):
        makes, judges = self.optimizers()
        if index % 3 == 2:
            makes.zero_grad()
            self.manual_backward(self.deceives(self.made(batch)))
            makes.step()
        else:
            judges.zero_grad()
            self.manual_backward(self.judges(batch[0], self.made(batch).detach()))
            judges.step()


class Scores(L.LightningModule):
    """One module scores what an encoder gives of two kinds of pairs: no adversaries."""

    def __init__(self):
        super().__init__()
        self.encoder, self.score = nn.Linear(64, 16), nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch, index):
        code = self.encoder(batch[0])
        near, far = self.score((code - self.encoder(batch[0] + 0.1)).abs()), self.score((code - code.roll(1, 0)).abs())
        return F.softplus(near).mean() + F.softplus(-far).mean()

    def configure_optimizers(self):
        return adam(self)


@pytest.fixture
def found(judged):
    def ask(model):
        return judged(model, art.data((X, Y), batch_size=64), codes="ART515").get("ART515")

    return ask


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", [OneOptimizer, OneLoss, Together, ClearedAfter], ids=lambda one: one.__name__)
def test_a_judge_that_is_moved_to_be_deceived_is_an_error(found, model, loss):
    seen = found(lambda: model(loss))
    assert seen.severity == "error"
    assert seen.where == "discriminator"
    assert seen.evidence["judge moved"] > 0.1
    assert seen.confirmed_by


@pytest.mark.parametrize("loss", LOSSES)
def test_a_maker_that_is_moved_by_the_loss_of_the_judge_is_an_error(found, loss):
    seen = found(lambda: NotDetached(loss))
    assert seen.where == "generator"
    assert seen.evidence["maker moved"] > 0.01


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", [Gan, NotDetachedAndCleared, Toggled, InTurn], ids=lambda one: one.__name__)
def test_adversaries_that_are_kept_apart_are_not_accused(found, model, loss):
    assert found(lambda: model(loss)) is None


def test_a_score_of_pairs_is_no_adversary(found):
    assert found(Scores) is None
