"""A training ends with the average of its weights, and with the statistics that belong to it."""

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from art_training.engines import Averaging, EvaluateJob, FitJob, Parts
from art_training.engines.lightning import checkpoint
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.setup import Setup


class Data(pl.LightningDataModule):
    """Sorted by class, in batches that are all of one size."""

    def __init__(self):
        super().__init__()
        x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
        x = x[x[:, 0].argsort()]
        self.rows = TensorDataset(x, (x[:, 0] > 0).long())

    def train_dataloader(self):
        return DataLoader(self.rows, 16, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.rows, 16)


class Weights(pl.Callback):
    """Keeps the parameters after each step and at each end of an epoch."""

    steps: list = []
    epochs: list = []

    def on_train_batch_end(self, trainer, module, *_):
        self.steps.append({name: one.detach().clone() for name, one in module.named_parameters()})

    def on_train_epoch_end(self, trainer, module):
        self.epochs.append(self.steps[-1])


@pytest.fixture
def train(engine, net, tmp_path):
    def train(averaging, *, folder="fit", model=None, watch=lambda position: None, trainer=None, **how):
        Weights.steps, Weights.epochs = [], []
        (tmp_path / folder).mkdir(exist_ok=True)
        setup = Setup(model or net, Data, trainer={"max_epochs": 4, "callbacks": [Weights()], **(trainer or {})})
        result = engine.fit(FitJob(setup, 0, tmp_path / folder, averaging=averaging, **how), watch)
        return result, torch.load(result.last, weights_only=False)["state_dict"]

    return train


def close(one, other):
    return all(torch.allclose(one[name], other[name], atol=1e-6) for name in other)


@pytest.mark.parametrize("first", [0, 2])
def test_a_mean_is_that_of_the_ends_of_epochs(train, first):
    result, end = train(Averaging("swa", first_epoch=first))
    kept = Weights.epochs[first:]
    assert close(end, {name: sum(one[name] for one in kept) / len(kept) for name in kept[0]})
    assert result.parameters["averaging"] == {"kind": "swa", "first_epoch": first, "averaged": 4 - first}


@pytest.mark.parametrize("first", [0, 3])
def test_a_moving_average_is_that_of_the_steps(train, first):
    _, end = train(Averaging("ema", decay=0.8, first_epoch=first))
    average, *rest = Weights.steps[4 * first :]
    for weights in rest:
        average = {name: 0.8 * average[name] + 0.2 * weights[name] for name in average}
    assert close(end, average)


def test_accumulated_gradients_are_one_step_of_the_average(train):
    _, end = train(Averaging("ema", decay=0.8), trainer={"accumulate_grad_batches": 2})
    average, *rest = Weights.steps[1::2]
    for weights in rest:
        average = {name: 0.8 * average[name] + 0.2 * weights[name] for name in average}
    assert close(end, average)


def test_batch_norms_have_the_statistics_of_the_mean(train, net):
    _, end = train(Averaging("swa"))
    module = net()
    module.load_state_dict(end)
    inside = module.net[0](Data().rows.tensors[0])
    assert torch.allclose(end["net.1.running_mean"], inside.mean(0), atol=1e-5)
    # A variance of batches that held one class only would be smaller by far.
    assert torch.allclose(end["net.1.running_var"], inside.var(0), rtol=0.15)


def test_batch_norms_of_frozen_parts_keep_their_statistics(train, engine, tmp_path, net):
    torch.manual_seed(5)
    begin = net().state_dict()
    begin["net.1.running_mean"] -= 0.3
    start = engine.write_weights(begin, tmp_path / "start")
    _, end = train(Averaging("swa"), start=start, parts=Parts(frozen=("net.0.*", "net.1.*")))
    frozen = [name for name in begin if name.startswith(("net.0", "net.1"))]
    assert all(torch.equal(begin[name], end[name]) for name in frozen)
    assert not torch.equal(begin["net.4.weight"], end["net.4.weight"])


@pytest.mark.parametrize("averaging", [Averaging("ema", decay=0.9), Averaging("swa", first_epoch=1)])
def test_a_training_that_is_resumed_ends_with_the_same_average(train, tmp_path, monkeypatch, averaging):
    monkeypatch.setattr(checkpoint, "_SHARE", 1e9)
    kept = tmp_path / "kept"

    def watch(position):
        if position.checkpoint is not None and position.epoch == 3:
            kept.write_bytes(position.checkpoint.read_bytes())

    _, straight = train(averaging, watch=watch)
    _, resumed = train(averaging, folder="resumed", resume=kept)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_validations_on_the_way_are_as_without(train):
    with_it, _ = train(Averaging("ema", decay=0.99))
    without, _ = train(None, folder="without")
    assert with_it.logged == without.logged


def test_an_average_that_is_never_begun_is_told(train):
    with pytest.raises(SetupError, match="first_epoch=4 of averaging is not reached in 4 epochs"):
        train(Averaging("swa", first_epoch=4))
    stop = lambda position: "enough" if position.epoch == 1 else None
    result, end = train(Averaging("swa", first_epoch=3), folder="stopped", watch=stop)
    assert [one.code for one in result.findings] == ["ART601"]
    assert close(end, Weights.steps[-1])


def test_half_precision_is_averaged_in_single_precision(train, net):
    class Half(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(4, 2).bfloat16()

        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self.net(batch[0].bfloat16()).float(), batch[1])

        validation_step = training_step

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    _, end = train(Averaging("ema", decay=0.99), model=Half)
    average, *rest = [{name: one.float() for name, one in weights.items()} for weights in Weights.steps]
    for weights in rest:
        average = {name: 0.99 * average[name] + 0.01 * weights[name] for name in average}
    assert all(torch.equal(end[name], average[name].bfloat16()) for name in average)


def test_it_scores_as_its_weights_do(train, engine, net, ignore):
    result, _ = train(Averaging("swa"))
    seen = []
    engine.evaluate(EvaluateJob(Setup(net, Data), 0, (Split.TRAIN,), weights=result.last), seen.append, ignore)
    assert len(seen) == 4


@pytest.mark.parametrize("settings", [("ema", 1.0), ("ema", 0.0), ("swa", 0.9, -1), ("mean",)])
def test_an_average_that_makes_no_sense_is_refused(settings):
    with pytest.raises(SetupError, match="averaging"):
        Averaging(*settings)
