"""Whether a set-up is evaluated, on which rows, and which way its callbacks look."""

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset, WeightedRandomSampler

import art_training as art
from art_training.rules.evaluation import direction_of


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, index):
        outputs = self.net(batch[0])
        self.log("val_loss", F.cross_entropy(outputs, batch[1]))
        self.log("val_acc", (outputs.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def wrong(*, model=Net, callbacks=(), loader=None, **trainer):
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    train, validation = TensorDataset(x[:300], y[:300]), TensorDataset(x[300:400], y[300:400])
    data = (
        DataLoader(train, batch_size=50, shuffle=True),
        DataLoader(validation, **{"batch_size": 30, **(loader or {})}),
    )
    settings = {"max_epochs": 3, "accelerator": "cpu", "callbacks": list(callbacks), **trainer}
    found = art.diagnose(model, data, trainer=settings, budget=120).findings
    return [one for one in found if one.code.startswith("ART72") and one.severity.value != "info"]


class OtherNames(Net):
    def validation_step(self, batch, index):
        self.log("valid/MSE", F.mse_loss(self.net(batch[0]).softmax(1), F.one_hot(batch[1], 10).float()))


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("ART720", {"callbacks": [lambda: EarlyStopping("val_acc")]}),
        ("ART720", {"callbacks": [lambda: ModelCheckpoint(monitor="val_loss", mode="max")]}),
        ("ART720", {"callbacks": [lambda: ModelCheckpoint(monitor="valid/MSE", mode="max")], "model": OtherNames}),
        ("ART721", {"callbacks": [lambda: EarlyStopping("valid_loss", strict=False)]}),
        ("ART722", {"limit_val_batches": 0}),
        ("ART722", {"check_val_every_n_epoch": 10}),
        ("ART722", {"check_val_every_n_epoch": None, "val_check_interval": 500}),
        ("ART722", {"max_steps": 4}),
        ("ART722", {"max_steps": 12, "max_epochs": -1, "check_val_every_n_epoch": 3}),
        ("ART725", {"limit_val_batches": 1}),
        ("ART725", {"limit_val_batches": 0.3}),
        ("ART723", {"loader": {"drop_last": True}}),
        ("ART724", {"loader": {"sampler": WeightedRandomSampler(torch.ones(100), 100)}}),
    ],
)
def test_an_evaluation_that_is_not_what_it_should_be_is_seen_and_confirmed(code, options):
    (found,) = wrong(**options)
    assert found.code == code
    assert found.confirmed_by


@pytest.mark.parametrize(
    "options",
    [
        {"callbacks": [lambda: EarlyStopping("val_acc", mode="max"), lambda: ModelCheckpoint(monitor="val_loss")]},
        {"check_val_every_n_epoch": 3},
        {"check_val_every_n_epoch": None, "val_check_interval": 10},
        {"max_steps": 6},
        {"limit_val_batches": 3},
        {"limit_val_batches": 1.0},
        {"loader": {"drop_last": True, "batch_size": 25}},
        {"loader": {"sampler": SubsetRandomSampler(range(50))}},
    ],
)
def test_evaluations_that_are_as_they_should_be_are_not_accused(options):
    assert not wrong(**options)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("val_acc", "max"),
        ("valid/F1Score", "max"),
        ("val_loss", "min"),
        ("RMSE", "min"),
        ("error_rate", None),
        ("neg_mse", None),
        ("acc_loss", None),
        ("score", None),
    ],
)
def test_a_name_says_which_way_is_better_or_nothing(name, better):
    assert direction_of(name) == better


class Slipped(L.LightningModule):
    """The step of validation has a name that nobody calls."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(64, 10)

    training_step, configure_optimizers = Net.training_step, Net.configure_optimizers

    def validate_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))


class Shares(Slipped):
    def validation_step(self, batch, index):
        self.validate_step(batch, index)


class Upto:
    """Draws the first rows only."""

    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return iter(range(self.rows))

    def __len__(self):
        return self.rows


@pytest.mark.filterwarnings("ignore:You passed in a `val_dataloader`")
def test_a_step_under_a_name_that_nobody_calls_is_told():
    (found,) = wrong(model=Slipped)
    assert (found.code, found.where) == ("ART722", "Slipped.validate_step")
    assert not wrong(model=Shares)


def test_a_sampler_that_ends_with_the_last_full_batch_leaves_rows_out():
    (found,) = wrong(loader={"sampler": Upto(90)})
    assert (found.code, found.evidence["left out"]) == ("ART723", 10)
    assert not wrong(loader={"sampler": Upto(60)})  # a part that is meant
    assert not wrong(loader={"sampler": Upto(100)})
