"""Inputs that hold what is to be predicted."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from torch import nn
from torch.nn import functional as F

CODES = ("ART137", "ART139")
GENERATOR = torch.Generator().manual_seed(0)


class Net(L.LightningModule):
    def __init__(self, features=30, outputs=2, net=None):
        super().__init__()
        self.net = net or nn.Sequential(nn.Linear(features, 16), nn.ReLU(), nn.Linear(16, outputs))

    def loss(self, batch):
        x, y = batch
        out = self.net(x)
        return F.mse_loss(out.squeeze(1), y) if y.is_floating_point() else F.cross_entropy(out, y)

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Named(Net):
    """Takes numbers and a category by name; other entries stand beside them."""

    def __init__(self, features=13, categories=3):
        super().__init__(features + 4, 3)
        self.embed = nn.Embedding(categories, 4)

    def loss(self, batch):
        return F.cross_entropy(self.net(torch.cat([batch["numbers"], self.embed(batch["region"])], 1)), batch["kind"])


class Blind(Net):
    """Does not look at its last column."""

    def loss(self, batch):
        return super().loss((batch[0][:, :-1], batch[1]))


def standard(x):
    return (x - x.mean(0)) / x.std(0)


def table(load, kind=torch.long):
    x, y = load(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return standard(torch.tensor(x, dtype=torch.float32))[order], torch.tensor(y)[order].to(kind)


def halves(*columns):
    cut = int(0.7 * len(columns[0]))
    return tuple(one[:cut] for one in columns), tuple(one[cut:] for one in columns)


def with_column(x, column):
    return torch.cat([x, column.float().reshape(len(x), -1)], 1)


@pytest.fixture
def found(judged):
    import art_training as art

    def ask(model, *splits):
        return judged(model, art.data(*splits, batch_size=32), codes=CODES)

    return ask


CANCER, WINE, DIABETES = table(load_breast_cancer), table(load_wine), table(load_diabetes, torch.float32)


@pytest.mark.parametrize("form", ["scaled", "one for each class"])
def test_a_code_of_the_class_among_the_columns_is_seen(found, form):
    x, y = WINE
    column = 2.5 * y - 7 if form == "scaled" else F.one_hot(y, 3)
    leaky = with_column(x, column)
    seen = found(lambda: Net(leaky.shape[1], 3), *halves(leaky, y))
    assert seen["ART137"].severity == "error"
    assert seen["ART137"].evidence["relation"] == "code"
    assert "by all others neighbours know" in seen["ART137"].confirmed_by


@pytest.mark.parametrize("form", ["scaled", "logarithm"])
def test_a_number_that_follows_from_the_target_is_seen(found, form):
    x, y = DIABETES
    leaky = with_column(x, standard(y) if form == "scaled" else y.log())
    seen = found(lambda: Net(11, 1), *halves(leaky, y))
    assert seen["ART137"].severity == "error"
    assert seen["ART137"].evidence["columns"] == [10]


def test_a_category_that_is_the_class_is_seen_in_named_batches(found):
    x, y = WINE
    train, valid = halves(x, y)
    seen = found(Named, *({"numbers": a, "region": (b + 1) % 3, "kind": b} for a, b in (train, valid)))
    assert "batch[region]" in seen["ART137"].where


def test_what_the_model_does_not_look_at_is_not_accused(found):
    x, y = WINE
    assert not found(lambda: Blind(13, 3), *halves(with_column(x, y), y))
    train, valid = halves(x, y)
    entries = ({"numbers": a, "region": torch.zeros_like(b), "weight": 1.0 + b, "kind": b} for a, b in (train, valid))
    assert not found(Named, *entries)


def test_tables_without_a_leak_are_not_accused(found):
    assert not found(lambda: Net(30, 2), *halves(*CANCER))
    assert not found(lambda: Net(13, 3), *halves(*WINE))
    assert not found(lambda: Net(10, 1), *halves(*DIABETES))


def test_a_column_that_is_nearly_the_target_is_not_accused(found):
    x, y = DIABETES
    near = y + 0.02 * y.std() * torch.randn(len(y), generator=GENERATOR)
    assert not found(lambda: Net(11, 1), *halves(with_column(x, near), y))
    x, y = CANCER
    slips = torch.rand(len(y), generator=GENERATOR) < 0.01
    assert not found(lambda: Net(31, 2), *halves(with_column(x, torch.where(slips, 1 - y, y)), y))


def test_a_toy_whose_target_is_one_of_its_columns_is_information(found):
    x = torch.randn(400, 6, generator=GENERATOR)
    seen = found(lambda: Net(6, 1), *halves(x, 3 * x[:, 2] + 1))
    assert [one.severity for one in seen.values()] == ["info"]
    assert not found(lambda: Net(6, 2), *halves(x, (x[:, 2] > 0).long()))


def test_one_column_is_all_there_is_in_a_curve(found):
    x = torch.linspace(-1, 1, 200).unsqueeze(1)[torch.randperm(200, generator=GENERATOR)]
    seen = found(lambda: Net(1, 1), *halves(x, (2 * x + 1).squeeze(1)))
    assert all(one.severity == "info" for one in seen.values())


def test_pictures_that_are_as_bright_as_their_class_are_not_accused(found):
    y = torch.arange(300) % 3
    x = torch.zeros(300, 1, 6, 6)
    for one in range(3):
        x[y == one, :, one * 2 : one * 2 + 2] = 1
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(64, 3))
    assert not found(lambda: Net(net=net), *halves(x, y))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    assert not found(lambda: Net(net=flat), *halves(x.flatten(1), y))


def test_a_text_that_begins_with_its_class_is_not_accused(found):
    y = torch.arange(300) % 4
    x = torch.cat([y.unsqueeze(1), torch.randint(4, 20, (300, 9), generator=GENERATOR)], 1)
    net = nn.Sequential(nn.Embedding(20, 4), nn.Flatten(), nn.Linear(40, 4))
    assert not found(lambda: Net(net=net), *halves(x, y))


def series(length=600):
    time = torch.arange(length)
    return torch.sin(time / 7) + 0.3 * torch.randn(length, generator=torch.Generator().manual_seed(1))


class Recurrent(nn.Module):
    def __init__(self, features=1):
        super().__init__()
        self.rnn = nn.GRU(features, 8, batch_first=True)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def windows(length, ahead):
    s = series()
    x = s.unfold(0, length, 1)
    count = len(s) - length - 2
    return x[:count], s[length - 1 + ahead :][:count]


def test_a_window_that_holds_its_target_is_seen(found):
    x, y = windows(12, 0)
    seen = found(lambda: Net(12, 1), *halves(x, y))
    assert set(seen) == {"ART139"}
    assert seen["ART139"].evidence["place"] == [11]
    assert "beside" in seen["ART139"].confirmed_by


def test_a_channel_of_a_window_that_holds_its_target_is_seen(found):
    x, y = windows(12, 0)
    both = torch.stack([x.roll(3, 0), (x - 0.5) / 2], 2)
    seen = found(lambda: Net(net=Recurrent(2)), *halves(both[3:], y[3:]))
    assert seen["ART139"].evidence["place"] == [11, 1]


def test_windows_that_end_before_their_target_are_not_accused(found):
    x, y = windows(12, 1)
    assert not found(lambda: Net(12, 1), *halves(x, y))
    assert not found(lambda: Net(net=Recurrent()), *halves(x.unsqueeze(2), y))


def test_what_is_remembered_of_a_sequence_is_not_accused(found):
    x = torch.randn(400, 10, 1, generator=GENERATOR)
    assert not found(lambda: Net(net=Recurrent()), *halves(x, x[:, 0, 0]))


def test_digits_as_a_table_are_not_accused(found):
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x[:600] / 16, dtype=torch.float32), torch.tensor(y[:600])
    assert not found(lambda: Net(64, 10), *halves(x, y))
