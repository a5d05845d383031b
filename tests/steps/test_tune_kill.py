"""A search that is killed again and again makes the trials that it would have made, each of them once."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from art_training.records import Outcome, RunStatus
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore

TRIALS = 12

# Each training leaves a line when it begins and one when it ends, in a file that nobody but the operating system keeps.
PROJECT = """
import os, time
from pathlib import Path
import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torchmetrics.classification import MulticlassAccuracy
import art_training as art
from art_training.steps import Tune

class Slow(lightning.Callback):
    def on_train_start(self, trainer, module):
        say(f"began {trainer.current_epoch}")
    def on_train_epoch_end(self, trainer, module):
        time.sleep(0.03)
    def on_train_end(self, trainer, module):
        say("ended")

def say(text):
    with open(os.environ["ART_TEST_DIARY"], "a") as file:
        file.write(text + "\\n")

def net(width=8, dropout=0.0):
    if width == 13:
        raise ArithmeticError("thirteen")
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 10))

x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y)
setup = art.Setup(
    art.from_torch(net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3),
    art.data(train=(x[:200], y[:200]), validation=(x[200:400], y[200:400]), batch_size=50),
    trainer={"max_epochs": 6, "accelerator": "cpu", "callbacks": [Slow()]},
)
space = {
    "lr": art.space.log_uniform(1e-4, 1e-1),
    "width": art.space.integer(4, 32),
    "dropout": art.space.uniform(0, 0.5).when("width", *range(8, 33)),
}
project = art.ArtProject("searched", setup, metrics={"accuracy": MulticlassAccuracy(num_classes=10)},
    steps=[Tune(space, by="validation/accuracy", pruning="PRUNING", trials=TRIALS, seeds_for_winner=1, top=2)])
"""

# Importing torch takes seconds; this process has done so, and forks a child for every run that is asked for.
ZYGOTE = """
import importlib.util, os, sys, warnings
import lightning, optuna, sklearn.datasets, sklearn.ensemble, torch, torchmetrics, sqlalchemy
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

    def __init__(self, folder: Path, pruning: str) -> None:
        self.diary = folder / "diary.txt"
        self.errors = (folder / "stderr.txt").open("w")
        (folder / "art_project.py").write_text(PROJECT.replace("PRUNING", pruning).replace("TRIALS", str(TRIALS)))
        self.process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE, str(folder / "art_project.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "ART_TEST_DIARY": str(self.diary)},
        )
        if self._line() != "ready":
            self.close()
            pytest.fail((folder / "stderr.txt").read_text())

    def run(self, store: Path, kill_after: float | None = None) -> int:
        """Run the project, and kill it some seconds after its first training began, if it has not ended by then."""
        self.process.stdin.write(f"{store}\n")
        self.process.stdin.flush()
        child = int(self._line())
        if kill_after is not None:
            written, patience = self._written(), time.monotonic() + 30
            while self._written() == written and time.monotonic() < patience and Path(f"/proc/{child}/stat").exists():
                if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
                    break
                time.sleep(0.01)
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return int(self._line())

    def _written(self) -> int:
        return self.diary.stat().st_size if self.diary.exists() else 0

    def _line(self) -> str:
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()


@pytest.fixture
def zygote(tmp_path: Path, pruning: str) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path, pruning)
    yield zygote
    zygote.close()


def outcome_of(where: Path) -> Outcome:
    store = SqlStore(where)
    [run] = store.runs(RunQuery(status=RunStatus.COMPLETED))
    outcome = store.outcome(run.id)
    store.close()
    assert outcome is not None
    return outcome


def table(where: Path) -> str:
    store = SqlStore(where)
    text = store.artifacts.fetch(outcome_of(where).artifact("trials.csv").digest).read_text()
    store.close()
    return text


def remembered(where: Path) -> dict[str, bytes]:
    """What is durable of trials that have ended, by file."""
    files = where.parent.rglob("remembered-*/trial-*.json")
    return {path.name: path.read_bytes() for path in files if "in-progress" not in path.name}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("pruning", "kills"), [("median", 10), ("hyperband", 4)])
def test_a_search_that_is_killed_again_and_again_makes_the_trials_of_one_that_was_not(
    zygote: Zygote, tmp_path: Path, kills: int
) -> None:
    whole = tmp_path / "whole" / "art.db"
    assert zygote.run(whole) == 0
    lines = Counter(zygote.diary.read_text().split("\n"))
    zygote.diary.unlink()

    moments, done, killed = random.Random(0), 0, tmp_path / "killed" / "art.db"
    before: dict[str, bytes] = {}
    while True:
        status = zygote.run(killed, moments.uniform(0.0, 0.9) if done < kills else None)
        after = remembered(killed)
        assert {name: after.get(name) for name in before} == before, "a trial that had ended is there, as it was"
        before = after
        if status == 0:
            break
        assert status == -signal.SIGKILL, (tmp_path / "stderr.txt").read_text()
        done += 1
    assert done == kills, "the search went on for as long as it was to be killed"

    assert table(killed) == table(whole)
    ended, undisturbed = outcome_of(killed), outcome_of(whole)
    assert ended.candidates == undisturbed.candidates
    assert ended.scores == undisturbed.scores
    assert ended.parameters == undisturbed.parameters
    states: Any = ended.reading("trials")
    assert states.value["pruned"] > 0

    # A training that came to its end was never begun again; one that was killed was, at most once for each kill.
    diary = Counter(zygote.diary.read_text().split("\n"))
    begun = sum(count for line, count in diary.items() if line.startswith("began"))
    once = sum(count for line, count in lines.items() if line.startswith("began"))
    assert once <= begun <= once + kills
    assert lines["ended"] <= diary["ended"] <= lines["ended"] + kills
