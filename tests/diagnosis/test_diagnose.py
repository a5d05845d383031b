"""`art.diagnose` on real trainings, healthy and not."""

import os
import random
import warnings

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.errors import DiagnosisError, SetupError


class Net(L.LightningModule):
    def __init__(self, lr=3e-3):
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Softmax(Net):
    def forward(self, x):
        return torch.softmax(super().forward(x), 1)


def digits():
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32)[:600], torch.tensor(y)[:600]
    return (
        DataLoader(TensorDataset(x[:500], y[:500]), batch_size=50, shuffle=True),
        DataLoader(TensorDataset(x[500:], y[500:]), batch_size=50),
    )


TRAINER = {"max_epochs": 2, "accelerator": "cpu"}


def diagnose(model, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return art.diagnose(model, digits(), **{"trainer": TRAINER, "budget": 120, **options})


def test_a_healthy_set_up_is_healthy():
    diagnosis = diagnose(Net)
    assert diagnosis.status == "healthy", str(diagnosis)
    assert diagnosis.ok
    diagnosis.raise_for_findings()
    assert set(diagnosis.stages) == {"inspect", "probe", "train", "evaluate"}


def test_a_fault_is_told_with_its_evidence_its_remedy_and_what_confirmed_it():
    diagnosis = diagnose(Softmax)
    (found,) = [one for one in diagnosis.findings if one.code == "ART402"]
    assert found.category == "loss"
    assert found.evidence["classes"] == 10
    assert "without the softmax" in found.confirmed_by
    assert found.message in " ".join(str(diagnosis).split())
    assert found.remedy.split(",")[0] in " ".join(str(diagnosis).split())
    with pytest.raises(DiagnosisError, match="ART402"):
        diagnosis.raise_for_findings()


def test_a_rule_that_is_ignored_is_not_judged_and_its_reason_is_told():
    diagnosis = diagnose(Softmax, ignore={"ART402": "on purpose"})
    assert "ART402" not in [one.code for one in diagnosis.findings]
    assert "ART402 softmax before a cross entropy: on purpose" in str(diagnosis)


def test_an_instance_is_afterwards_as_it_was():
    model = Net()
    model.net[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = {name: set(vars(one)) for name, one in model.named_modules()}
    assert diagnose(model).subject == "Net"
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert {name: set(vars(one)) for name, one in model.named_modules()} == attributes
    assert not model.net[0].training
    assert model.training
    assert all(one.grad is None for one in model.parameters())


def test_a_plain_module_is_diagnosed_with_its_loss_and_optimiser():
    def net():
        return nn.Sequential(nn.Linear(64, 10), nn.Softmax(1))

    diagnosis = diagnose(net, loss=nn.CrossEntropyLoss(), optimizer=lambda p: torch.optim.Adam(p, lr=1e-3))
    assert [one.code for one in diagnosis.findings if one.code == "ART402"]


def test_random_states_the_folder_and_the_environment_are_as_before(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    environment = dict(os.environ)
    diagnose(Softmax)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states
    assert dict(os.environ) == environment
    assert not list(folder.iterdir())


@pytest.mark.parametrize("hook", ["training_step", "configure_optimizers", "validation_step", "on_train_start"])
def test_a_project_that_raises_is_inconclusive_and_says_where_and_what(hook):
    def broken(self, *args):
        raise ValueError("the user's own mistake")

    diagnosis = diagnose(type("Broken", (Net,), {hook: broken}))
    assert diagnosis.status == "inconclusive"
    assert "the user's own mistake" in " ".join(str(diagnosis).split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0}, "must be above 0"),
        ({"ignore": ["ART999"]}, "'ART999', which is no rule"),
        ({"frosen": ["net"]}, "did you mean 'frozen'"),
        ({"couples_examples": "yes"}, "must be True or False"),
        ({"loss": nn.CrossEntropyLoss()}, "optimizer=None"),
    ],
)
def test_wrong_use_is_one_sentence(options, said):
    with pytest.raises(SetupError, match=said):
        diagnose(Net, **options)
