"""What surrounds an engine's work is as it was before."""

import functools
import logging
import os
import random
import signal
import warnings
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from art_training.engines import EvaluateJob, FitJob
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.setup import Setup

LOGGERS = ("", "lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")


def surroundings():
    loggers = [logging.getLogger(name) for name in LOGGERS]
    return {
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        "torch": torch.get_rng_state().tolist(),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "deterministic": torch.get_deterministic_debug_mode(),
        "precision": torch.get_float32_matmul_precision(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "threads": torch.get_num_threads(),
        "benchmark": torch.backends.cudnn.benchmark,
        "warnings": list(warnings.filters),
        "loggers": [(one.level, list(one.handlers), one.propagate, list(one.filters)) for one in loggers],
        "signals": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)],
    }


@pytest.fixture
def jobs(engine, tmp_path, net, points):
    class Careless(net):
        """Changes everything that can be changed."""

        def training_step(self, batch, batch_idx):
            os.environ["ART_TRAINING_TEST"] = "left"
            os.environ.pop("HOME", None)
            os.chdir("/")
            pl.seed_everything(7, workers=True, verbose=False)
            torch.set_float32_matmul_precision("medium")
            torch.set_default_dtype(torch.float64)
            torch.use_deterministic_algorithms(True)
            torch.set_num_threads(1)
            torch.backends.cudnn.benchmark = True
            warnings.simplefilter("ignore")
            logging.getLogger("lightning.pytorch").addHandler(logging.NullHandler())
            random.random()
            np.random.rand()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            torch.set_default_dtype(torch.float32)
            loss = super().training_step(batch, batch_idx)
            torch.set_default_dtype(torch.float64)
            return loss

    class Failing(Careless):
        def training_step(self, batch, batch_idx):
            super().training_step(batch, batch_idx)
            raise ZeroDivisionError

    def fit(model):
        def work():
            (tmp_path / "fit").mkdir(exist_ok=True)
            setup = Setup(model, points, trainer={"max_epochs": 1, "deterministic": True})
            engine.fit(FitJob(setup, 0, tmp_path / "fit"), lambda position: None)

        return work

    setup = Setup(net, points)
    read = EvaluateJob(setup, 0, (Split.TRAIN,))
    return {
        "fit": fit(Careless),
        "a fit that fails": fit(Failing),
        "evaluate": lambda: engine.evaluate(read, lambda seen: None, lambda position: None),
        "read": lambda: engine.read(read, lambda *seen: None, lambda position: None),
        "validate": lambda: engine.validate(Setup(functools.partial(net), points)),
        "splits": lambda: engine.splits(setup, seed=0),
    }


@pytest.mark.parametrize("job", ["fit", "a fit that fails", "evaluate", "read", "validate", "splits"])
def test_everything_around_a_job_is_as_it_was(jobs, job):
    before = surroundings()
    if job == "a fit that fails":
        with pytest.raises(SetupError, match="ZeroDivisionError"):
            jobs[job]()
    else:
        jobs[job]()
    after = surroundings()
    assert [name for name in before if before[name] != after[name]] == []


def test_announcements_are_silent_and_warnings_are_not(engine, tmp_path, net, points, capfd):
    class Warning_(net):
        def training_step(self, batch, batch_idx):
            if batch_idx == 0:
                pl.utilities.rank_zero_warn("look here")
            return super().training_step(batch, batch_idx)

    (tmp_path / "fit").mkdir()
    setup = Setup(Warning_, points, trainer={"max_epochs": 1})
    with pytest.warns(UserWarning, match="look here"):
        engine.fit(FitJob(setup, 0, tmp_path / "fit"), lambda position: None)
    told = "".join(capfd.readouterr())
    assert not any(word in told for word in ("Tip:", "GPU available", "max_epochs"))


def test_a_level_that_the_user_chose_stays_while_training(engine, tmp_path, net, points, caplog):
    logger = logging.getLogger("lightning.pytorch")
    level, logger.propagate = logger.level, True
    logger.setLevel(logging.DEBUG)
    (tmp_path / "fit").mkdir()
    try:
        job = FitJob(Setup(net, points, trainer={"max_epochs": 1}), 0, tmp_path / "fit")
        engine.fit(job, lambda position: None)
    finally:
        logger.setLevel(level)
        logger.propagate = False
    assert any(record.levelno == logging.DEBUG for record in caplog.records)
