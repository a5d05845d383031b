"""What enters a loss: planted in several clothes and seen; what only looks like it is not."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.records import Severity


def digits():
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32)[:200], torch.tensor(y)[:200]


def loaders(*tensors, batch_size=50):
    return art.data(train=DataLoader(TensorDataset(*tensors), batch_size=batch_size, shuffle=True))


class Net(L.LightningModule):
    """A classifier whose loss tests exchange."""

    def __init__(self):
        super().__init__()
        self.net = self.build()

    def build(self):
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def loss(self, outputs, y):
        return F.cross_entropy(outputs, y)

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Images(Net):
    """A segmentation: what each pixel's brightness is, in three classes."""

    def build(self):
        return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))

    def training_step(self, batch, index):
        images = batch[0].view(-1, 1, 8, 8)
        return self.loss(self.net(images), (images[:, 0] * 3).long().clamp(0, 2))


class Manual(Net):
    """Optimises by itself."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        loss = super().training_step(batch, index)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def validation_step(self, batch, index):
        self.loss(self.net(batch[0]), batch[1])


def made(loss, base=Net, **members):
    return type("Made", (base,), {"loss": lambda self, outputs, y: loss(outputs, y), **members})


def accused(found):
    return {code for code, one in found.items() if one.severity is not Severity.INFO}


def one_hot(y):
    return F.one_hot(y, 10).float()


@pytest.mark.parametrize(
    ("code", "model"),
    [
        ("ART402", made(lambda o, y: F.cross_entropy(torch.softmax(o, 1), y))),
        ("ART402", made(lambda o, y: nn.CrossEntropyLoss()(o.sigmoid(), y))),
        ("ART402", made(lambda o, y: F.cross_entropy(o.exp() / o.exp().sum(1, keepdim=True), y))),
        ("ART402", made(lambda o, y: F.cross_entropy(o.softmax(1), y), Images)),
        ("ART410", made(lambda o, y: F.binary_cross_entropy_with_logits(o.sigmoid(), one_hot(y)))),
        ("ART410", made(lambda o, y: F.binary_cross_entropy(torch.sigmoid(o.sigmoid()), one_hot(y)))),
        ("ART410", made(lambda o, y: -(o.softmax(1).softmax(1).log() * one_hot(y)).sum(1).mean())),
        ("ART410", made(lambda o, y: F.nll_loss(o.softmax(1).log_softmax(1), y))),
        ("ART412", made(lambda o, y: F.nll_loss(o.softmax(1), y))),
        ("ART412", made(nn.NLLLoss())),
        ("ART412", made(lambda o, y: F.nll_loss(o.softmax(1), y), Images)),
        ("ART413", made(lambda o, y: F.cross_entropy(o[:, :1], y * 0))),
        ("ART414", made(lambda o, y: F.nll_loss(o.log_softmax(0), y))),
        ("ART415", made(lambda o, y: F.cross_entropy(o.view(-1, 3), y.view(-1)), Images)),
        (
            "ART415",
            made(lambda o, y: F.cross_entropy(o.flatten(2).reshape(-1, 64, 3).flatten(0, 1), y.view(-1)), Images),
        ),
    ],
)
def test_what_must_not_enter_a_loss_is_seen_and_confirmed(code, model, judged):
    found = judged(model, loaders(*digits()))
    assert accused(found) == {code}
    assert found[code].severity is Severity.ERROR
    assert found[code].confirmed_by


@pytest.mark.parametrize(
    "model",
    [
        made(F.cross_entropy),
        made(lambda o, y: F.cross_entropy(o.log_softmax(1), y)),
        made(lambda o, y: F.nll_loss(o.log_softmax(1).log_softmax(1), y)),
        made(lambda o, y: F.nll_loss((o.softmax(1) * 0.9 + 0.01).log(), y)),
        made(lambda o, y: F.binary_cross_entropy_with_logits(o, one_hot(y))),
        made(lambda o, y: F.binary_cross_entropy(o.sigmoid(), one_hot(y))),
        made(lambda o, y: F.mse_loss(o.softmax(1), one_hot(y))),
        made(lambda o, y: F.kl_div(o.log_softmax(1), one_hot(y) * 0.9 + 0.01, reduction="batchmean")),
        made(lambda o, y: F.cross_entropy(o.permute(0, 2, 3, 1).reshape(-1, 3), y.view(-1)), Images),
        made(F.cross_entropy, Images),
        made(F.cross_entropy, Manual),
    ],
)
def test_losses_that_get_what_they_want_are_not_accused(model, judged):
    assert not accused(judged(model, loaders(*digits())))


def test_a_model_that_gives_probabilities_in_evaluation_alone_is_not_accused(judged):
    def training_step(self, batch, index):
        outputs = self.net(batch[0])
        return F.cross_entropy(outputs if self.training else outputs.softmax(1), batch[1])

    model = type("Evaluating", (Net,), {"training_step": training_step})
    assert not accused(judged(model, loaders(*digits())))


@pytest.mark.parametrize(
    ("code", "loss"),
    [
        ("ART402", lambda o, y: F.cross_entropy(o.softmax(1), y)),
        ("ART410", lambda o, y: F.binary_cross_entropy_with_logits(o.sigmoid(), one_hot(y))),
    ],
)
def test_a_step_that_optimises_by_itself_is_judged_by_its_graph(code, loss, judged):
    assert code in accused(judged(made(loss, Manual), loaders(*digits())))
