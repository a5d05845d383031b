"""Layers that a model makes in its hooks are counted, drawn from the seed, trained and evaluated as those of its constructor."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from art_training.engines import EvaluateJob, ExperimentJob, FitJob, Parts
from art_training.engines.lightning.late import late_hooks
from art_training.records import Split
from art_training.setup.setup import Setup

NAMES = ["body.weight", "body.bias", "head.weight", "head.bias"]
SHAPES = [(8, 4), (8,), (2, 8), (2,)]


def kinds(package: Any) -> dict[str, Any]:
    """Models of one architecture that make their layers at different times."""

    class Late(package.LightningModule):
        lazy = False

        def make_body(self) -> None:
            self.body = nn.LazyLinear(8) if self.lazy else nn.Linear(4, 8)

        def make_head(self) -> None:
            self.head = nn.LazyLinear(2) if self.lazy else nn.Linear(8, 2)

        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self.head(self.body(batch[0]).relu()), batch[1])

        def validation_step(self, batch, batch_idx):
            self.log("val_loss", self.training_step(batch, batch_idx))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.5)

    class InConfigureModel(Late):
        def configure_model(self) -> None:
            if not hasattr(self, "body"):
                self.make_body()
                self.make_head()

    class InSetup(Late):
        def setup(self, stage: str) -> None:
            assert self.trainer.datamodule is not None  # whose number of classes it may ask for
            self.make_body()
            self.make_head()

    class InBoth(Late):
        def setup(self, stage: str) -> None:
            self.make_body()

        def configure_model(self) -> None:
            self.make_head()

    class LazyInConfigureModel(InConfigureModel):
        lazy = True

    class LazyInSetup(InSetup):
        lazy = True

    return {one.__name__: one for one in (InConfigureModel, InSetup, InBoth, LazyInConfigureModel, LazyInSetup)}


KINDS = ["InConfigureModel", "InSetup", "InBoth", "LazyInConfigureModel", "LazyInSetup"]


@pytest.fixture(params=KINDS)
def late(request: pytest.FixtureRequest, points: Any) -> Setup:
    import lightning.pytorch as pl

    model = kinds(pl)[request.param]
    return Setup(model, points, trainer={"max_epochs": 8, "accelerator": "cpu"})


def losses(engine: Any, setup: Setup, ignore: Any, weights: Any = None, seed: int = 0) -> dict[str, float]:
    job = EvaluateJob(setup, seed, (Split.TRAIN, Split.VALIDATION), weights=weights)
    logged = engine.evaluate(job, lambda seen: None, ignore).logged
    return {split: values["val_loss"] for split, values in logged.items()}


def test_they_have_names_and_shapes_before_anything_is_trained(engine, late):
    assert [(one.name, one.shape) for one in engine.parameters(late)] == list(zip(NAMES, SHAPES, strict=True))


def test_what_they_begin_with_follows_from_the_seed_and_is_what_trains(engine, late, ignore, tmp_path):
    fresh, again, other = (engine.fresh_weights(late, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(fresh[name], again[name]) for name in NAMES)
    assert not any(torch.equal(fresh[name], other[name]) for name in NAMES)
    held: list[Any] = []
    job = ExperimentJob(late, 0, tmp_path, batches=1)
    engine.experiment(job, lambda specimen: held.append(dict(specimen.module.state_dict())))
    assert all(torch.equal(fresh[name], held[0][name]) for name in NAMES)
    written = engine.write_weights(fresh, tmp_path / "fresh")
    assert losses(engine, late, ignore) == losses(engine, late, ignore, written, seed=5)


def test_layers_of_one_shape_in_two_hooks_are_not_twins(engine, points):
    import lightning.pytorch as pl

    class Alike(kinds(pl)["InBoth"]):
        def make_head(self) -> None:
            self.head = nn.Linear(4, 8)

    fresh = engine.fresh_weights(Setup(Alike, points), seed=0)
    assert not torch.equal(fresh["head.weight"], fresh["body.weight"])


def test_each_split_is_scored_with_the_weights_that_are_named(engine, late, ignore, tmp_path):
    """A model that makes its layers in `setup` makes them anew for each pass."""
    result = engine.fit(FitJob(late, 0, tmp_path), ignore)
    before, after = losses(engine, late, ignore), losses(engine, late, ignore, result.last, seed=3)
    assert all(after[split] < 0.8 * before[split] for split in ("train", "validation")), (before, after)


def test_they_can_be_frozen_and_start_from_given_weights(engine, late, ignore, tmp_path):
    start = engine.write_weights(engine.fresh_weights(late, seed=7), tmp_path / "start")
    result = engine.fit(FitJob(late, 0, tmp_path, start=start, parts=Parts(frozen=("body.*",))), ignore)
    began, ended = engine.weights(start), engine.weights(result.last)
    assert [name for name in NAMES if not torch.equal(began[name], ended[name])] == ["head.weight", "head.bias"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_modules_of_either_hierarchy_may_make_them(engine, package, points):
    for name in ("InBoth", "LazyInConfigureModel"):
        setup = Setup(kinds(package)[name], points, trainer={"accelerator": "cpu"})
        assert [one.shape for one in engine.parameters(setup)] == SHAPES


def test_reading_their_names_leaves_no_trace(engine, points, tmp_path, monkeypatch):
    """Callbacks hear of no failure, no optimiser is made, nothing is written, and no random number is drawn."""
    import lightning.pytorch as pl

    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    heard: list[str] = []

    class Hears(pl.Callback):
        def on_exception(self, trainer, pl_module, exception) -> None:
            heard.append("failure")

    class Counts(kinds(pl)["InSetup"]):
        def configure_optimizers(self):
            heard.append("optimiser")
            return super().configure_optimizers()

    setup = Setup(Counts, points, trainer={"callbacks": Hears, "enable_checkpointing": True, "accelerator": "cpu"})
    before = torch.get_rng_state()
    assert len(engine.parameters(setup)) == 4
    assert torch.equal(before, torch.get_rng_state())
    assert heard == []
    assert list(here.iterdir()) == []


def test_what_a_hook_raises_is_raised(engine, points):
    import lightning.pytorch as pl

    class Breaks(kinds(pl)["InSetup"]):
        def make_head(self) -> None:
            raise LookupError("no head")

    with pytest.raises(LookupError, match="no head"):
        engine.parameters(Setup(Breaks, points))


def test_a_model_without_such_hooks_has_none(net):
    assert late_hooks(net()) == ()
