"""A project that raises in any hook: what happened is told, and where, and the rules that still can speak do."""

import importlib.util
import inspect
import sys
import warnings

import lightning as L
import pytest
from lightning.pytorch.core.hooks import CheckpointHooks, DataHooks, ModelHooks

import art_training as art
from art_training.rules import rules

PROJECT = """
import lightning as L
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

CALLED = []


class Rows(Dataset):
    def __init__(self, seed):
        generator = torch.Generator().manual_seed(seed)
        self.x = torch.randn(24, 4, generator=generator)
        self.y = (self.x.sum(1) > 0).long()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


class Train(Rows):
    kind = "training"
    # more of Train


class Data(L.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(Train(0), batch_size=8, shuffle=True)

    def val_dataloader(self):
        return DataLoader(Rows(1), batch_size=8)
    # more of Data


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]
    # more of Net


class Watch(L.Callback):
    kind = "callback"
    # more of Watch
"""
HOOK = """
    def {hook}(self, *args, **keywords):
        CALLED.append("{hook}")
        raise {error}
"""
MISTAKE, LEAVES = 'ValueError("my own mistake")', 'SystemExit("my own mistake")'
# One of each stage: what needs rows, a fresh model, a training, an evaluation. The others would only take time.
JUDGED = ("ART150", "ART163", "ART422", "ART842", "ART911", "ART710")
IGNORED = {one.code: "" for one in rules() if one.code not in JUDGED}


def hooks(*kinds):
    return [name for kind in kinds for name, one in vars(kind).items() if inspect.isfunction(one) and name[0] != "_"]


CASES = {
    "Net": [
        "__init__", "forward", "training_step", "validation_step", "configure_optimizers", "configure_callbacks",
        "backward", "optimizer_step", "optimizer_zero_grad", "lr_scheduler_step", "configure_gradient_clipping",
        "state_dict", "load_state_dict", "train", "eval", *hooks(ModelHooks, CheckpointHooks),
        *(one for one in hooks(DataHooks) if "dataloader" not in one),  # which are those of the datamodule
    ],
    "Data": ["__init__", "state_dict", "load_state_dict", *hooks(DataHooks)],
    "Watch": ["__init__", *hooks(L.Callback)],
    "Train": ["__init__", "__len__", "__getitem__"],
}  # fmt: skip
# Of other work than training, and those that stand in another's place.
NEVER = (
    "predict",
    "on_test",
    "sanity",
    "configure_sharded_model",
    "on_load_checkpoint",
    "load_state_dict",
    "on_exception",
)
# Without these there are no rows of training that could be read.
ROWLESS = {("Train", one) for one in CASES["Train"]} | {
    ("Data", one)
    for one in (
        "__init__",
        "setup",
        "prepare_data",
        "teardown",
        "train_dataloader",
        *(name for name in CASES["Data"] if "transfer" in name),
    )
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes a project one of whose classes raises in a hook, and imports it."""

    def write(owner, hook, error):
        path = tmp_path / f"mine_{owner}_{hook.strip('_')}.py".lower()
        path.write_text(PROJECT.replace(f"    # more of {owner}\n", HOOK.format(hook=hook, error=error)))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
        return module

    return write


def diagnose(project, **options):
    trainer = {"max_epochs": 2, "accelerator": "cpu", "callbacks": [project.Watch]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return art.diagnose(project.Net, project.Data, trainer=trainer, budget=120, ignore=IGNORED, **options)


def ended(diagnosis, *states):
    return {one.code for one in diagnosis.judged if one.state in states}


def check(project, owner, hook):
    diagnosis = diagnose(project)
    told = " ".join(str(diagnosis).split())
    if not project.CALLED:
        assert any(part in hook for part in NEVER), f"{owner}.{hook} was not called"
        assert not diagnosis.broken, told
        return
    assert diagnosis.status == "inconclusive", told[:2000]
    assert "my own mistake" in diagnosis.broken
    assert f"{owner}.{hook}" in diagnosis.broken
    assert f"{project.__name__}.py:" in diagnosis.broken
    if (owner, hook) not in ROWLESS:
        assert {"ART150", "ART163"} & ended(diagnosis, "passed"), told


@pytest.mark.parametrize(
    ("owner", "hook"), [(one, hook) for one, names in CASES.items() for hook in dict.fromkeys(names)]
)
def test_whatever_hook_raises_is_named_with_its_line_and_other_rules_speak(project, owner, hook):
    check(project(owner, hook, MISTAKE), owner, hook)


@pytest.mark.parametrize(
    ("owner", "hook"),
    [
        ("Net", "__init__"), ("Net", "training_step"), ("Net", "validation_step"), ("Net", "on_train_start"),
        ("Net", "on_train_epoch_end"), ("Data", "setup"), ("Data", "val_dataloader"), ("Watch", "on_train_batch_end"),
        ("Watch", "setup"), ("Train", "__getitem__"),
    ],
)  # fmt: skip
def test_leaving_python_in_a_hook_ends_nothing(project, owner, hook):
    check(project(owner, hook, LEAVES), owner, hook)


def test_ctrl_c_is_no_fault_of_the_project(project):
    with pytest.raises(KeyboardInterrupt):
        diagnose(project("Net", "training_step", "KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        diagnose(project("Net", "on_train_batch_end", "KeyboardInterrupt"))
