"""What can be told of a step before anything runs is told before the first step runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import lightning as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import art_training as art
from art_training.checks import Above, Below, Check, Exists
from art_training.engines.lightning import LightningEngine
from art_training.errors import SetupError
from art_training.records import Outcome, Score, StepStarted
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.stores.memory import MemoryStore

MODEL = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1)
DATA = art.data(train=(torch.eye(2), torch.tensor([0, 1])))


@dataclass(frozen=True)
class Looks(Step):
    """Needs no model."""

    uses: ClassVar[frozenset[str]] = frozenset({"model"})

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"train/loss": Score(0.5, direction="minimize")})

    def default_checks(self, task: object, metrics: Sequence[str]) -> Sequence[Check]:
        return (Exists("train/loss"),)


@dataclass(frozen=True)
class Trains(Looks):
    """Would train."""

    uses: ClassVar[frozenset[str]] = frozenset({"model", "hparams", "trainer", "metrics", "outputs"})


class TrainOnly(L.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.eye(2), torch.tensor([0, 1])))


def project(*steps: Step, data: Any = DATA, **trainer: Any) -> art.ArtProject:
    return art.ArtProject("p", Setup(MODEL, data, trainer=trainer), steps=steps, store=MemoryStore())


WRONG = [
    (lambda: project(Looks(), Trains(), max_epoch=30), "'max_epoch'.*did you mean 'max_epochs'"),
    (lambda: project(Looks(), Trains(), max_epochs="30"), "max_epochs='30', which is a text.*write 30"),
    (lambda: project(Looks(), Trains(trainer={"max_epoch": 3})), "^step 'Trains': trainer has 'max_epoch'"),
    (
        lambda: project(Looks(), Trains(checks=[Above("validation/loss", 0)])),
        "`validation/loss > 0` of step 'Trains'.*the data has: train; .*art.data\\(validation=...\\)",
    ),
    (
        lambda: project(Looks(), Trains(checks=[Below("validation/loss", 3)]), data=TrainOnly),
        "`validation/loss < 3` of step 'Trains'.*give the datamodule a val_dataloader",
    ),
]


@pytest.mark.parametrize(("make", "told"), WRONG)
@pytest.mark.parametrize(
    "ask", [lambda project, listen: project.plan(), lambda project, listen: project.run(listen=listen)]
)
def test_a_step_that_could_only_fail_is_refused_before_the_first_step_runs(
    make: Callable[[], art.ArtProject], told: str, ask: Callable[..., object]
) -> None:
    began = []
    with pytest.raises(SetupError, match=told) as raised:
        ask(make(), lambda event: began.append(event) if isinstance(event, StepStarted) else None)
    assert not began
    assert "\n" not in str(raised.value)


def test_where_a_project_stands_is_told_though_it_cannot_run() -> None:
    plan = project(Looks(), Trains(), max_epoch=30).plan(lenient=True)
    assert [step.reason for step in plan.steps] == ["new", "new"]


def test_a_step_that_trains_nothing_runs_beside_settings_that_nothing_can_be_trained_with() -> None:
    assert project(Looks(), max_epoch=30).run().passed


def test_a_setup_is_looked_at_once_and_not_at_all_where_every_step_is_recalled(monkeypatch) -> None:
    seen: list[Setup] = []
    validate = LightningEngine.validate
    monkeypatch.setattr(LightningEngine, "validate", lambda self, setup: (seen.append(setup), validate(self, setup))[1])
    declared = project(Trains(name="a"), Trains(name="b"), max_epochs=1)
    declared.run()
    assert len(seen) == 1
    declared.run()
    declared.plan()
    assert len(seen) == 1
