"""Projects that lack what most have: none is a crash, and what does not concern one is said so."""

import warnings

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import art_training as art
from art_training.errors import SetupError

generator = torch.Generator().manual_seed(0)
X = torch.randn(240, 6, generator=generator)
Y = (X[:, 0] + 0.5 * X[:, 1] > 0).long()


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Validated(Net):
    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))


class Gan(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 6))
        self.discriminator = nn.Sequential(nn.Linear(6, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def training_step(self, batch, index):
        first, second = self.optimizers()
        real = batch[0]
        made = self.generator(torch.randn(len(real), 4))
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        loss = F.binary_cross_entropy_with_logits(self.discriminator(real), ones)
        loss = loss + F.binary_cross_entropy_with_logits(self.discriminator(made.detach()), zeros)
        second.zero_grad()
        self.manual_backward(loss)
        second.step()
        loss = F.binary_cross_entropy_with_logits(self.discriminator(made), ones)
        first.zero_grad()
        self.manual_backward(loss)
        first.step()

    def configure_optimizers(self):
        parts = (self.generator, self.discriminator)
        return [torch.optim.Adam(one.parameters(), lr=2e-4, betas=(0.5, 0.999)) for one in parts]


class Stream(IterableDataset):
    def __init__(self, begin, end):
        self.rows = range(begin, end)

    def __iter__(self):
        return ((X[index], Y[index]) for index in self.rows)


class Counted(Stream):
    def __len__(self):
        return len(self.rows)


class Training(L.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(X[:200], Y[:200]), batch_size=20, shuffle=True)


class Data(Training):
    def val_dataloader(self):
        return DataLoader(TensorDataset(X[200:], Y[200:]), batch_size=20)


def streams(kind):
    return DataLoader(kind(0, 200), batch_size=20), DataLoader(kind(200, 240), batch_size=20)


def diagnose(model, data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return art.diagnose(model, data, trainer={"max_epochs": 3, "accelerator": "cpu"}, budget=120, **options)


def reasons(diagnosis, state):
    return {one.code: one.reason for one in diagnosis.judged if one.state == state}


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Validated, Data), (Net, Training), (Net, Data), (Gan, Training), (Gan, Data),
        (Validated, streams(Stream)), (Validated, streams(Counted)), (Net, streams(Stream)[0]),
    ],
    ids=["usual", "no val_dataloader", "no validation_step", "gan", "gan with validation data", "stream", "stream with a length",
         "one stream"],
)  # fmt: skip
def test_nothing_is_broken_and_nothing_is_found_where_nothing_is_wrong(model, data):
    diagnosis = diagnose(model, data)
    assert not diagnosis.broken, diagnosis.broken
    assert not [one for one in diagnosis.findings if one.severity != "info"], str(diagnosis)
    assert {one.state for one in diagnosis.judged} <= {"passed", "finding", "not judged", "not applicable"}
    assert all(one.reason for one in diagnosis.judged if one.state in {"not judged", "not applicable"})


def test_rules_that_do_not_concern_a_setup_are_told_from_those_that_passed():
    aside = reasons(diagnose(Net, Training), "not applicable")
    assert aside["ART545"] == "no ReduceLROnPlateau is used"
    assert aside["ART721"] == "no callback waits for a value"
    assert aside["ART722"] == "there is no validation split"
    assert aside["ART321"] == "no batch norm of the model trains"
    assert aside["ART412"] == "the step calls no nll_loss and no kl_div"
    assert aside["ART162"] == "it is about regression, and the task is classification"
    assert aside["ART533"] == "grad_clip is not declared"
    assert "ART402" not in aside


def test_a_rule_that_a_declaration_settles_does_not_apply():
    diagnosis = diagnose(Validated, Data, stochastic_eval=True, couples_examples=True)
    aside = reasons(diagnosis, "not applicable")
    assert aside["ART612"] == aside["ART611"] == "stochastic_eval is declared"
    assert aside["ART311"] == "couples_examples is declared"


class Predicts(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 2)

    def predict_step(self, batch, index):
        return self.net(batch[0])


class Wants(Net):
    def __init__(self, width):
        super().__init__()


class FactoryRaises:
    def __call__(self):
        raise ValueError("my own mistake")


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        (Predicts, Data, "Predicts defines no training_step"),
        (Wants, Data, "Wants needs 'width'; give hparams="),
        (nn.Linear, Data, "a plain nn.Module, where a LightningModule is needed"),
        (dict, Data, "which is no LightningModule"),
        (lambda: 5, Data, "returned 5, which is no LightningModule"),
        (5, Data, "model=5 cannot be called"),
        (Net, 5, "data=5 is none that Lightning can train on"),
        (Net, dict, "returned {}, which is no LightningDataModule"),
        (Net, X, "is none that Lightning can train on"),
        (Net, L.LightningDataModule, "defines no train_dataloader"),
    ],
)  # fmt: skip
def test_what_cannot_be_diagnosed_as_declared_is_one_sentence(model, data, said):
    with pytest.raises(SetupError, match=said) as caught:
        diagnose(model, data)
    assert "\n" not in str(caught.value)


def test_a_factory_that_raises_is_diagnosed():
    diagnosis = diagnose(FactoryRaises(), Data)
    assert diagnosis.status == "inconclusive"
    assert "my own mistake, in FactoryRaises.__call__ at test_odd_projects.py:" in diagnosis.broken
    assert "ART150" in reasons(diagnosis, "passed")
