"""The step Diagnose in a project, and the check Healthy on steps that train."""

import lightning as L
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import art_training as art
from art_training.checks import Healthy
from art_training.checks.healthy import HEALTH
from art_training.errors import ProjectError
from art_training.records import StepState
from art_training.steps import Diagnose, Overfit
from art_training.stores.memory import MemoryStore

X, Y = load_digits(return_X_y=True)
X, Y = torch.tensor(X / 16, dtype=torch.float32)[:400], torch.tensor(Y)[:400]


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


class SquareRoot(Net):
    """The distance of two equal vectors has no gradient: what comes back is NaN, and so are the weights then."""

    def training_step(self, batch, index):
        z = self(batch[0])
        return F.cross_entropy(z, batch[1]) + (z - z.detach()).square().sum(1).sqrt().mean()


class Broken(Net):
    def training_step(self, batch, index):
        raise ValueError("the user's own mistake")


def project(model, *steps, store=None):
    data = art.data(train=(X[:300], Y[:300]), validation=(X[300:], Y[300:]), batch_size=50)
    setup = art.Setup(model, data, trainer={"max_epochs": 2, "accelerator": "cpu"})
    return art.ArtProject("toy", setup, steps=list(steps), store=store or MemoryStore())


def run(model, step, **options):
    result = project(model, step, **options).run()[step.name]
    return result.outcome, result.state, "; ".join(one.reason for one in result.judgement.verdicts)


def test_a_healthy_setup_passes():
    outcome, state, reasons = run(Net, Diagnose(budget=120))
    assert state is StepState.PASSED, reasons
    assert outcome.scores["errors"].value == outcome.scores["warnings"].value == 0
    assert outcome.summary == "nothing was found"
    assert set(outcome.seconds) == {"inspect", "probe", "train", "evaluate"}


def test_a_fault_fails_with_its_finding_in_the_outcome():
    outcome, state, reasons = run(Softmax, Diagnose(budget=120))
    assert state is StepState.FAILED
    assert "errors is 1, not == 0" in reasons
    assert "ART402: what enters cross_entropy" in reasons
    assert "ART402" in [one.code for one in outcome.findings]
    assert next(one for one in outcome.findings if one.code == "ART402").remedy


def test_what_is_ignored_is_not_judged():
    outcome, _, _ = run(Softmax, Diagnose(budget=120, ignore={"ART402": "on purpose"}))
    assert "ART402" not in [one.code for one in outcome.findings]


def test_a_setup_that_raises_is_not_judged():
    _, state, reasons = run(Broken, Diagnose(budget=120, checks=[]))
    assert state is StepState.NOT_JUDGED
    assert "the user's own mistake" in reasons


def test_it_is_recalled_until_the_rules_change(monkeypatch):
    store = MemoryStore()
    made = project(Net, Diagnose(budget=120), store=store)
    made.run()
    assert "recall" in str(made.plan())
    monkeypatch.setattr("art_training.rules.version", lambda: "another")
    assert "step.rules of ART changed" in str(project(Net, Diagnose(budget=120), store=store).plan())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0}, "must be above 0 seconds"),
        ({"ignore": {"ART999": ""}}, "'ART999', which is no rule"),
        ({"ignore": "ART402"}, "is text"),
    ],
)
def test_wrong_use_is_told_before_anything_costs(options, said):
    with pytest.raises(ProjectError, match=said):
        Diagnose(**options)


def test_a_step_that_trains_well_is_healthy():
    outcome, _, reasons = run(Net, Overfit(checks=[Healthy()]))
    assert "healthy: nothing wrong was found" in reasons
    assert outcome.reading(HEALTH).value["training"]["found"] == {}


def test_a_step_whose_gradients_are_no_numbers_is_not():
    outcome, state, reasons = run(SquareRoot, Overfit(checks=[Healthy()]))
    assert state is StepState.FAILED
    assert "not healthy: ART9" in reasons
    assert {one.category for one in outcome.findings if one.code.startswith("ART9")} == {"numerics"}
