"""What a loss compares with and adds up, on digits and on texts of tokens."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.records import Severity


def loaders(*tensors):
    return art.data(train=DataLoader(TensorDataset(*tensors), batch_size=50, shuffle=True))


def digits():
    """Ever fewer of the higher digits."""
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    kept = torch.rand(len(y), generator=torch.Generator().manual_seed(0)) < torch.linspace(1, 0.08, 10)[y]
    return x[kept][:400], y[kept][:400]


def texts():
    """Random walks over 12 tokens; 0 pads."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randint(1, 4, (200, 12), generator=generator)
    tokens = steps.cumsum(1) % 12 + 1
    for row, length in zip(tokens, torch.randint(6, 13, (200,), generator=generator), strict=True):
        row[length:] = 0
    return tokens


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = self.build()

    def build(self):
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def training_step(self, batch, index):
        return self.loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Language(Net):
    """Predicts the next token; how far it shifts is exchanged."""

    shift, ignore = 1, 0

    def build(self):
        return nn.ModuleDict(
            {
                "embed": nn.Embedding(13, 8, padding_idx=0),
                "rnn": nn.GRU(8, 16, batch_first=True),
                "head": nn.Linear(16, 13),
            }
        )

    def training_step(self, batch, index):
        tokens = batch[0]
        hidden, _ = self.net["rnn"](self.net["embed"](tokens))
        logits = self.net["head"](hidden)
        length = tokens.shape[1] - self.shift
        return F.cross_entropy(
            logits[:, :length].reshape(-1, 13), tokens[:, self.shift :].reshape(-1), ignore_index=self.ignore
        )


def made(loss, base=Net, **members):
    return type("Made", (base,), {"loss": lambda self, outputs, y: loss(outputs, y), **members})


def accused(found):
    return {code for code, one in found.items() if one.severity is not Severity.INFO}


def one_hot(y):
    return F.one_hot(y, 10).float()


COUNTS = torch.bincount(digits()[1], minlength=10).float()


def weighted(weight):
    return made(lambda o, y: F.cross_entropy(o, y, weight=weight))


def positive(weight):
    return made(lambda o, y: F.binary_cross_entropy_with_logits(o[:, 0], (y == 3).float(), pos_weight=weight))


def all_weights(model):
    return torch.cat([one.reshape(-1) for one in model.parameters()])


class Regularised(Net):
    strength = 1e-4

    def loss(self, outputs, y):
        return F.cross_entropy(outputs, y) + self.strength * all_weights(self).abs().sum()


class Variational(Net):
    """A variational autoencoder."""

    def build(self):
        return nn.ModuleDict({"encoder": nn.Linear(64, 8), "decoder": nn.Linear(4, 64)})

    def deviation(self, logvar):
        return torch.exp(0.5 * logvar)

    def training_step(self, batch, index):
        mean, logvar = self.net["encoder"](batch[0]).chunk(2, 1)
        z = mean + self.deviation(logvar) * torch.randn_like(mean)
        distance = -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum(1).mean()
        return F.mse_loss(self.net["decoder"](z), batch[0], reduction="sum") / len(z) + distance


class LogDeviation(Variational):
    """Learns the logarithm of the deviation, and squares it in the divergence."""

    def training_step(self, batch, index):
        mean, log = self.net["encoder"](batch[0]).chunk(2, 1)
        z = mean + log.exp() * torch.randn_like(mean)
        distance = -0.5 * (1 + 2 * log - mean**2 - (2 * log).exp()).sum(1).mean()
        return F.mse_loss(self.net["decoder"](z), batch[0], reduction="sum") / len(z) + distance


FAULTS = [
    ("ART430", made(lambda o, y: F.cross_entropy(o, torch.full_like(y, -100)))),
    ("ART431", made(lambda o, y: F.cross_entropy(o, y, ignore_index=0))),
    ("ART431", made(lambda o, y: F.nll_loss(o.log_softmax(1), y, ignore_index=4))),
    ("ART432", type("Made", (Language,), {"ignore": -100})),
    ("ART434", type("Made", (Language,), {"shift": 2})),
    ("ART434", type("Made", (Language,), {"shift": 0})),
    ("ART440", weighted(COUNTS / COUNTS.sum())),
    ("ART440", weighted(COUNTS.sum() / COUNTS.flip(0))),
    ("ART440", positive(torch.tensor(0.13))),
    ("ART442", made(lambda o, y: F.cross_entropy(o, y, label_smoothing=0.9))),
    ("ART443", made(lambda o, y: F.cross_entropy(o, one_hot(y) + one_hot((y + 1) % 10)))),
    ("ART450", type("Made", (Regularised,), {"strength": 10.0})),
    ("ART451", type("Made", (Variational,), {"deviation": lambda self, logvar: torch.exp(logvar)})),
]


@pytest.mark.parametrize(("code", "model"), FAULTS)
def test_a_loss_of_the_wrong_targets_is_seen_and_confirmed(code, model, judged):
    found = judged(model, loaders(texts()) if issubclass(model, Language) else loaders(*digits()))
    assert accused(found) == {code}
    assert found[code].confirmed_by


@pytest.mark.parametrize(
    "model",
    [
        made(F.cross_entropy),
        made(lambda o, y: F.cross_entropy(o, torch.where(torch.arange(len(y)) % 2 == 0, y, -100))),
        weighted(COUNTS.sum() / COUNTS),
        weighted(COUNTS.rsqrt()),
        weighted(torch.tensor([1.0, 1, 1, 2, 2, 2, 3, 3, 4, 5])),
        positive(torch.tensor(7.5)),
        made(lambda o, y: F.cross_entropy(o, y, label_smoothing=0.1)),
        made(lambda o, y: F.cross_entropy(o, 0.7 * one_hot(y) + 0.3 * one_hot(y.flip(0)))),
        made(lambda o, y: F.mse_loss(o.sigmoid(), one_hot(y))),
        Regularised,
        Variational,
        LogDeviation,
        Language,
    ],
)
def test_targets_and_weights_that_are_right_are_not_accused(model, judged):
    assert not accused(judged(model, loaders(texts()) if issubclass(model, Language) else loaders(*digits())))


def test_a_class_that_is_declared_as_reserved_may_be_ignored(judged):
    model = made(lambda o, y: F.cross_entropy(o, y, ignore_index=0))
    assert "ART431" not in judged(model, loaders(*digits()), reserved_classes=[0])


class OfSequences(Language):
    """Says of a whole text whether it is long; 0 pads tokens and is a class."""

    def build(self):
        return nn.ModuleDict(
            {
                "embed": nn.Embedding(13, 8, padding_idx=0),
                "rnn": nn.GRU(8, 16, batch_first=True),
                "head": nn.Linear(16, 2),
            }
        )

    def training_step(self, batch, index):
        tokens = batch[0]
        return F.cross_entropy(
            self.net["head"](self.net["rnn"](self.net["embed"](tokens))[1][0]), (tokens[:, 8] > 0).long()
        )


class Tags(OfSequences):
    """Says of each token whether it is high; nothing is learned of padding, and 0 is a tag."""

    def training_step(self, batch, index):
        tokens = batch[0]
        tags = torch.where(tokens > 0, (tokens > 6).long(), -100)
        outputs = self.net["head"](self.net["rnn"](self.net["embed"](tokens))[0])
        return F.cross_entropy(outputs.transpose(1, 2), tags)


@pytest.mark.parametrize("model", [OfSequences, Tags])
def test_a_class_that_has_the_number_of_the_padding_is_not_padding(model, judged):
    assert "ART432" not in judged(model, loaders(texts()), padding=0)
