"""How a loss responds to its targets, its sign and the number of examples."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
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


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return loaders(torch.tensor(x * 20).float()[:200], torch.tensor((y - y.mean()) / y.std()).float()[:200])


class Regression(Net):
    def build(self):
        return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))


class ByName(Regression):
    """Reads a dictionary, and passes it through a recurrent network."""

    def build(self):
        return nn.ModuleDict({"rnn": nn.GRU(1, 16, batch_first=True), "head": nn.Linear(16, 1)})

    def training_step(self, batch, index):
        hidden, _ = self.net["rnn"](batch["series"])
        return self.loss(self.net["head"](hidden[:, -1]), batch["next"])


def series():
    waves = torch.sin(torch.arange(200)[:, None] * 0.3 + torch.arange(12) * 0.5)
    rows = [{"series": one[:11, None], "next": one[11]} for one in waves]
    return art.data(train=DataLoader(rows, batch_size=40, shuffle=True))


def one_hot(y):
    return F.one_hot(y, 10).float()


def with_sgd(lr):
    return {"configure_optimizers": lambda self: torch.optim.SGD(self.parameters(), lr=lr)}


@pytest.mark.parametrize(
    ("code", "model", "data"),
    [
        ("ART420", made(lambda o, y: ((o - y) ** 2).mean(), Regression), diabetes),
        ("ART420", made(lambda o, y: torch.log(torch.cosh(o - y)).mean(), ByName), series),
        ("ART420", made(lambda o, y: ((o[:, :1].sigmoid() - (y > 4).float()) ** 2).mean()), None),
        ("ART422", made(lambda o, y: torch.tensor(F.cross_entropy(o, y).item(), requires_grad=True)), None),
        ("ART422", made(lambda o, y: (o.argmax(1) != y).float().mean().requires_grad_()), None),
        ("ART423", made(lambda o, y: -F.cross_entropy(o, y)), None),
        ("ART423", made(lambda o, y: (o.log_softmax(1) * one_hot(y)).sum(1).mean()), None),
        ("ART423", made(lambda o, y: -((o.squeeze(1) - y) ** 2).mean(), Regression), diabetes),
        ("ART424", made(lambda o, y: F.cross_entropy(o, y, reduction="sum"), **with_sgd(0.1)), None),
        ("ART424", made(lambda o, y: ((o.squeeze(1) - y) ** 2).sum(), Regression, **with_sgd(0.01)), diabetes),
    ],
)
def test_a_loss_that_responds_wrongly_is_seen_and_confirmed(code, model, data, judged):
    found = judged(model, data() if data else loaders(*digits()))
    assert accused(found) == {code}
    assert found[code].confirmed_by


class ZeroHead(Net):
    def build(self):
        net = super().build()
        nn.init.zeros_(net[-1].weight)
        return net


class Autoencoder(Net):
    """Holds labels that it does not use."""

    def build(self):
        return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 64))

    def training_step(self, batch, index):
        return ((self.net(batch[0]) - batch[0]) ** 2).mean()


class Contrastive(Net):
    """Two views of an example are near each other, and far from those of others."""

    def training_step(self, batch, index):
        views = [F.normalize(self.net(batch[0] + 0.1 * torch.randn_like(batch[0]))) for _ in range(2)]
        logits = views[0] @ views[1].T / 0.1
        return F.cross_entropy(logits, torch.arange(len(logits)))


class Alike(Net):
    """The distance of two images is small where the label, 1, says that they are of one digit (Hadsell et al., 2006)."""

    def training_step(self, batch, index):
        one, other, same = batch
        distance = (self.net(one) - self.net(other)).norm(dim=1)
        return (same * distance**2 + (1 - same) * F.relu(1 - distance) ** 2).mean()


def alike():
    x, y = digits()
    other = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    other = torch.where(torch.arange(len(x)) % 2 == 0, other, torch.stack([(y == one).nonzero()[-1, 0] for one in y]))
    return loaders(x, x[other], (y == y[other]).float())


class Reinforce(Net):
    """Actions, and rewards that are all negative."""

    def training_step(self, batch, index):
        states, actions, rewards = batch
        return -(self.net(states).log_softmax(1).gather(1, actions[:, None]).squeeze(1) * rewards).mean()


class Adversary(Manual):
    """Two optimisers, and losses that pull against each other."""

    def build(self):
        return nn.ModuleList([nn.Linear(8, 64), nn.Linear(64, 1)])

    def validation_step(self, batch, index):
        pass

    def training_step(self, batch, index):
        one, other = self.optimizers()
        made_up = self.net[0](torch.randn(len(batch[0]), 8))
        judged_real, judged_made = self.net[1](batch[0]), self.net[1](made_up.detach())
        loss = F.softplus(-judged_real).mean() + F.softplus(judged_made).mean()
        other.zero_grad()
        self.manual_backward(loss)
        other.step()
        one.zero_grad()
        self.manual_backward(F.softplus(-self.net[1](made_up)).mean())
        one.step()

    def configure_optimizers(self):
        return [torch.optim.Adam(one.parameters(), lr=1e-3) for one in self.net]


def episodes():
    x, y = digits()
    return loaders(x, y, -torch.rand(len(y)) - 0.5)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (made(lambda o, y: ((o.squeeze(1) - y) ** 2).mean(), Regression), diabetes),
        (made(lambda o, y: ((o.squeeze(1) - y) ** 2).mean(), ByName), series),
        (made(lambda o, y: -(o.log_softmax(1) * one_hot(y)).sum(1).mean()), None),
        (made(lambda o, y: 1 - 2 * (o.softmax(1) * one_hot(y)).sum() / (2 * len(y))), None),
        (made(lambda o, y: -(o.softmax(1) * one_hot(y)).sum(1).mean()), None),
        (made(lambda o, y: F.cross_entropy(o, y, reduction="sum")), None),
        (made(lambda o, y: F.cross_entropy(o, y, reduction="sum"), **with_sgd(0.002)), None),
        (made(F.cross_entropy, ZeroHead), None),
        (Autoencoder, None),
        (Contrastive, None),
        (Alike, alike),
        (Reinforce, episodes),
        (Adversary, None),
    ],
)
def test_losses_of_every_kind_that_are_right_are_not_accused(model, data, judged):
    assert not accused(judged(model, data() if data else loaders(*digits())))


@pytest.mark.parametrize(
    ("model", "severity"),
    [
        (made(lambda o, y: F.cross_entropy(o, y) / 4, **with_sgd(0.1)), Severity.WARNING),
        (made(lambda o, y: F.mse_loss(o, one_hot(y)) * 0.25), Severity.INFO),
        (made(lambda o, y: F.cross_entropy(o, y) / 2, **with_sgd(0.1)), None),
    ],
)
def test_a_loss_that_is_divided_for_accumulation_twice_matters_to_plain_gradient_descent(model, severity, judged):
    found = judged(model, loaders(*digits()), trainer={"accumulate_grad_batches": 4}).get("ART425")
    assert (found.severity if found else None) is severity


class FloatLabels(Net):
    """Classes come as floating point numbers, as a table gives them; there is none below 0."""

    sign = 1

    def training_step(self, batch, index):
        return self.sign * super().training_step((batch[0], batch[1].long()), index)


def test_classes_that_come_as_floats_are_judged(judged):
    x, y = digits()
    assert not accused(judged(FloatLabels, loaders(x, y.float())))
    assert "ART423" in judged(type("Climbs", (FloatLabels,), {"sign": -1}), loaders(x, y.float()))


class AlmostConstant(Regression):
    """Predicts nearly the same of everybody, as a fresh model may."""

    def build(self):
        net = super().build()
        net[2].weight.data.mul_(1e-4)
        return net


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("base", [Regression, AlmostConstant])
@pytest.mark.parametrize("loss", [F.mse_loss, lambda o, y: ((o - y) ** 2).mean()])
def test_a_table_of_all_pairs_is_an_error_however_it_is_written_and_whatever_a_fresh_model_predicts(loss, base, judged):
    found = judged(made(loss, base), diabetes())["ART420"]
    assert found.severity is Severity.ERROR
    assert found.confirmed_by or base is AlmostConstant  # the exchange does next to nothing there, whatever the shapes
