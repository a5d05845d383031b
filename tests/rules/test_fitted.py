"""What was fitted to rows before they were divided."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split

import art_training as art

CODES = ("ART215",)


def noise():
    generator = np.random.default_rng(0)
    return generator.normal(size=(120, 400)), generator.integers(2, size=120)


def pairs(x, y):
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(20, 2)

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Chosen(L.LightningDataModule):
    """Chooses before it divides, by position."""

    def setup(self, stage):
        x, y = noise()
        select = SelectKBest(k=20)
        select.fit(x, y)
        x = select.transform(x)
        self.train, self.valid = TensorDataset(*pairs(x[:90], y[:90])), TensorDataset(*pairs(x[90:], y[90:]))

    def train_dataloader(self):
        return DataLoader(self.train, 32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.valid, 32)


class ChosenInTraining(Chosen):
    """Chooses by the training rows."""

    def setup(self, stage):
        x, y = noise()
        x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=30, random_state=0)
        select = SelectKBest(k=20).fit(x_train, y_train)
        self.train = TensorDataset(*pairs(select.transform(x_train), y_train))
        self.valid = TensorDataset(*pairs(select.transform(x_valid), y_valid))


class ChosenByPosition(Chosen):
    def setup(self, stage):
        x, y = noise()
        select = SelectKBest(k=20).fit(x[:90], y[:90])
        x = select.transform(x)
        self.train, self.valid = TensorDataset(*pairs(x[:90], y[:90])), TensorDataset(*pairs(x[90:], y[90:]))


def chosen_by_a_function():
    x, y = noise()
    x = SelectKBest(k=20).fit_transform(x, y)
    x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=30, random_state=0)
    return art.data(pairs(x_train, y_train), pairs(x_valid, y_valid), batch_size=32)


def chosen_and_divided_at_random():
    x, y = noise()
    chosen = SelectKBest(k=20).fit_transform(x, y=y)
    rows = TensorDataset(*pairs(chosen, y))
    train, valid = random_split(rows, [90, 30])
    return art.data(DataLoader(train, 32, shuffle=True), DataLoader(valid, 32))


def scaled_first():
    x, y = noise()
    x = StandardScaler().fit_transform(x[:, :20])
    x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=30, random_state=0)
    return art.data(pairs(x_train, y_train), pairs(x_valid, y_valid), batch_size=32)


def scaled_with_training():
    x, y = noise()
    x = x[:, :20]
    x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=30, random_state=0)
    scaler = StandardScaler()
    x_train = scaler.fit_transform(x_train)
    x_valid = scaler.transform(x_valid)
    return art.data(pairs(x_train, y_train), pairs(x_valid, y_valid), batch_size=32)


@pytest.fixture
def found(judged):
    return lambda data: judged(Net, data, codes=CODES)


@pytest.mark.parametrize("data", [Chosen, chosen_by_a_function, chosen_and_divided_at_random])
def test_features_chosen_by_the_targets_of_all_rows_are_seen(found, data):
    seen = found(data)["ART215"]
    assert seen.severity == "warning"
    assert "fit" in seen.message
    assert "test_fitted.py" in seen.where


@pytest.mark.parametrize("data", [ChosenInTraining, ChosenByPosition, scaled_with_training])
def test_what_is_fitted_to_training_rows_is_not_accused(found, data):
    assert not found(data)


def test_a_scaler_is_information(found):
    assert found(scaled_first)["ART215"].severity == "info"
