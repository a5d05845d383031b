"""Layers that are followed from a real training into the store."""

from contextlib import closing

import numpy as np
import pytest
from torch import nn
from torch.optim import Adam

import art_training as art
from art_training.records import LayerCurve
from art_training.runner.layers import LayerWatch
from art_training.setup.called import Called
from art_training.steps import OverfitOneBatch
from art_training.stores.sql import SqlStore
from art_training.views import view_of
from art_training.views.health import Verdict, by_layer, health_of


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 8), nn.ReLU())
        self.spare = nn.Linear(3, 2)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.fixture
def store(tmp_path):
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def test_layers_of_a_plain_module_are_in_the_store_by_its_users_names_and_beside_the_curves(store):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss(), optimizer=lambda parameters: Adam(parameters, 1e-2))
    data = art.data(train=(x, y), validation=(x, y), batch_size=16)
    project = art.ArtProject(
        "toy", art.Setup(model, data, trainer={"max_epochs": 2}), steps=[OverfitOneBatch()], store=store
    )
    project.run()
    (record,) = store.runs()
    kept = {LayerCurve.parse(name) for name in store.curves(record.id)} - {None}
    assert {one.layer for one in kept} == {"body.0", "body.1", "head", "spare"}
    view = view_of(store, record)
    assert view.outcome is not None
    assert not any(LayerCurve.parse(name) for name in view.outcome.curves)
    assert not any(LayerCurve.parse(row.name) for row in view.curves)
    assert len(view.layers) == len(kept)
    layers = by_layer(health_of(store, record.id).layers)
    assert [(layer.name, layer.verdict) for layer in layers[:1]] == [("spare", Verdict.BAD)]
    assert layers[0].reasons == (
        "grad_norm: no gradient ever arrived",
        "update_ratio: a step changes 0 of the weights, where about 0.001 is usual",
    )
    assert [layer.name for layer in layers[1:]] == ["body.0", "body.1", "head"]


def test_a_step_of_many_trainings_follows_the_first_setups_each_under_one_seed():
    labels = [f"{name}, seed {seed}" for name in ("reference", "too fast") for seed in (1, 2)]
    watch = LayerWatch()
    assert [bool(watch.begin(label, Called())) for label in labels] == [True, False, True, False]
    assert watch.begin("too fast, seed 1", Called())  # which goes on after it was broken off
    watch = LayerWatch()
    followed = [bool(watch.begin(f"trial {number}", Called())) for number in range(20)]
    assert followed == [True] * 8 + [False] * 12
    assert watch.begin("trial 3", Called())
    assert list(watch.points()) == []
