"""A model whose layers learn their sizes from a batch is like any other."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import art_training as art
from art_training.engines import EvaluateJob, FitJob, Look, Parts
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.setup import Setup


def lazy_net() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))


def lazily(points, **trainer):
    model = art.from_torch(lazy_net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.05)
    return Setup(model, points, trainer={"max_epochs": 6, **trainer})


def losses(engine, setup, ignore, weights=None, seed=0):
    found = []
    engine.evaluate(
        EvaluateJob(setup, seed, (Split.TRAIN,), weights=weights),
        lambda seen: found.append(seen.logged["val_loss"]),
        ignore,
    )
    return found


def test_a_plain_module_with_lazy_layers_trains_and_is_evaluated(engine, points, ignore, tmp_path):
    setup = lazily(points)
    result = engine.fit(FitJob(setup, 0, tmp_path), ignore)
    assert result.parameters["optimizers"][0]["groups"][0]["elements"] == 4 * 8 + 8 + 8 + 8 + 8 * 2 + 2
    assert max(losses(engine, setup, ignore, result.last)) < min(losses(engine, setup, ignore))


def test_what_it_begins_with_follows_from_the_seed_and_is_what_trains(engine, points, ignore, tmp_path):
    """The same in an evaluation, in a training, in a look at it, and where weights are asked for by name."""
    seen = []
    look = Look(lambda epochs, batch: seen.append(batch.logged["val_loss"]), batches=None, share=1e9)
    engine.fit(FitJob(lazily(points, max_epochs=1), 0, tmp_path, looks=(look,)), ignore)
    begins = losses(engine, lazily(points), ignore)
    assert seen[: len(begins)] == begins
    assert losses(engine, lazily(points), ignore, seed=1) != begins
    start = engine.write_weights(engine.fresh_weights(lazily(points), seed=0), tmp_path / "start")
    assert losses(engine, lazily(points), ignore, start, seed=1) == begins


def test_its_parameters_have_names_and_shapes_and_can_be_frozen(engine, points, ignore, tmp_path):
    shapes = {one.name: one.shape for one in engine.parameters(lazily(points))}
    assert shapes["model.0.weight"] == (8, 4)
    assert shapes["model.3.weight"] == (2, 8)
    result = engine.fit(FitJob(lazily(points), 0, tmp_path, parts=Parts(frozen=("model.0.*",))), ignore)
    fresh = engine.fresh_weights(lazily(points), seed=0)
    assert torch.equal(engine.weights(result.last)["model.0.weight"], fresh["model.0.weight"])
    assert not torch.equal(engine.weights(result.last)["model.3.weight"], fresh["model.3.weight"])


def module(package):
    class Lazy(package.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))

        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self.net(batch[0]), batch[1])

        def validation_step(self, batch, batch_idx):
            return self.training_step(batch, batch_idx)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Lazy


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_module_of_either_hierarchy_trains(engine, package, points, ignore, tmp_path):
    result = engine.fit(FitJob(Setup(module(package), points, trainer={"max_epochs": 2}), 0, tmp_path), ignore)
    assert result.steps == 10
    assert engine.weights(result.last)["net.0.weight"].shape == (8, 4)


def test_a_layer_that_no_batch_passes_through_is_told(engine, points, ignore, tmp_path):
    import lightning.pytorch as pl

    class Spare(module(pl)):
        def __init__(self):
            super().__init__()
            self.spare = nn.LazyLinear(3)

    told = r"Spare has parameters without a size, spare.weight, spare.bias, and a batch of the training split does not pass"
    with pytest.raises(SetupError, match=told):
        engine.fit(FitJob(Setup(Spare, points), 0, tmp_path), ignore)


def test_a_model_that_cannot_be_evaluated_is_told_what_to_do(engine, points, ignore, tmp_path):
    import lightning.pytorch as pl

    class Manual(module(pl)):
        validation_step = pl.LightningModule.validation_step

        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

    with pytest.raises(
        SetupError, match=r"Manual has parameters without a size, .* give their layers the size of their"
    ):
        engine.fit(FitJob(Setup(Manual, points), 0, tmp_path), ignore)
