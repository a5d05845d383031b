import subprocess
import sys
import time

import pytest

import art_training as art
from art_training.engines import EvaluateJob, FitJob
from art_training.errors import SetupError
from art_training.records import Split
from art_training.testing.data import diabetes, digits, points
from art_training.testing.engines import EngineContract
from art_training.testing.fake_engine import FakeEngine, Line


def setup_for(*, epochs=4, loaders=(None,), fault=""):
    return art.Setup(Line, points(loaders=loaders), trainer={"max_epochs": epochs}, engine="fake")


class TestFakeEngine(EngineContract):
    cannot = frozenset({"parts", "teaching"})

    def engine(self, fault=""):
        return FakeEngine(fault=fault)

    def setup_for(self, **settings):
        return setup_for(**settings)


def test_the_fake_engine_needs_neither_torch_nor_numpy():
    code = (
        "import sys; from art_training.testing.fake_engine import FakeEngine; from art_training.testing.data import points;"
        "points(); assert not {'torch', 'numpy', 'pytest'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lack_of_memory_ends_a_training_cleanly(tmp_path):
    result = FakeEngine(fault="out of memory").fit(FitJob(setup_for(), 0, tmp_path), lambda _: None)
    assert result.stopped == "out of memory"


def test_a_deadline_ends_a_training(tmp_path):
    engine, began = FakeEngine(epoch_seconds=0.2), time.monotonic()
    result = engine.fit(FitJob(setup_for(epochs=1000), 0, tmp_path, deadline=0.3), lambda _: None)
    assert time.monotonic() - began < 5
    assert 0 < result.epochs < 1000
    assert engine.fits[0].deadline == 0.3


def test_it_shows_tensors_where_they_are_asked_for():
    import torch

    seen = []
    job = EvaluateJob(setup_for(), 0, (Split.VALIDATION,))
    FakeEngine(tensors=True).evaluate(job, seen.append, lambda _: None)
    assert all(isinstance(one.returned["predictions"], torch.Tensor) for one in seen)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"data": [1]}, "cannot be read by the fake engine"),
        ({"model": dict}, "cannot train"),
        ({"trainer": lambda: None}, "makes no Trainer"),
    ],
)
def test_what_it_cannot_train_is_refused(change, sentence):
    with pytest.raises(SetupError, match=sentence):
        FakeEngine().validate(setup_for().but(**change))


@pytest.mark.parametrize(("load", "rows"), [(digits, (1437, 360)), (diabetes, (353, 89))])
def test_toy_data_is_split(load, rows):
    train, validation = load()
    assert (len(train[0]), len(validation[1])) == rows
    assert (load()[0][0] == train[0]).all()
