"""A process that is killed at any moment loses nothing that was committed, and the next run ends where it would have."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from art_training.records import Judgement, Outcome, RunStatus, StepState
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore

KILLS = 30

PROJECT = """
import time
import lightning as L
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy
import art_training as art
from art_training.steps import EvaluateBaseline, ExploreData, Overfit

class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    def training_step(self, batch, index):
        time.sleep(0.01)
        loss = nn.functional.cross_entropy(self.net(batch[0] + 0.01 * torch.randn_like(batch[0])), batch[1])
        self.log("train_loss", loss)
        return loss
    def validation_step(self, batch, index):
        self.log("val_loss", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))
    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.02)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.5)]

generator = torch.Generator().manual_seed(0)
x = torch.randn(160, 8, generator=generator)
y = x[:, :3].argmax(1)
setup = art.Setup(
    Net, art.data(train=(x[:128], y[:128]), validation=(x[128:], y[128:]), batch_size=16),
    trainer={"max_epochs": 12, "accelerator": "cpu"},
)
project = art.ArtProject("killed", setup, metrics={"accuracy": MulticlassAccuracy(num_classes=3)},
    steps=[ExploreData(), EvaluateBaseline(), Overfit()])
"""

# Importing torch takes seconds; this process has done so, and forks a child for every run that is asked for.
ZYGOTE = """
import importlib.util, os, sys, warnings
import lightning, sklearn.ensemble, sklearn.linear_model, torch, torchmetrics, sqlalchemy, pydantic
import art_training.engines.lightning.engine, art_training.project, art_training.steps, art_training.stores.sql
warnings.simplefilter("ignore")
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.environ["ART_STORE"] = line.strip()
        spec = importlib.util.spec_from_file_location("art_project", sys.argv[1])
        module = importlib.util.module_from_spec(spec)
        sys.modules["art_project"] = module
        spec.loader.exec_module(module)
        os._exit(0 if module.project.run().passed else 1)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Zygote:
    """Starts runs of the project, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        (folder / "art_project.py").write_text(PROJECT)
        self.errors = (folder / "stderr.txt").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE, str(folder / "art_project.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        assert self._line() == "ready", (folder / "stderr.txt").read_text()

    def run(self, store: Path, kill_after: float | None = None) -> int:
        """Run the project, and kill it after some seconds if it has not ended by then; gives the exit status."""
        self.process.stdin.write(f"{store}\n")
        self.process.stdin.flush()
        child = int(self._line())
        if kill_after is not None:
            time.sleep(kill_after)
            # The zygote has not yet reaped a child that has ended, or has: then there is nobody to kill.
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return int(self._line())

    def _line(self) -> str:
        return self.process.stdout.readline().strip()


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path)
    yield zygote
    zygote.process.kill()
    zygote.process.wait()
    zygote.process.stdin.close()
    zygote.process.stdout.close()
    zygote.errors.close()


def committed(where: Path) -> dict[str, tuple[Outcome, list[Judgement]]]:
    """Everything durable: outcomes and judgements of every run, by id."""
    if not where.exists():
        return {}
    store = SqlStore(where)
    runs = {run.id: (store.outcome(run.id), list(store.judgements(run.id))) for run in store.runs()}
    store.close()
    return {name: kept for name, kept in runs.items() if kept[0] is not None}


def ending(where: Path) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
    """The verdicts of every step, and the weights at the end."""
    store = SqlStore(where)
    newest = {}
    for run in store.runs(RunQuery(status=RunStatus.COMPLETED)):
        newest.setdefault(run.step, run)
    assert {run.state for run in newest.values()} == {StepState.PASSED}
    verdicts = {
        step: [(verdict.check, verdict.state, verdict.reason) for verdict in store.judgements(run.id)[-1].verdicts]
        for step, run in newest.items()
    }
    checkpoint = store.outcome(newest["Overfit"].id).artifact("last.ckpt")
    weights = torch.load(store.artifacts.fetch(checkpoint.digest), weights_only=False)["state_dict"]
    store.close()
    return verdicts, weights


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_project_that_is_killed_at_random_moments_ends_as_one_that_was_not(zygote: Zygote, tmp_path: Path) -> None:
    assert zygote.run(tmp_path / "whole" / "art.db") == 0
    verdicts, weights = ending(tmp_path / "whole" / "art.db")
    moments, kills, stores, resumed = random.Random(0), 0, 0, 0
    while kills < KILLS:
        stores += 1
        where = tmp_path / f"killed-{stores}" / "art.db"
        while True:
            before = committed(where)
            status = zygote.run(where, moments.uniform(0.05, 2.5) if kills < KILLS else None)
            after = committed(where)
            for run, (outcome, judgements) in before.items():
                # A run that died between its outcome and its judgement is judged by the next: judgements are added.
                assert after[run][0] == outcome, "what was committed is there, as it was"
                assert after[run][1][: len(judgements)] == judgements
            if status == 0:
                break
            assert status == -signal.SIGKILL, (tmp_path / "stderr.txt").read_text()
            kills += 1
        told, ended = ending(where)
        assert told == verdicts
        assert all(torch.equal(ended[name], weights[name]) for name in weights)
        store = SqlStore(where)
        records = [store.run(run.id) for run in store.runs()]
        store.close()
        resumed += sum(bool(record.resumed) for record in records)
        assert not [record for record in records if record.status is RunStatus.RUNNING]
    assert resumed > 0, "some trainings went on from a checkpoint"
