"""What a diagnosis does is the same each time, and ends where its budget does."""

import time

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import art_training as art


class Net(L.LightningModule):
    """A small network with a loss that is normalised twice; its step may keep the processor busy."""

    def __init__(self, busy=0.0, twice=True):
        super().__init__()
        self.busy, self.twice = busy, twice
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))

    def training_step(self, batch, index):
        until = time.thread_time() + self.busy
        while time.thread_time() < until:
            pass
        logits = self.net(batch[0])
        return F.cross_entropy(logits.softmax(1) if self.twice else logits, batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def diagnosed(budget=60, **hparams):
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32)[:400], torch.tensor(y)[:400]
    data = art.data((x[:300], y[:300]), validation=(x[300:], y[300:]), batch_size=50)
    return art.diagnose(Net, data, hparams=hparams, trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=budget)


@pytest.mark.slow
def test_a_setup_and_a_seed_have_one_account():
    first, second = diagnosed(), diagnosed()
    assert first.findings
    assert first.findings == second.findings
    assert first.symptoms == second.symptoms
    assert first.judged == second.judged


@pytest.mark.slow
def test_what_the_budget_leaves_no_time_for_is_not_judged_the_dear_rules_first():
    found = diagnosed(budget=14, busy=0.1)
    unjudged = {one.code: one.reason for one in found.judged if one.state == "not judged"}
    late = {code for code, reason in unjudged.items() if "longer than the budget leaves" in reason}
    assert {"ART405", "ART522", "ART523", "ART524"} <= late
    assert "ART402" in [one.code for one in found.findings]
