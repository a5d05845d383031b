"""A look at batches on their way through the weights leaves a training as it was."""

import random

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import torchmetrics
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset

from art_training.engines import EvaluateJob, FitJob, Look
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.setup import Setup


class Noisy(Dataset):
    """Augments with every source of randomness there is; shared by everyone who reads it."""

    def __init__(self):
        self.x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
        self.begin()

    def begin(self):
        self.own, self.numpy = torch.Generator().manual_seed(1), np.random.default_rng(2)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        noise = torch.randn(4) + torch.randn(4, generator=self.own) + float(np.random.rand())
        noise = noise + float(self.numpy.random()) + random.random()
        return self.x[index] + 0.1 * noise, (self.x[index].sum() > 0).long(), index


SHARED = Noisy()


class Data(pl.LightningDataModule):
    def __init__(self, augment=True):
        super().__init__()
        self.augment = augment
        self.generator = torch.Generator().manual_seed(3)

    def plain(self):
        return type(self)(augment=False)

    def train_dataloader(self):
        return DataLoader(SHARED, 16, shuffle=True, generator=self.generator)

    def val_dataloader(self):
        return DataLoader(SHARED, 20)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        shift = torch.randn(4) if self.augment and self.trainer.training else 0
        return batch[0] + shift, batch[1], batch[2]


class Net(pl.LightningModule):
    """Has everything that a look could disturb."""

    hooks: list = []

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
        self.accuracy = torchmetrics.classification.MulticlassAccuracy(2)
        self.register_buffer("validations", torch.zeros(()))
        self.outputs = []

    def training_step(self, batch, batch_idx):
        prediction = self.net(batch[0])
        self.accuracy(prediction, batch[1])
        self.log("accuracy", self.accuracy, on_epoch=True, on_step=False)
        return functional.cross_entropy(prediction, batch[1])

    def validation_step(self, batch, batch_idx):
        self.validations += 1
        self.outputs.append(batch_idx)
        self.log("val_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))
        self.logger.experiment.add_scalar("nothing", 1)

    def on_validation_epoch_end(self):
        self.log("batches", float(len(self.outputs)))
        self.outputs.clear()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


class Counting(pl.Callback):
    def __init__(self):
        self.calls = {}

    def state_dict(self):
        return dict(self.calls)

    def on_validation_start(self, trainer, module):
        self.calls["validations"] = self.calls.get("validations", 0) + 1

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        assert all(one.training for one in module.modules())
        self.calls["batches"] = self.calls.get("batches", 0) + 1


def trained(engine, folder, ignore, looks=(), **trainer):
    folder.mkdir()
    settings = {"max_epochs": 4, "callbacks": [Counting()], **trainer}
    SHARED.begin()
    return engine.fit(FitJob(Setup(Net, Data, trainer=settings), 0, folder, looks=looks), ignore)


def everything(result):
    state = torch.load(result.last, weights_only=False)
    loops = state["loops"]["fit_loop"]["epoch_progress"]
    return state["state_dict"], state["optimizer_states"][0]["state"], state["art_training"]["random"], loops


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_a_training_with_looks_ends_bit_by_bit_as_one_without(engine, ignore, tmp_path):
    seen = []
    see = lambda epochs, batch: seen.append((epochs, batch.split, batch.index))
    looks = (Look(see, share=1e9), Look(see, Split.VALIDATION, batches=None, share=1e9))
    without = trained(engine, tmp_path / "without", ignore)
    looked = trained(engine, tmp_path / "with", ignore, looks)
    assert same(everything(without), everything(looked))
    assert looked.logged == without.logged
    assert looked.callbacks == without.callbacks
    assert looked.logged["batches"] == 2
    assert seen == [
        one
        for epochs in range(5)
        for one in [(epochs, "train", 0), (epochs, "validation", 0), (epochs, "validation", 1)]
    ]


def test_a_look_sees_what_an_evaluation_of_these_weights_would(engine, ignore, tmp_path):
    seen = []
    look = Look(lambda epochs, batch: seen.append((epochs, batch)), Split.TRAIN, batches=2, share=1e9)
    result = trained(engine, tmp_path / "fit", ignore, (look,))
    epochs, last = seen[-1]
    assert (epochs, last.index) == (4, 1)
    assert last.batch[2].tolist() == list(range(16, 32))  # the order of the data set
    assert all(torch.equal(batch.batch[0], seen[-1][1].batch[0]) for _, batch in seen[1::2])  # the same in each look
    step = Net()
    step.load_state_dict(torch.load(result.last, weights_only=False)["state_dict"])
    expected = functional.cross_entropy(step.eval().net(last.batch[0]), last.batch[1])
    assert last.losses[0].value == pytest.approx(expected.item())
    assert last.logged["val_loss"] == pytest.approx(expected.item())


def test_looks_before_training_are_those_of_a_fresh_model(engine, net, points, ignore, tmp_path):
    seen, evaluated = [], []
    setup = Setup(net, points, trainer={"max_epochs": 1})
    look = Look(lambda epochs, batch: seen.append(batch.losses[0].value.item()), batches=None, share=1e9)
    engine.fit(FitJob(setup, 0, tmp_path, looks=(look,)), ignore)
    job = EvaluateJob(setup, 0, (Split.TRAIN,))
    engine.evaluate(job, lambda batch: evaluated.append(batch.losses[0].value.item()), ignore)
    assert seen[:5] == evaluated


def test_batches_are_bounded_and_what_is_looked_at_is_told(engine, net, points, ignore, tmp_path):
    """Thirty batches train; a look of two counts two and two thirds, and four of them count less than eleven."""
    epochs = []
    look = Look(lambda epoch, batch: epochs.append(epoch), batches=2, share=11 / 30)
    setup = Setup(net, points, trainer={"max_epochs": 6})
    result = engine.fit(FitJob(setup, 0, tmp_path, looks=(look,)), ignore)
    assert epochs == [0, 0, 1, 1, 3, 3, 6, 6]
    assert result.parameters["looks"] == [{"split": "train", "batches": 2, "epochs": [0, 1, 3, 6], "share": 11 / 30}]


def test_time_in_looks_is_no_training_time(engine, net, points, ignore, tmp_path):
    import time

    look = Look(lambda epoch, batch: time.sleep(0.5), share=1e9)
    result = engine.fit(FitJob(Setup(net, points, trainer={"max_epochs": 1}), 0, tmp_path, looks=(look,)), ignore)
    assert result.seconds < 0.5


def test_the_model_knows_the_epoch_in_a_look(engine, net, points, ignore, tmp_path):
    class Annealed(net):
        def validation_step(self, batch, batch_idx):
            return {"epoch": self.current_epoch}

    seen = []
    look = Look(lambda epoch, batch: seen.append((epoch, batch.returned["epoch"])), share=1e9)
    engine.fit(FitJob(Setup(Annealed, points, trainer={"max_epochs": 3}), 0, tmp_path, looks=(look,)), ignore)
    assert seen == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_one_batch_is_looked_at_where_one_batch_trains(engine, net, points, ignore, tmp_path):
    seen = []
    look = Look(lambda epoch, batch: seen.append(batch.batch[0]), batches=None, share=1e9)
    setup = Setup(net, points, trainer={"max_epochs": 2})
    engine.fit(FitJob(setup, 0, tmp_path, one_batch=3, looks=(look,)), ignore)
    assert len(seen) == 3
    assert all(torch.equal(one, seen[0]) for one in seen)


def test_a_split_that_is_not_there_is_told(engine, net, points, ignore, tmp_path):
    class Without(points):
        val_dataloader = pl.LightningDataModule.val_dataloader

    look = Look(lambda epoch, batch: None, Split.VALIDATION)
    with pytest.raises(SetupError, match="the data has no validation split"):
        engine.fit(FitJob(Setup(net, Without), 0, tmp_path, looks=(look,)), ignore)


@pytest.mark.parametrize("settings", [{"batches": 0}, {"share": -0.1}])
def test_a_look_that_makes_no_sense_is_refused(settings):
    with pytest.raises(SetupError, match="look"):
        Look(lambda epoch, batch: None, **settings)


def counted(package, calls, **members):
    """A datamodule that counts how often it is made and set up, with data that count how often they are read."""

    class Counts(Dataset):
        reads = 0

        def __len__(self):
            return 40

        def __getitem__(self, index):
            self.reads += 1
            row = SHARED.x[index]
            return row + 1e-3 * self.reads, (row.sum() > 0).long()

    class Counted(package.LightningDataModule):
        def __init__(self):
            super().__init__()
            calls.append("made")

        def setup(self, stage):
            calls.append("set up")
            self.data = Counts()

        def train_dataloader(self):
            return DataLoader(self.data, 8, shuffle=True)

        def on_after_batch_transfer(self, batch, dataloader_idx):
            calls.append("moved" if self.trainer.training else "looked at")
            return batch

    return type("Counted", (Counted,), members)


def model_of(package):
    class Model(package.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2))

        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    return Model


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_data_of_the_training_are_looked_at_where_they_are_as_a_look_wants_them(engine, package, ignore, tmp_path):
    """Opened once; what they count, draw and hold is as it was; a change is made once, by either hierarchy."""
    ends, looked = [], []
    look = Look(lambda epochs, batch: looked.append(batch.batch[0]), batches=2, share=1e9)
    for name, looks in (("without", ()), ("with", (look,))):
        (tmp_path / name).mkdir()
        calls = []
        setup = Setup(model_of(package), counted(package, calls), trainer={"max_epochs": 3})
        change = lambda batch: (batch[0] * 2, batch[1])
        job = FitJob(setup, 0, tmp_path / name, plain=True, looks=looks, change=change)
        ends.append(engine.fit(job, ignore))
        assert calls.count("made") == calls.count("set up") == 1
        assert calls.count("moved") == 15
        assert calls.count("looked at") == len(looked) == (8 if looks else 0)
    states = [torch.load(one.last, weights_only=False) for one in ends]
    assert same(*[one["state_dict"] for one in states])
    assert same(*[one["optimizer_states"][0]["state"] for one in states])
    assert same(*[one["art_training"]["random"] for one in states])
    assert torch.allclose(looked[0], 2 * SHARED.x[:8], atol=0.1)
    assert all(torch.equal(one, looked[0]) for one in looked[::2])


def test_data_that_augment_are_opened_again_for_looks(engine, ignore, tmp_path):
    import lightning.pytorch as pl

    calls = []
    setup = Setup(model_of(pl), counted(pl, calls, plain=lambda self: type(self)()), trainer={"max_epochs": 2})
    engine.fit(FitJob(setup, 0, tmp_path, looks=(Look(lambda epochs, batch: None, share=1e9),)), ignore)
    assert calls.count("set up") == 2
    assert calls.count("looked at") == 3


class Stream(IterableDataset):
    """One position for all who read it, as a socket has; a fresh one begins at the beginning."""

    def __init__(self):
        self.position = 0

    def __iter__(self):
        for _ in range(4):
            self.position += 1
            yield SHARED.x[self.position % 40], (SHARED.x[self.position % 40].sum() > 0).long()


@pytest.mark.parametrize("batches", [1, None])
def test_a_stream_is_not_read_beside_the_training(engine, ignore, tmp_path, batches):
    """Nobody knows how long it is, so that it is looked at after every doubling, and not more than it allows."""
    import lightning.pytorch as pl

    class Streamed(pl.LightningDataModule):
        def train_dataloader(self):
            return DataLoader(Stream(), 2)

    seen, ends = [], []
    look = Look(lambda epochs, batch: seen.append(epochs), batches=batches, share=0.5)
    for name, looks in (("without", ()), ("with", (look,))):
        (tmp_path / name).mkdir()
        setup = Setup(model_of(pl), Streamed, trainer={"max_epochs": 9})
        ends.append(engine.fit(FitJob(setup, 0, tmp_path / name, plain=True, looks=looks), ignore))
    assert same(*[engine.weights(one.last) for one in ends])
    assert [epoch for epoch in range(10) if epoch in seen] == ([0, 5, 9] if batches else [0, 6, 9])


def test_a_training_that_ends_before_its_time_is_looked_at_then(engine, net, points, ignore, tmp_path):
    seen = []
    look = Look(lambda epochs, batch: seen.append(epochs), share=0.1)
    setup = Setup(net, points, trainer={"max_epochs": 20})
    stop = lambda position: "enough" if (position.epoch or 0) >= 10 else None
    result = engine.fit(FitJob(setup, 0, tmp_path, looks=(look,), stop_below=1e9), stop)
    assert result.epochs == 1
    assert seen == [0, 1]
    assert result.parameters["looks"][0]["epochs"] == [0, 2, 9, 20]


def test_a_training_too_short_for_its_share_makes_no_second_model(engine, ignore, tmp_path):
    import lightning.pytorch as pl

    made = []

    def factory():
        made.append(1)
        return model_of(pl)()

    calls = []
    setup = Setup(factory, counted(pl, calls), trainer={"max_epochs": 2})
    result = engine.fit(FitJob(setup, 0, tmp_path, looks=(Look(lambda epochs, batch: made.append(2)),)), ignore)
    assert made == [1]
    assert result.parameters["looks"][0]["epochs"] == []
