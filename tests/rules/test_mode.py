"""Rules on modes: each fault in two kinds of clothes is seen, and what resembles it is not accused."""

import copy

import pytest
import torch
from tests.rules.test_optimizer import Conv, Net, Regression, codes, diabetes, digits
from torch import nn
from torch.nn import functional as F

MINE = ("ART61",)


def found(model, data=digits, **options):
    return codes(model, data, MINE, **options)


class Dropout(Net):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10))


class Normed(Regression):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU())


class Attention(Net):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.2, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 10)
        del self.net

    def logits(self, x):
        return self.head(self.encoder(self.embed(x.view(-1, 8, 8))).mean(1))


class MomentumEncoder(Normed):
    """A teacher that follows the student, in evaluation mode, and never said not to train."""

    def __init__(self):
        super().__init__()
        self.teacher = copy.deepcopy(self.body).eval()

    def on_train_batch_start(self, batch, index):
        self.teacher.eval()

    def on_train_batch_end(self, outputs, batch, index):
        with torch.no_grad():
            for mine, theirs in zip(self.body.parameters(), self.teacher.parameters(), strict=True):
                theirs.lerp_(mine, 0.1)

    def training_step(self, batch):
        with torch.no_grad():
            aim = self.teacher(batch["x"])
        return self.loss(batch) + 0.1 * F.mse_loss(self.body(batch["x"]), aim)

    def configure_optimizers(self):
        return torch.optim.Adam([*self.body.parameters(), *self.head.parameters()], lr=3e-3)


class FrozenBackbone(Normed):
    def __init__(self):
        super().__init__()
        self.body.requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.body.eval()
        return self

    def configure_optimizers(self):
        return torch.optim.Adam(self.head.parameters(), lr=3e-3)


class FrozenNorms(Conv):
    def train(self, mode=True):
        super().train(mode)
        self.net[2].eval()
        return self


class Denoising(Net):
    def training_step(self, batch, index):
        return F.cross_entropy(self.net(F.dropout(batch[0], 0.2)), batch[1])


class Variational(Net):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(64, 16), nn.Linear(8, 64)

    def loss(self, x):
        mean, spread = self.encoder(x).chunk(2, 1)
        rebuilt = self.decoder(mean + torch.randn_like(mean) * (0.5 * spread).exp())
        return F.mse_loss(rebuilt, x) - 1e-3 * (1 + spread - mean.square() - spread.exp()).mean()

    def training_step(self, batch, index):
        return self.loss(batch[0])

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch[0]))


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Dropout, digits), (Normed, diabetes), (Attention, digits), (MomentumEncoder, diabetes), (FrozenBackbone, diabetes),
        (FrozenNorms, digits), (Denoising, digits), (Variational, digits), (Conv, digits),
    ],
)  # fmt: skip
def test_nothing_is_said_of_modes_that_are_right(model, data):
    assert found(model, data) == {}


class ValidatesTraining(Dropout):
    def on_validation_model_eval(self):
        pass


class TrainsInValidation(Normed):
    def validation_step(self, batch):
        self.train()
        super().validation_step(batch)


class StaysEvaluating(Dropout):
    def on_validation_model_train(self):
        pass


class EvaluatesByHook(Normed):
    def on_train_epoch_start(self):
        if self.current_epoch:
            self.eval()


class BeginsEvaluating(Dropout):
    def __init__(self):
        super().__init__()
        self.eval()

    def on_train_start(self):
        self.eval()


class PartEvaluates(Normed):
    def on_train_start(self):
        self.body.eval()


class MadeInForward(Net):
    def __init__(self):
        super().__init__()
        self.first, self.last = self.net[0], self.net[2]

    def logits(self, x):
        return self.last(nn.Dropout(0.5)(self.first(x).relu()))


class DropsAttention(Attention):
    def logits(self, x):
        h = self.embed(x.view(-1, 8, 8))
        return self.head(F.scaled_dot_product_attention(h, h, h, dropout_p=0.3).mean(1))


class Switch(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = 0.4

    def forward(self, x):
        if not self.training:
            self.p = 0.0
        return F.dropout(x, self.p, training=self.training)


class SticksInside(Net):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), Switch(), nn.Linear(32, 10))


class SticksOutside(Regression):
    noise = 0.3

    def loss(self, batch):
        if not self.training:
            self.noise = 0.0
        h = self.body(batch["x"])
        return F.mse_loss(self.head(h + self.noise * torch.randn_like(h)).squeeze(1), batch["y"])


class NoMomentum(Conv):
    def __init__(self):
        super().__init__()
        self.net[2] = nn.BatchNorm2d(8, momentum=0.0)


class SlowMomentum(Normed):
    def __init__(self):
        super().__init__()
        self.body[1] = nn.BatchNorm1d(32, momentum=1e-4)


@pytest.mark.parametrize(
    ("model", "data", "code"),
    [
        (ValidatesTraining, digits, "ART611"),
        (TrainsInValidation, diabetes, "ART611"),
        (MadeInForward, digits, "ART612"),
        (DropsAttention, digits, "ART612"),
        (BeginsEvaluating, digits, "ART613"),
        (PartEvaluates, diabetes, "ART613"),
        (StaysEvaluating, digits, "ART614"),
        (EvaluatesByHook, diabetes, "ART614"),
        (SticksInside, digits, "ART615"),
        (SticksOutside, diabetes, "ART615"),
        (NoMomentum, digits, "ART616"),
        (SlowMomentum, diabetes, "ART616"),
    ],
)
def test_faults(model, data, code):
    seen = found(model, data)
    assert set(seen) == {code}
    assert seen[code].confirmed_by


def test_declarations_settle_and_bind():
    assert found(ValidatesTraining, stochastic_eval=True) == {}
    assert found(MadeInForward, stochastic_eval=True) == {}

    class Drifts(FrozenBackbone):
        def train(self, mode=True):
            return nn.Module.train(self, mode)

    assert set(found(Drifts, diabetes, frozen=["body"])) == {"ART617"}
    assert found(Drifts, diabetes) == {}
