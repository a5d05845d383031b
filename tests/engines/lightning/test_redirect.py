"""Callbacks and loggers stay the user's: copied for each fit, their files in the job's folder."""

import threading

import lightning.pytorch as pl
import pytest
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from art_training.engines import FitJob
from art_training.errors import SetupError
from art_training.setup.setup import Setup


@pytest.fixture
def run(engine, tmp_path, net, points):
    def run(name="fit", points_of=None, **trainer):
        (tmp_path / name).mkdir()
        setup = Setup(net, points, trainer={"max_epochs": 3, **trainer})
        collected = [] if points_of is None else points_of
        return engine.fit(FitJob(setup, 0, tmp_path / name), lambda position: collected.extend(position.points))

    return run


def test_two_fits_share_nothing_through_a_callback(run):
    stopping = EarlyStopping("val_loss", patience=0, min_delta=10.0)
    first = run("first", callbacks=[stopping])
    second = run("second", callbacks=[stopping])
    assert (first.epochs, second.epochs) == (2, 2)
    assert first.stopped == ""  # the user's own wish
    assert first.callbacks["EarlyStopping"]["stopped_epoch"] == 1
    assert (stopping.stopped_epoch, stopping.wait_count) == (0, 0)


def test_checkpoints_of_the_user_go_into_the_folder_of_the_job(run, tmp_path):
    keeping = ModelCheckpoint(tmp_path / "mine", monitor="val_loss", filename="{epoch}")
    others = [
        ModelCheckpoint(filename="every-{epoch}", save_top_k=-1),
        ModelCheckpoint(tmp_path / "b" / "mine", every_n_epochs=3),
    ]
    result = run(callbacks=[keeping, *others])
    assert result.best.parent == tmp_path / "fit" / "mine"
    assert result.callbacks["ModelCheckpoint"]["best_model_path"] == str(result.best)
    assert len(list((tmp_path / "fit" / "checkpoints").iterdir())) == 3
    assert len(list((tmp_path / "fit" / "mine-2").iterdir())) == 1
    assert not (tmp_path / "mine").exists()
    assert keeping.best_model_path == ""
    assert {"ModelCheckpoint", "ModelCheckpoint 2", "ModelCheckpoint 3"} <= set(result.callbacks)


def test_nothing_but_the_folder_of_the_job_is_written_to(run, tmp_path):
    run()
    assert {path.name for path in tmp_path.iterdir()} == {"fit", "home"}
    assert "last.ckpt" in {path.name for path in (tmp_path / "fit").iterdir()}


def test_classes_and_factories_of_callbacks_are_called(run):
    result = run(callbacks=[LearningRateMonitor, lambda: EarlyStopping("val_loss", patience=7)])
    assert result.callbacks["EarlyStopping"]["patience"] == 7
    assert result.parameters["trainer"]["callbacks"] == ["LearningRateMonitor", "EarlyStopping"]


def test_a_callback_that_cannot_be_copied_gives_one_sentence(run, engine, net, points):
    class Locked(pl.Callback):
        def __init__(self):
            self.lock = threading.Lock()

    match = r"the callback Locked cannot be copied .*callbacks=\[lambda: Locked\(...\)\]"
    with pytest.raises(SetupError, match=match):
        run(callbacks=[Locked()])
    with pytest.raises(SetupError, match=match):
        engine.validate(Setup(net, points, trainer={"callbacks": Locked()}))
    assert run("again", callbacks=[Locked]).epochs == 3


@pytest.mark.parametrize("wrong", [3, lambda: 3])
def test_what_is_no_callback_gives_one_sentence(run, wrong):
    with pytest.raises(SetupError, match="which is no"):
        run(callbacks=[wrong])


def test_callbacks_that_the_model_configures_are_redirected_too(engine, tmp_path, net, points):
    class Configuring(net):
        def configure_callbacks(self):
            return [ModelCheckpoint(tmp_path / "mine", monitor="val_loss"), EarlyStopping("val_loss", min_delta=10.0)]

    (tmp_path / "fit").mkdir()
    setup = Setup(Configuring, points, trainer={"max_epochs": 9})
    result = engine.fit(FitJob(setup, 0, tmp_path / "fit"), lambda position: None)
    assert result.best.is_relative_to(tmp_path / "fit")
    assert not (tmp_path / "mine").exists()
    assert result.epochs == 4  # patience is 3
    result = engine.fit(FitJob(setup, 0, tmp_path / "fit", one_batch=1, max_steps=9), lambda position: None)
    assert (result.steps, result.best) == (9, None)


def test_a_live_logger_is_used_as_it_is(run, tmp_path):
    live = CSVLogger(tmp_path / "logs")
    run(logger=live, log_every_n_steps=1)
    assert "val_loss" in (tmp_path / "logs" / "lightning_logs" / "version_0" / "metrics.csv").read_text()


@pytest.mark.parametrize("logger", [CSVLogger, True])
def test_a_logger_that_is_made_writes_into_the_folder_of_the_job(run, tmp_path, logger, recwarn):
    points = []
    run(points_of=points, logger=logger, log_every_n_steps=1)
    folder = tmp_path / "fit" / "lightning_logs" / "version_0"
    written = [file for file in folder.iterdir() if file.name == "metrics.csv" or "tfevents" in file.name]
    assert any(b"val_loss" in file.read_bytes() for file in written)  # True takes TensorBoard where it is installed
    assert "logged/val_loss" in {name for name, *_ in points}


def test_without_a_logger_everything_logged_becomes_a_curve(engine, tmp_path, net, points):
    class Logging(net):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            self.log("inner", loss, on_step=True, on_epoch=True)
            self.logger.experiment.add_histogram("weights", self.net[0].weight)
            return loss

    collected = []
    (tmp_path / "fit").mkdir()
    monitor = LearningRateMonitor()  # it refuses to work without a logger
    setup = Setup(Logging, points, trainer={"max_epochs": 2, "log_every_n_steps": 1, "callbacks": [monitor]})
    engine.fit(FitJob(setup, 0, tmp_path / "fit"), lambda position: collected.extend(position.points))
    names = {name for name, *_ in collected}
    assert {"logged/inner_step", "logged/inner_epoch", "logged/val_loss", "logged/lr-SGD"} <= names
    inner = [(step, value) for name, step, _, value in collected if name == "logged/inner_step"]
    losses = {step: value for name, step, _, value in collected if name == "train/loss"}
    assert dict(inner) == pytest.approx(losses)


def test_no_logger_means_none_and_values_are_kept_all_the_same(run):
    points = []
    result = run(points_of=points, logger=False)
    assert result.parameters["trainer"]["loggers"] == []
    assert [step for name, step, *_ in points if name == "logged/val_loss"] == [5, 10, 15]
