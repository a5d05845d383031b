"""A search as it is seen, while it runs and after."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.records import Candidate, RunStatus, Score
from art_training.setup.setup import Setup
from art_training.steps import Tune
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run
from art_training.views.search import AMOUNTS, SearchView, search_of

DIGITS = load_digits(return_X_y=True)
X, Y = torch.tensor(DIGITS[0], dtype=torch.float32) / 16, torch.tensor(DIGITS[1])
SEEN: list[SearchView] = []
STORES: list[SqlStore] = []


class Net(nn.Module):
    """Looks at the search whenever one is made, as somebody in another process may at any time."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
        for store in STORES:
            running = store.runs(RunQuery(status=RunStatus.RUNNING))
            SEEN.extend(newest(store) for _ in running)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        STORES[:] = [store]
        yield store
    STORES.clear()
    SEEN.clear()


def newest(store: SqlStore) -> SearchView:
    record = store.run(store.runs(RunQuery(limit=1))[0].id)
    assert record is not None
    return search_of(store, record)


def test_the_view_knows_which_fields_say_how_much_is_searched() -> None:
    assert Tune.amounts == AMOUNTS


@pytest.mark.slow
def test_a_search_is_seen_trial_by_trial_and_the_same_when_it_has_ended(store: SqlStore) -> None:
    data = art.data(train=(X[:100], Y[:100]), validation=(X[100:200], Y[100:200]), batch_size=50)
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3)
    space = {"width": art.space.choice(4, 8), "lr": art.space.log_uniform(1e-3, 1e-1)}
    step = Tune(space, by="accuracy", trials=3, pruning=None, seeds_for_winner=1, top=1, examples=0)
    metrics: dict[str, Any] = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}
    setup = Setup(model, data, trainer={"max_epochs": 1, "accelerator": "cpu"})
    art.ArtProject("p", setup, metrics=metrics, steps=[step], store=store).run()

    counts = [sum(trial.state == "finished" for trial in view.trials) for view in SEEN]
    assert {0, 1, 2, 3} <= {*counts}
    assert counts == sorted(counts)
    assert all(view.live and not view.again for view in SEEN)
    middle = next(view for view, count in zip(SEEN, counts, strict=True) if count == 2)
    ended = newest(store)
    assert not ended.live
    assert ended.trials[:2] == middle.trials[:2]
    assert (middle.budget, middle.by, middle.direction) == ({"trials": 3.0}, "validation/accuracy", "maximize")
    assert ended.winner in {trial.name for trial in ended.again}
    assert [one.number for one in ended.best] == sorted({one.number for one in ended.best})
    assert max(trial.value or 0 for trial in ended.trials) == ended.best[-1].value
    width, rate = ended.slices
    assert (width.levels, {value for _, value, _ in width.points} <= {4, 8}) == (("4", "8"), True)
    assert (rate.low, rate.high, rate.logarithmic, len(rate.points)) == (0.001, 0.1, True, 3)

    shutil.rmtree(store.workspace)  # what is remembered may be freed when a search has ended
    assert [(one.number, one.value, one.seconds) for one in newest(store).trials] == [
        (one.number, one.value, None) for one in ended.trials
    ]


def test_trials_of_an_outcome_tell_how_they_ended(store: SqlStore) -> None:
    loss = "validation/loss"
    candidates = [
        Candidate("trial 0", {loss: Score(0.5)}, {"lr": 0.1}),
        Candidate("trial 1", {}, {"lr": 0.2}, f"pruned after epoch 4 of 30, at {loss} 1.9"),
        Candidate("trial 2", {loss: Score(float("nan"))}, {"lr": 9.0}, "its validation/loss is nan"),
        Candidate("trial 3", {}, {"lr": 0.3}, "ValueError: pruned after epoch 4"),
        Candidate("trial 4", {loss: Score(0.4)}, {"lr": [1]}),
        Candidate("trial 4 on 2 fresh seeds", {loss: Score(0.45)}, {"lr": 0.05}),
        Candidate("incoming setup on 2 fresh seeds", {}, {}, "it raised"),
    ]
    keep_run(store, "Tune", candidates=candidates, parameters={"step.by": loss, "step.space.lr": "text"})
    view = newest(store)
    assert [trial.state for trial in view.trials] == ["finished", "pruned", "failed", "failed", "finished"]
    assert (view.trials[1].pruned_at, view.trials[1].planned) == (4, 30)
    assert [(one.number, one.value) for one in view.best] == [(0, 0.5), (4, 0.4)]
    assert [(one.name, one.note) for one in view.again] == [("trial 4", ""), ("incoming setup", "it raised")]
    assert view.slices[0].points == ((0, 0.1, 0.5), (4, "[1]", 0.4))
    assert not view.forgotten


def test_a_search_that_was_broken_off_says_whether_its_trials_are_still_known(store: SqlStore) -> None:
    keep_run(store, "Tune", status=RunStatus.KILLED, parameters={"step.by": "validation/loss"})
    assert (newest(store).trials, newest(store).forgotten, newest(store).live) == ((), True, False)
