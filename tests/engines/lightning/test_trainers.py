"""The trainer is the user's: settings, or a factory of a Trainer of the model's hierarchy."""

import functools

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from art_training.engines import EvaluateJob, FitJob
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.data import data
from art_training.setup.setup import Setup


def module_of(package):
    class Model(package.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(4, 2)

        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self.net(batch[0]), batch[1])

        def validation_step(self, batch, batch_idx):
            self.log("val_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Model


def datamodule_of(package):
    class Data(package.LightningDataModule):
        def setup(self, stage):
            self.rows = TensorDataset(torch.randn(40, 4), torch.randint(2, (40,)))

        def train_dataloader(self):
            return DataLoader(self.rows, 8, shuffle=True)

        def val_dataloader(self):
            return DataLoader(self.rows, 8)

        def on_after_batch_transfer(self, batch, dataloader_idx):
            assert self.trainer is not None
            return batch[0] + 100, batch[1]

    return Data


@pytest.fixture
def run(engine, tmp_path):
    def run(setup, **how):
        (tmp_path / "fit").mkdir(exist_ok=True)
        return engine.fit(FitJob(setup, 0, tmp_path / "fit", **how), lambda position: None)

    return run


@pytest.mark.parametrize("data_from", ["lightning.pytorch", "pytorch_lightning", "art"])
def test_modules_of_both_hierarchies_train_on_data_of_both(engine, run, package, data_from):
    rows = torch.randn(40, 4), torch.randint(2, (40,))
    given = data(rows, rows) if data_from == "art" else datamodule_of(pytest.importorskip(data_from))
    stop = package.callbacks.EarlyStopping("val_loss", patience=9)
    setup = Setup(module_of(package), given, trainer={"max_epochs": 2, "callbacks": [stop]})
    engine.validate(setup)
    result = run(setup)
    assert (result.epochs, set(result.logged)) == (2, {"val_loss"})
    seen = []
    job = EvaluateJob(setup, 0, (Split.TRAIN, Split.VALIDATION), weights=result.last)
    engine.evaluate(job, seen.append, lambda position: None)
    assert sum(one.weight for one in seen) == 80
    assert all((one.batch[0] > 50).all() for one in seen) == (data_from != "art")
    assert run(setup, one_batch=2, max_steps=4).steps == 4


def test_a_factory_makes_the_trainer(engine, run, package):
    given = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    given |= {"enable_model_summary": False, "limit_val_batches": 1}
    calls = []

    def keywords(**more):
        calls.append(more)
        return package.Trainer(max_epochs=2, **given)

    def named(max_steps, callbacks=None):
        calls.append(max_steps)
        return package.Trainer(max_epochs=2, callbacks=callbacks, **given)

    factories = [
        lambda: package.Trainer(max_epochs=2, **given),
        functools.partial(package.Trainer, max_epochs=2, **given),
    ]
    for factory in (*factories, keywords, named):
        setup = Setup(module_of(package), datamodule_of(package), trainer=factory)
        engine.validate(setup)
        result = run(setup)
        assert (result.epochs, result.parameters["trainer"]["max_epochs"]) == (2, 2)
        assert result.parameters["trainer"]["limit_val_batches"] == 1
        seen = []
        engine.evaluate(EvaluateJob(setup, 0, (Split.VALIDATION,)), seen.append, lambda position: None)
        assert len(seen) == 5  # whole, whatever training is limited to
        assert run(setup, one_batch=3, max_steps=7).steps == 7
    assert {} in calls


@pytest.mark.parametrize("loggers", [[], ["lightning_logs"]])
def test_a_factory_that_says_nothing_of_logs_leaves_none_where_it_runs(run, monkeypatch, tmp_path, capsys, loggers):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    package = pytest.importorskip("lightning.pytorch")
    given = {"logger": package.loggers.CSVLogger(".")} if loggers else {}
    quiet = {"accelerator": "cpu", "log_every_n_steps": 1}
    trainer = lambda: package.Trainer(max_epochs=1, **quiet, **given)
    result = run(Setup(module_of(package), datamodule_of(package), trainer=trainer))
    assert [one.name for one in here.iterdir()] == loggers  # a logger of the user's own stays
    assert result.parameters["trainer"]["loggers"] == (["CSVLogger"] if loggers else [])
    assert capsys.readouterr().out == ""


def test_a_trainer_that_was_used_before_is_refused(run, package):
    trainer = package.Trainer(max_epochs=1, enable_progress_bar=False, enable_model_summary=False, logger=False)
    setup = Setup(module_of(package), datamodule_of(package), trainer=lambda: trainer)
    run(setup)
    with pytest.raises(SetupError, match="a Trainer that has been used before; it must make a new one"):
        run(setup)


def test_a_trainer_of_the_other_hierarchy_is_refused(run, package):
    other = {"lightning.pytorch": "pytorch_lightning"}.get(package.__name__, "lightning.pytorch")
    trainer = pytest.importorskip(other).Trainer
    setup = Setup(module_of(package), datamodule_of(package), trainer=lambda: trainer(max_epochs=1, logger=False))
    with pytest.raises(SetupError, match=rf"returned a Trainer of {other}.*import Trainer from {package.__name__}"):
        run(setup)


def test_a_factory_that_makes_no_trainer_is_refused(run, net, points):
    with pytest.raises(SetupError, match="returned 3; it must return a Trainer"):
        run(Setup(net, points, trainer=lambda: 3))


def test_an_unknown_setting_is_told_with_what_was_meant(engine, net, points):
    with pytest.raises(SetupError, match=r"trainer has 'max_epoch', which is no setting.*did you mean 'max_epochs'"):
        engine.validate(Setup(net, points, trainer={"max_epoch": 3}))


def test_an_unknown_setting_that_meets_a_training_is_told_likewise(run, net, points):
    said = r"trainer has 'max_epoch', which is no setting of the installed Trainer; did you mean 'max_epochs'\?"
    with pytest.raises(SetupError, match=said):
        run(Setup(net, points, trainer={"max_epoch": 3}))
    with pytest.raises(SetupError, match=r"trainer has 'colour', .* Trainer; leave it out"):
        run(Setup(net, points, trainer={"colour": "red"}))


def test_more_than_one_process_is_refused(run, net, points):
    setup = Setup(net, points, trainer={"max_epochs": 1, "accelerator": "cpu", "devices": 2})
    with pytest.raises(SetupError, match=r"would use 2 processes .*and ART trains in one for now"):
        run(setup)


def test_settings_that_do_not_go_together_give_one_sentence(engine, run, net, points):
    setup = Setup(net, points, trainer={"devices": 2, "accelerator": "cpu"})
    with pytest.raises(SetupError, match="would use 2 processes"):
        engine.validate(setup)
    with pytest.raises(SetupError, match=r"Lightning's Trainer refuses the settings in trainer=.*norms is invalid"):
        run(Setup(net, points, trainer={"max_epochs": 1, "gradient_clip_algorithm": "norms"}))


def test_precision_and_accumulation_are_the_users(run, net, points):
    result = run(Setup(net, points, trainer={"max_epochs": 1, "precision": "bf16-mixed", "accumulate_grad_batches": 2}))
    assert result.parameters["trainer"]["precision"] == "bf16-mixed"
    assert result.steps == 3
