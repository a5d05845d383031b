"""The settings of the delivered model are those that it was trained with, of a real search by a real project."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import NoNaN
from art_training.records import Outcome, Score, StepState
from art_training.steps import Bench, FinalTest, Regularize, Step, Tune
from art_training.stores.sql import SqlStore
from art_training.views.account import account_of
from art_training.views.journey import Journey, journey_of

X = torch.randn(240, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] + X[:, 1] > 0).long()
DATA = art.data(train=(X[:120], Y[:120]), validation=(X[120:180], Y[120:180]), test=(X[180:], Y[180:]), batch_size=30)
SPACE = {
    "lr": art.space.log_uniform(1e-2, 3e-2),
    "width": art.space.integer(5, 9),
    "rate": art.space.choice(0.25, 0.5),
    "activation": art.space.choice(
        wide=art.Variant(hparams={"name": "tanh"}), narrow=art.Variant(hparams={"name": "relu"})
    ),
    "trainer.gradient_clip_val": art.space.choice(1.0, 2.0),
}


class Net(nn.Module):
    def __init__(self, width: int = 3, rate: float = 0.0, name: str = "relu") -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, width), nn.ReLU() if name == "relu" else nn.Tanh(), nn.Dropout(rate))
        self.head = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.net(x))


@dataclass(frozen=True)
class Begins(Step):
    """Trains nothing, on the setup as it was declared."""

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"seen": Score(1.0)})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    with closing(SqlStore(tmp_path_factory.mktemp("delivered") / "art.db")) as opened:
        yield opened


def ran(store: SqlStore, name: str, *steps: Step) -> tuple[art.ArtProject, Journey]:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-4)
    setup = art.Setup(model, DATA, hparams={"lr": 1e-4, "width": 3}, trainer={"max_epochs": 4, "accelerator": "cpu"})
    metrics = {"accuracy": MulticlassAccuracy(num_classes=2, average="micro")}
    project = art.ArtProject(name, setup, metrics=metrics, steps=steps, store=store)
    result = project.run()
    assert all(one.state is StepState.PASSED for one in result.steps), str(result)
    return project, journey_of(account_of(store, name, project.plan()))


def tune() -> Tune:
    return Tune(SPACE, trials=3, top=1, seeds_for_winner=1, pruning=None, trainer={"max_epochs": 2})


def declared_of(journey: Journey) -> dict[str, Any]:
    return {name: value for name, value in journey.settings.items() if name.startswith(("hparams.", "trainer."))}


def is_of_the_search(journey: Journey) -> bool:
    settings = declared_of(journey)
    return (
        1e-2 <= settings["hparams.lr"] <= 3e-2
        and settings["hparams.width"] in range(5, 10)
        and settings["hparams.rate"] in {0.25, 0.5}
        and settings["hparams.name"] in {"tanh", "relu"}
        and settings["trainer.gradient_clip_val"] in {1.0, 2.0}
        and settings["trainer.max_epochs"] == 2
    )


def test_what_a_search_chose_is_delivered_and_told_with_or_without_a_final_test(store):
    _, tested = ran(store, "tested", Begins(checks=[NoNaN()]), tune(), FinalTest())
    _, alone = ran(store, "alone", Begins(checks=[NoNaN()]), tune())
    assert tested.delivered_by == alone.delivered_by == "Tune"
    assert is_of_the_search(tested), tested.settings
    assert declared_of(alone) == declared_of(tested)
    changed = {change.component: (change.before, change.after) for change in tested.changes}
    assert changed["hparams.lr"] == (1e-4, tested.settings["hparams.lr"])
    assert changed["hparams.width"] == (3, tested.settings["hparams.width"])
    assert set(changed) == {
        "hparams.lr", "hparams.width", "hparams.rate", "hparams.name", "trainer.gradient_clip_val", "trainer.max_epochs"
    }  # fmt: skip


def test_a_decision_names_every_value_of_the_point_that_was_chosen(store):
    _, journey = ran(store, "tested", Begins(checks=[NoNaN()]), tune(), FinalTest())
    (decision,) = journey.decisions
    for name in (
        "lr=0.0",
        f"width={journey.settings['hparams.width']}",
        "rate=",
        "activation=",
        "trainer.gradient_clip_val=",
    ):
        assert name in decision.chosen


def test_the_winner_of_a_comparison_is_delivered_and_the_reference_has_no_gain_of_another(store):
    candidates = {"fast": art.Variant(hparams={"lr": 0.03, "width": 8})}
    _, better = ran(store, "better", Begins(checks=[NoNaN()]), Regularize(candidates, seeds=1, keep_reference=False))
    assert better.settings["hparams.lr"] == 0.03
    assert better.settings["hparams.width"] == 8
    assert better.decisions[0].gain is not None
    worse = {"slow": art.Variant(hparams={"lr": 1e-9})}
    _, kept = ran(store, "kept", Begins(checks=[NoNaN()]), Regularize(worse, seeds=1))
    assert kept.settings["hparams.lr"] == 1e-4
    assert kept.decisions[0].chosen == "reference"
    assert kept.decisions[0].gain is None


def test_a_final_test_that_trains_anew_delivers_what_it_trained(store):
    _, journey = ran(
        store, "anew", Begins(checks=[NoNaN()]), tune(), FinalTest(retrain=True, trainer={"max_epochs": 3})
    )
    assert journey.delivered_by == "FinalTest"
    assert journey.settings["trainer.max_epochs"] == 3
    assert journey.settings["hparams.width"] in range(5, 10)
