"""A search that is killed again and again makes the trials that it would have made, each of them once."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from art_training.records import Candidate, Outcome, RunStatus, Score
from art_training.stores import RunQuery
from art_training.stores.sql import SqlStore

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
        folder, os.environ["ART_STORE"] = line.strip().split("|")
        os.environ["ART_TEST_DIARY"] = os.path.join(folder, "diary.txt")
        spec = importlib.util.spec_from_file_location("art_project", os.path.join(folder, "art_project.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules["art_project"] = module
        spec.loader.exec_module(module)
        os._exit(0 if module.project.run().passed else 1)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Zygote:
    """Starts runs of projects, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.stderr = folder / "stderr.txt"
        self.errors = self.stderr.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        if self._line() != "ready":
            self.close()
            pytest.fail(self.stderr.read_text())

    def run(self, folder: Path, store: Path, kill_after: float | None = None) -> int:
        """Run a folder's project, and kill it some seconds after its first training began, if it has not ended by then."""
        diary = folder / "diary.txt"
        written = _size(diary)
        self.process.stdin.write(f"{folder}|{store}\n")
        self.process.stdin.flush()
        child = int(self._line())
        if kill_after is not None:
            patience = time.monotonic() + 30
            while _size(diary) == written and _is_alive(child) and time.monotonic() < patience:
                time.sleep(0.01)
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return int(self._line())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

    def _line(self) -> str:
        return self.process.stdout.readline().strip()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path_factory.mktemp("zygote"))
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


def values(scores: Mapping[str, Score]) -> dict[str, float]:
    return {name: score.value for name, score in scores.items()}


def told(candidates: Iterable[Candidate]) -> list[tuple[Any, ...]]:
    return [(one.name, values(one.scores), one.parameters, one.note) for one in candidates]


def remembered(where: Path) -> dict[str, bytes]:
    """What is durable of trials that have ended, by file."""
    files = where.parent.rglob("remembered-*/trial-*.json")
    return {path.name: path.read_bytes() for path in files if "in-progress" not in path.name}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("pruning", "trials", "kills"), [("median", 12, 10), ("hyperband", 7, 3)])
def test_a_search_that_is_killed_again_and_again_makes_the_trials_of_one_that_was_not(
    zygote: Zygote, tmp_path: Path, *, pruning: str, trials: int, kills: int
) -> None:
    text = PROJECT.replace("PRUNING", pruning).replace("TRIALS", str(trials))
    (tmp_path / "art_project.py").write_text(text)
    diary, whole = tmp_path / "diary.txt", tmp_path / "whole" / "art.db"
    assert zygote.run(tmp_path, whole) == 0, zygote.stderr.read_text()
    lines = Counter(diary.read_text().split("\n"))
    diary.unlink()

    moments, done, killed = random.Random(0), 0, tmp_path / "killed" / "art.db"
    before: dict[str, bytes] = {}
    while True:
        status = zygote.run(tmp_path, killed, moments.uniform(0.0, 0.9) if done < kills else None)
        after = remembered(killed)
        assert {name: after.get(name) for name in before} == before, "a trial that had ended is there, as it was"
        before = after
        if status == 0:
            break
        assert status == -signal.SIGKILL, zygote.stderr.read_text()
        done += 1
    assert done == kills, "the search went on for as long as it was to be killed"

    assert table(killed) == table(whole)
    ended, undisturbed = outcome_of(killed), outcome_of(whole)
    # Not by their intervals: how often a metric is computed again for one is a matter of seconds.
    assert told(ended.candidates) == told(undisturbed.candidates)
    assert values(ended.scores) == values(undisturbed.scores)
    assert ended.parameters == undisturbed.parameters
    states: Any = ended.reading("trials")
    assert states.value["pruned"] > 0

    # A training that came to its end was never begun again; one that was killed was, at most once for each kill.
    again = Counter(diary.read_text().split("\n"))
    begun = sum(count for line, count in again.items() if line.startswith("began"))
    once = sum(count for line, count in lines.items() if line.startswith("began"))
    assert once <= begun <= once + kills
    # One that is killed between its last step and its last word has nothing left to train, and says nothing any more.
    assert lines["ended"] - kills <= again["ended"] <= lines["ended"] + kills
