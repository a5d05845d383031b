"""Probes that are attached to a run: it is the same run, and what they see is told and kept."""

import csv
import io
import warnings
from contextlib import closing

import numpy as np
import pytest
from torch import nn
from torch.optim import Adam

import art_training as art
from art_training.errors import ProjectError, UsageError
from art_training.probes.attached import Batches, Gradients, Predictions, Statistics
from art_training.records import Probed
from art_training.steps import Overfit, OverfitOneBatch
from art_training.stores.sql import SqlStore


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 8), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.fixture
def store(tmp_path):
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def project_in(store, steps=None):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 64)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss(), optimizer=lambda parameters: Adam(parameters, 1e-2))
    setup = art.Setup(model, art.data(train=(x, y), validation=(x, y), batch_size=16), trainer={"max_epochs": 6})
    steps = [OverfitOneBatch(), Overfit(share=0, examples=0)] if steps is None else steps
    return art.ArtProject("toy", setup, steps=steps, store=store)


ALL = ["batches", Statistics(of=["body"]), Predictions(share=1.0), "gradients", "activations", "updates"]


def test_a_run_is_the_same_with_probes_and_without(store, tmp_path):
    with closing(SqlStore(tmp_path / "other.db")) as other:
        probed = project_in(other).run(probes=ALL, listen=lambda _: None)
    plain = project_in(store).run()
    for one, two in zip(plain.steps, probed.steps, strict=True):
        assert one.outcome.digest == two.outcome.digest
        assert one.outcome.parameters == two.outcome.parameters
        assert one.run.fingerprint == two.run.fingerprint
        assert {score.value for score in one.outcome.scores.values()} == {
            score.value for score in two.outcome.scores.values()
        }


def test_what_probes_see_is_told_logged_and_kept(store):
    told: list[Probed] = []
    project = project_in(store)
    result = project.run(probes=ALL, listen=lambda event: told.append(event) if isinstance(event, Probed) else None)
    names = {"batches", "statistics", "predictions", "gradients", "activations", "updates"}
    assert {one.probe for one in told if one.step == "Overfit"} == names
    overfit = result.steps[1]
    log = store.log(overfit.run.id)
    for one in told:
        if one.step == "Overfit":
            assert any(f"{one.probe}: {one.text}" in line for line in log)
    kept = {artifact.name: artifact for artifact in overfit.outcome.artifacts}
    assert {name for name in kept if name.startswith("probe-")} >= {
        "probe-step-0.png",
        "probe-validation.png",
        "probe-statistics.csv",
        "probe-gradients.csv",
        "probe-activations.csv",
        "probe-updates.csv",
        "probe-predictions.csv",
        "probe-predictions.png",
    }
    rows = list(csv.DictReader(io.StringIO(store.artifacts.fetch(kept["probe-gradients.csv"].digest).read_text())))
    assert {row["layer"] for row in rows} == {"body.0", "head"}


def test_each_place_can_be_silenced(store):
    told: list[Probed] = []
    result = project_in(store).run(
        probes={"Overfit": [Batches(to=("log",)), Gradients(to=("console",)), Statistics(of=["head"], to=("store",))]},
        listen=lambda event: told.append(event) if isinstance(event, Probed) else None,
    )
    assert {(one.step, one.probe) for one in told} == {("Overfit", "gradients")}
    overfit = result.steps[1]
    log = "\n".join(store.log(overfit.run.id))
    assert "batches: step 0" in log
    assert "gradients:" not in log
    assert "statistics:" not in log
    assert [one.name for one in overfit.outcome.artifacts if one.name.startswith("probe-")] == ["probe-statistics.csv"]


def test_where_nobody_listens_it_is_printed(store, capsys):
    project_in(store, [OverfitOneBatch()]).run(probes=[Batches(to="console")])
    assert "OverfitOneBatch, batches: step 0, enters body.0: float32 (16, 64)" in capsys.readouterr().out


def test_that_nothing_ran_is_told(store):
    project_in(store, [OverfitOneBatch()]).run()
    with pytest.warns(UserWarning, match="no probe looked at anything"):
        project_in(store, [OverfitOneBatch()]).run(probes=["batches"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        project_in(store, [OverfitOneBatch()]).run(probes=[Batches(to="log")], force=True)


def test_a_probe_that_fails_is_told_and_the_run_goes_on(store):
    with pytest.warns(UserWarning, match="a probe looks no further: the model has no module or stage 'hat'"):
        result = project_in(store, [OverfitOneBatch()]).run(probes=[Statistics(of=["hat"], to="log")])
    assert result.passed


@pytest.mark.parametrize(
    ("probes", "error", "said"),
    [
        ("batches", ProjectError, "probes='batches' is one probe; write a list"),
        ([3], ProjectError, "3 is no probe"),
        ([Batches], ProjectError, r"is no probe; give e.g. Batches\(\)"),
        (["batch"], UsageError, "did you mean 'batches'"),
        ({"Overfti": ["batches"]}, ProjectError, "is no step of the project .did you mean 'Overfit'"),
    ],
)
def test_what_is_no_probe_is_refused_before_anything_runs(store, probes, error, said):
    with pytest.raises(error, match=said):
        project_in(store).run(probes=probes)
    assert not store.count()
