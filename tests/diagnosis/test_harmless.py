"""A diagnosis leaves everything as it was: each line of the list in `docs/howto/diagnose.md`."""

import logging
import os
import random
import re
import signal
import sys
import warnings
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import art_training as art
from art_training.rules import rules

IGNORED = {
    one.code: "" for one in rules() if one.code not in {"ART150", "ART422", "ART522", "ART840", "ART911", "ART710"}
}


class Rows(Dataset):
    def __init__(self, seed):
        generator = torch.Generator().manual_seed(seed)
        self.x = torch.randn(32, 4, generator=generator)
        self.y = (self.x.sum(1) > 0).long()
        self.read, self.log, self.cache, self.drawn = 0, [], {}, np.random.default_rng(0)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        self.read += 1
        self.log.append(index)
        self.cache[index] = self.drawn.random()
        return self.x[index], self.y[index]


class Shadow:
    """An average of weights, as people write one."""

    def __init__(self, module):
        self.weights = {name: one.detach().clone() for name, one in module.named_parameters()}

    def update(self, module):
        for name, one in module.named_parameters():
            self.weights[name].mul_(0.9).add_(one.detach(), alpha=0.1)


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
        self.losses, self.counts, self.total = [], {"steps": 0}, torch.zeros(())
        self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        self.generator = torch.Generator().manual_seed(1)
        self.shadow = Shadow(self)

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        loss = F.cross_entropy(self(batch[0] + 1e-3 * torch.randn(batch[0].shape, generator=self.generator)), batch[1])
        self.losses.append(float(loss))
        self.counts["steps"] += 1
        self.total += loss.detach()
        self.shadow.update(self)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return self.optimizer


class Meddler(Net):
    """Changes all that surrounds it."""

    def on_train_start(self):
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.set_float32_matmul_precision("medium")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
        torch.backends.cudnn.deterministic = not torch.backends.cudnn.deterministic
        torch.autograd.set_detect_anomaly(True)
        np.seterr(all="ignore")
        os.environ["MEDDLED"] = "1"
        os.environ.pop("KEPT", None)
        sys.path.insert(0, "meddled")
        warnings.simplefilter("ignore")
        logging.getLogger().setLevel(logging.ERROR)
        logging.getLogger().addHandler(logging.NullHandler())
        logging.getLogger("mine").setLevel(logging.CRITICAL)
        logging.getLogger("mine").addHandler(logging.NullHandler())
        logging.getLogger("lightning.pytorch").setLevel(logging.CRITICAL)
        signal.signal(signal.SIGTERM, lambda *_: None)

    def on_fit_end(self):
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        os.chdir("/")


def diagnose(model, data=None, **trainer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = (DataLoader(Rows(0), batch_size=8, shuffle=True), DataLoader(Rows(1), batch_size=8))
        settings = {"max_epochs": 2, "accelerator": "cpu", **trainer}
        found = art.diagnose(model, data or given, trainer=settings, budget=120, ignore=IGNORED)
    assert "train" in found.stages, str(found)
    assert not found.broken, found.broken
    return found


def surroundings():
    loggers = [logging.getLogger(name) for name in ("", "mine", "lightning.pytorch", "lightning.fabric")]
    return {
        "python random": random.getstate(),
        "numpy random": np.random.get_state()[1].tolist(),
        "torch random": torch.get_rng_state().tolist(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "deterministic": torch.get_deterministic_debug_mode(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "threads": torch.get_num_threads(),
        "matmul": torch.get_float32_matmul_precision(),
        "numpy errors": np.geterr(),
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "filters": list(warnings.filters),
        "loggers": [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers],
        "signals": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
    }


@pytest.fixture(scope="module", autouse=True)
def warmed():
    """What importing leaves behind is not the diagnosis's."""
    diagnose(Net)


@pytest.mark.parametrize("name", sorted(surroundings()))
def test_what_surrounds_a_diagnosis_is_as_it_was(name, met):
    before, after = met
    assert after[name] == before[name]


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    """What surrounds a diagnosis of a project that changes everything, before and after."""
    here = str(Path.cwd())
    os.chdir(tmp_path_factory.mktemp("here"))
    os.environ["KEPT"] = "yes"
    try:
        before = surroundings()
        diagnose(Meddler)
        yield before, surroundings()
    finally:
        os.environ.pop("KEPT", None)
        os.chdir(here)


@pytest.fixture(scope="module")
def instance():
    """An instance that has been trained a little, has gradients, and is half frozen; what it was, and what it is afterwards."""
    torch.manual_seed(0)
    model = Net()
    model.net[1].eval()
    model.net[0].requires_grad_(False)
    model.losses.append(1.0)
    loss = F.cross_entropy(model(torch.randn(8, 4)), torch.zeros(8, dtype=torch.long))
    loss.backward()
    model.optimizer.step()
    held = list(model.parameters())[2:]
    before = state(model)
    identities = [
        id(one) for one in (*model.parameters(), model.losses, model.counts, model.optimizer, *(p.grad for p in held))
    ]
    diagnose(model)
    after = [
        id(one) for one in (*model.parameters(), model.losses, model.counts, model.optimizer, *(p.grad for p in held))
    ]
    assert identities == after
    return before, state(model)


def state(model):
    optimizer = model.optimizer.state_dict()
    return {
        "weights": {name: one.tolist() for name, one in model.named_parameters()},
        "buffers": {name: one.tolist() for name, one in model.named_buffers()},
        "modes": {name: one.training for name, one in model.named_modules()},
        "requires_grad": {name: one.requires_grad for name, one in model.named_parameters()},
        "gradients": {name: None if one.grad is None else one.grad.tolist() for name, one in model.named_parameters()},
        "optimiser": str(optimizer),
        "containers": (list(model.losses), dict(model.counts)),
        "tensors": model.total.tolist(),
        "objects": {name: one.tolist() for name, one in model.shadow.weights.items()},
        "generators": model.generator.get_state().tolist(),
        "attributes": {name: sorted(vars(one)) for name, one in model.named_modules()},
        "hooks": [len(one._forward_hooks) + len(one._backward_hooks) for one in model.modules()],
        "trainer": model._trainer,
    }


@pytest.mark.parametrize("name", sorted(state(Net())))
def test_an_instance_that_was_given_is_as_it_was(name, instance):
    before, after = instance
    assert after[name] == before[name]


def test_an_instance_whose_layers_have_no_size_yet_stays_without():
    class Lazy(Net):
        def __init__(self):
            super().__init__()
            self.net = nn.LazyLinear(2)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-3)

        def training_step(self, batch, index):
            return F.cross_entropy(self(batch[0]), batch[1])

    model = Lazy()
    diagnose(model)
    assert type(model.net) is nn.LazyLinear
    assert nn.parameter.is_lazy(model.net.weight)


def test_a_trainer_that_converts_weights_leaves_their_type():
    model = Net()
    diagnose(model, precision="bf16-true")
    assert {one.dtype for one in model.parameters()} == {torch.float32}


def test_data_that_were_given_are_as_they_were():
    train, validation = Rows(0), Rows(1)
    state = train.drawn.bit_generator.state
    diagnose(Net, (DataLoader(train, batch_size=8, shuffle=True), DataLoader(validation, batch_size=8)))
    assert (train.read, train.log, train.cache, validation.read) == (0, [], {}, 0)
    assert train.drawn.bit_generator.state == state


def test_nothing_is_written_and_loggers_and_callbacks_of_the_users_take_no_part(tmp_path):
    checkpoint, stopping = ModelCheckpoint(dirpath="checkpoints", monitor="val_loss"), EarlyStopping("val_loss")
    logger = CSVLogger("logs")
    before = dict(vars(checkpoint)), dict(vars(stopping))
    found = sorted(tmp_path.rglob("*"))
    diagnose(
        Net,
        callbacks=[checkpoint, stopping],
        logger=[logger],
        default_root_dir="root",
        enable_checkpointing=True,
        log_every_n_steps=1,
    )
    assert sorted(tmp_path.rglob("*")) == found
    assert logger._experiment is None
    assert (dict(vars(checkpoint)), dict(vars(stopping))) == before


def test_a_logger_with_methods_of_its_own_is_replaced_by_one_that_takes_them():
    class Mine(CSVLogger):
        def log_image(self, *_):
            raise AssertionError("the user's own logger was used")

    class Logs(Net):
        def training_step(self, batch, index):
            self.logger.log_image("x", [batch[0]])
            self.logger.experiment.add_histogram("x", batch[0])
            return super().training_step(batch, index)

    diagnose(Logs, logger=Mine("logs"))


def test_a_callback_is_not_told_of_a_failure_that_is_none():
    told = []

    class Reports(L.Callback):
        def on_exception(self, trainer, module, exception):
            told.append(exception)

    diagnose(Net, callbacks=[Reports])
    assert told == []


TESTED = {
    "random states": ("python random", "numpy random", "torch random"),
    "torch's settings": (
        "default dtype",
        "default device",
        "gradients",
        "anomalies",
        "deterministic",
        "cudnn",
        "threads",
        "matmul",
    ),
    "NumPy's settings": ("numpy errors",),
    "the working directory": ("folder", "environment", "path", "streams"),
    "warnings' filters": ("filters", "signals"),
    "logging": ("loggers",),
    "an instance": tuple(state(Net())),
    "data": (test_data_that_were_given_are_as_they_were,),
    "callbacks": (test_a_callback_is_not_told_of_a_failure_that_is_none,),
    "loggers": (test_a_logger_with_methods_of_its_own_is_replaced_by_one_that_takes_them,),
    "files": (test_nothing_is_written_and_loggers_and_callbacks_of_the_users_take_no_part,),
}


def test_each_line_of_the_list_is_tested():
    page = (Path(__file__).parents[2] / "docs" / "howto" / "diagnose.md").read_text()
    listed = re.findall(r"^- \*\*(.+?)\*\*", page.partition("## What stays as it was")[2], re.MULTILINE)
    assert listed == list(TESTED)
    names = {one for many in TESTED.values() for one in many if isinstance(one, str)}
    assert names == {*surroundings(), *state(Net())}
