"""What a diagnosis does is the same each time, and ends where its budget does."""

from types import SimpleNamespace

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import art_training as art
from art_training.probes.one_batch import STEPS
from art_training.rules import Rule, Stage, laboratory, rules


class Net(L.LightningModule):
    """A small network with a loss that is normalised twice."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch[0]).softmax(1), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def diagnosed(budget=60):
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32)[:400], torch.tensor(y)[:400]
    data = art.data((x[:300], y[:300]), validation=(x[300:], y[300:]), batch_size=50)
    return art.diagnose(Net, data, trainer={"max_epochs": 2, "accelerator": "cpu"}, budget=budget)


@pytest.mark.slow
def test_a_setup_and_a_seed_have_one_account():
    first, second = diagnosed(), diagnosed()
    assert first.findings
    assert first.findings == second.findings
    assert first.symptoms == second.symptoms
    assert first.judged == second.judged


class Steps:
    """A clock that goes on by one with every training step, so that what fits into a budget is counted and not timed."""

    def __init__(self, monkeypatch):
        self.now, self.judged = 0, {}
        step, findings = Net.training_step, Rule.findings

        def counted(net, *given):
            self.now += 1
            return step(net, *given)

        def noted(rule, laboratory):
            try:
                return findings(rule, laboratory)
            finally:
                self.judged[rule.code] = self.now

        monkeypatch.setattr(Net, "training_step", counted)
        monkeypatch.setattr(Rule, "findings", noted)
        monkeypatch.setattr(laboratory, "time", SimpleNamespace(thread_time=lambda: float(self.now)))


@pytest.mark.slow
def test_what_the_budget_leaves_no_time_for_is_not_judged_the_dear_rules_first(monkeypatch):
    before_training = [one for one in rules() if one.stage in {Stage.INSPECT, Stage.PROBE}]
    dear = {one.code for one in before_training if one.trains}
    with monkeypatch.context() as patched:
        whole = Steps(patched)
        diagnosed(budget=1e6)
    cheap = max(whole.judged[one.code] for one in before_training if not one.trains)
    assert cheap <= min(whole.judged[code] for code in dear)
    # What is left after the cheap rules is less than what one course of a batch takes.
    with monkeypatch.context() as patched:
        Steps(patched)
        found = diagnosed(budget=2 * (cheap + STEPS))
    unjudged = {one.code: one.reason for one in found.judged if one.state == "not judged"}
    late = {code for code, reason in unjudged.items() if "longer than the budget leaves" in reason}
    assert {"ART405", "ART522", "ART523", "ART524"} <= late
    assert not late & {one.code for one in before_training if not one.trains}
    assert "ART402" in [one.code for one in found.findings]
