"""A training that was broken off goes on as if it had not been."""

import itertools
import random

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, Dataset

from art_training.engines import FitJob
from art_training.engines.lightning import checkpoint
from art_training.errors import SetupError
from art_training.setup.setup import Setup


class Killed(BaseException):
    pass


class Noisy(Dataset):
    """Augments with every source of randomness there is."""

    def __init__(self):
        self.x = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
        self.own = torch.Generator().manual_seed(1)
        self.numpy = np.random.default_rng(2)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        noise = torch.randn(4) + torch.randn(4, generator=self.own)
        noise = noise + float(np.random.rand()) + float(self.numpy.random()) + random.random()
        return self.x[index] + 0.1 * noise, (self.x[index].sum() > 0).long()


class Data(pl.LightningDataModule):
    def __init__(self, workers=0, generator=False):
        super().__init__()
        self.workers = workers
        self.generator = torch.Generator().manual_seed(3) if generator else None

    def setup(self, stage):
        self.data = Noisy()

    def train_dataloader(self):
        return DataLoader(self.data, 16, shuffle=True, num_workers=self.workers, generator=self.generator)

    def val_dataloader(self):
        return DataLoader(self.data, 20, num_workers=self.workers)


class Net(pl.LightningModule):
    def __init__(self, optimizer="sgd", scheduler=""):
        super().__init__()
        self.optimizer, self.scheduler = optimizer, scheduler
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))

    def training_step(self, batch, batch_idx):
        loss = functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        made = (
            torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
            if self.optimizer == "sgd"
            else torch.optim.Adam(self.parameters(), lr=0.01)
        )
        if self.scheduler == "step":
            return [made], [StepLR(made, 2, gamma=0.5)]
        if self.scheduler == "plateau":
            plateau = ReduceLROnPlateau(made, patience=0, threshold=0.5, factor=0.5)
            return {"optimizer": made, "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss", "strict": False}}
        return made


class Manual(Net):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = functional.cross_entropy(self.net(batch[0]), batch[1])
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()


CASES = {
    "momentum": (Net, {}, {}, {}),
    "adam and a step schedule": (Net, {"optimizer": "adam", "scheduler": "step"}, {}, {}),
    "a plateau schedule": (Net, {"scheduler": "plateau"}, {}, {}),
    "a plateau schedule of rare validations": (
        Net, {"scheduler": "plateau"}, {}, {"check_val_every_n_epoch": 2},
    ),
    "workers": (Net, {}, {"workers": 2}, {}),
    "a generator of the loader's own": (Net, {}, {"generator": True}, {}),
    "accumulated gradients": (Net, {}, {}, {"accumulate_grad_batches": 2}),
    "a number of steps": (Net, {}, {}, {"max_steps": 18, "max_epochs": -1}),
    "validation within epochs": (Net, {}, {}, {"val_check_interval": 0.5}),
    "loaders made anew": (Net, {}, {}, {"reload_dataloaders_every_n_epochs": 2}),
    "a sanity check": (Net, {}, {"generator": True}, {"num_sanity_val_steps": 2}),
    "early stopping": (Net, {}, {}, {"callbacks": [pl.callbacks.EarlyStopping("val_loss", patience=20)]}),
    "averaged weights": (
        Net, {}, {}, {"callbacks": [pl.callbacks.StochasticWeightAveraging(swa_lrs=0.01, swa_epoch_start=2)]},
    ),
    "manual optimisation": (Manual, {}, {}, {}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:ReduceLROnPlateau conditioned on metric")
@pytest.mark.parametrize(
    ("case", "after"), [("momentum", 1), *(pytest.param(case, 3, marks=pytest.mark.slow) for case in CASES)]
)
def test_a_killed_fit_ends_with_the_weights_of_one_that_was_not(case, after, engine, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", float("inf"))
    model, hparams, data, trainer = CASES[case]
    setup = Setup(model, lambda: Data(**data), hparams=hparams, trainer={"max_epochs": 6, **trainer})
    straight = fit(engine, setup, tmp_path / "straight")

    def kill(position):
        if position.checkpoint is not None and position.epoch == after:
            raise Killed

    with pytest.raises(Killed):
        fit(engine, setup, tmp_path / "killed", kill)
    torch.manual_seed(random.randrange(1000))
    resume = tmp_path / "killed" / f"epoch-{after}.ckpt"
    resumed = fit(engine, setup, tmp_path / "killed", resume=resume)

    assert (resumed.epochs, resumed.steps) == (straight.epochs, straight.steps)
    assert resumed.logged == straight.logged
    assert_same_weights(straight.last, resumed.last)


def test_only_the_newest_epoch_checkpoint_is_kept(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", float("inf"))
    told = []
    setup = Setup(Net, Data, trainer={"max_epochs": 4})
    fit(engine, setup, tmp_path / "fit", lambda position: told.append(position.checkpoint))
    assert [path.name for path in told if path] == ["epoch-1.ckpt", "epoch-2.ckpt", "epoch-3.ckpt"]
    assert sorted(path.name for path in (tmp_path / "fit").iterdir()) == ["epoch-3.ckpt", "last.ckpt"]


@pytest.mark.parametrize(("seconds", "expected"), [(10.0, ["epoch-1.ckpt"]), (0.0, [])])
def test_a_checkpoint_that_costs_too_much_is_left_out(engine, tmp_path, monkeypatch, seconds, expected):
    # Writing takes its time, and so does the training before: ten seconds an epoch, or none.
    clock = itertools.count()
    monkeypatch.setattr(checkpoint, "_expected_seconds", lambda trainer: 0.001)
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: next(clock) * seconds)
    told = []
    setup = Setup(Net, Data, trainer={"max_epochs": 4})
    result = fit(engine, setup, tmp_path, lambda position: told.append(position.checkpoint))
    assert [path.name for path in told if path] == expected
    assert result.last.name == "last.ckpt"


def test_a_checkpoint_without_random_states_is_refused(engine, tmp_path):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=1, enable_checkpointing=False, **quiet)
    trainer.fit(Net(), Data())
    trainer.save_checkpoint(foreign := tmp_path / "foreign.ckpt")
    with pytest.raises(SetupError, match="is no epoch checkpoint of ART"):
        fit(engine, Setup(Net, Data, trainer={"max_epochs": 2}), tmp_path / "fit", resume=foreign)


def test_training_starts_from_weights(engine, tmp_path):
    setup = Setup(Net, Data, trainer={"max_epochs": 2})
    first = fit(engine, setup, tmp_path / "first")
    job = FitJob(setup, 0, folder(tmp_path / "second"), start=first.last, max_steps=0)
    second = engine.fit(job, lambda position: None)
    assert_same_weights(first.last, second.last)


def test_weights_of_another_model_are_refused(engine, tmp_path, net, points):
    first = fit(engine, Setup(net, points, trainer={"max_epochs": 1}), tmp_path / "first")
    wider = Setup(net, points, hparams={"width": 9}, trainer={"max_epochs": 1})
    with pytest.raises(SetupError, match=r"the weights of last.ckpt do not fit Net"):
        engine.fit(FitJob(wider, 0, folder(tmp_path / "second"), start=first.last), lambda position: None)


def test_the_users_way_of_writing_checkpoints_is_for_the_users_own(engine, tmp_path):
    from lightning.pytorch.plugins.io import AsyncCheckpointIO

    plugin = AsyncCheckpointIO()
    setup = Setup(Net, Data, trainer={"max_epochs": 2, "plugins": [plugin]})
    assert fit(engine, setup, tmp_path / "fit").last.is_file()
    assert fit(engine, setup, tmp_path / "fit").last.is_file()


def fit(engine, setup, where, watch=lambda position: None, resume=None):
    return engine.fit(FitJob(setup, 0, folder(where), resume=resume), watch)


def folder(path):
    path.mkdir(exist_ok=True, parents=True)
    return path


def assert_same_weights(one, other):
    a, b = (torch.load(path, weights_only=False)["state_dict"] for path in (one, other))
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert different == []
